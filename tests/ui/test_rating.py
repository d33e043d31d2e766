"""What the browser receives in a round tells nothing about the methods: names, sizes, headers, order."""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from gansr.rating.catalogue import Catalogue, read
from gansr.rating.service import Rating
from gansr.rating.storage import FILE, Store
from gansr.rating.vote import BETTER, CLOSER, QUALITY
from gansr.ui.rating import contents, keystream, masked
from tests.support.rating_set import METHODS, write


@pytest.fixture
def known(tmp_path: Path):
    store = Store(tmp_path / FILE)
    yield Rating(read(write(tmp_path / "set")), store)
    store.close()


def received(rating: Rating, rounds: int, question: str = BETTER) -> list[tuple[dict[str, Any], str, str]]:
    """For the first question of so many users: what is sent, and the entries that stand left and right."""
    found: list[tuple[dict[str, Any], str, str]] = []
    for number in range(rounds):
        rating._random = lambda number=number: Random(number)
        token = rating.new_token()
        state = rating.open(token, question, each=False)
        assert state.trial is not None
        sent = contents(state, token, rating.catalogue)
        found.append((sent, state.trial.left, state.trial.right))
    return found


def unmasked(picture: dict[str, Any]) -> bytes:
    data = np.frombuffer(base64.b64decode(picture["data"]), np.uint8)
    return np.bitwise_xor(data, keystream(picture["seed"], len(data))).tobytes()


def test_the_mask_comes_off_and_leaves_nothing_to_compress(known: Rating):
    height, width, pixels = known.catalogue.pixels("p0", "truth")
    sent = masked(height, width, pixels)
    assert unmasked(sent) == pixels and sent["size"] == [width, height]
    data = base64.b64decode(sent["data"])
    assert len(zlib.compress(data, 9)) >= len(data) > 2 * len(zlib.compress(pixels, 9))


def test_the_stream_is_the_one_of_the_script():
    """The first bytes, computed by hand of MurmurHash3's finaliser: fmix32(1) is 0x514e28b7."""
    assert keystream(1, 5).tobytes()[:4] == bytes.fromhex("b7284e51")


@pytest.mark.parametrize("question", [BETTER, CLOSER, QUALITY])
def test_nothing_but_pixels_differs_between_methods(known: Rating, question: str):
    """Names, titles and ids of entries are nowhere in it; the lengths of all parts are equal."""
    shapes = set[str]()
    for sent, *_ in received(known, 40, question):
        trial = sent["trial"]
        words = {name: part for name, part in trial.items() if not isinstance(part, dict)}
        text = json.dumps({**sent, "trial": words, "token": ""})  # by chance, random bytes spell a name
        for word in (*METHODS, "bicubic", "nearest", "Bicubic", "Original", "webp", "psnr", "p0", "p1", "p2"):
            assert word not in text, word
        assert len(trial["id"]) == 32
        shape = {
            name: (part["size"], len(part["data"]), len(str(part["seed"])))
            for name, part in trial.items()
            if isinstance(part, dict)
        }
        shapes.add(json.dumps(shape))
    assert len(shapes) == 1


def features(sent: dict[str, Any]) -> list[float]:
    """Everything that can be measured of a side without its pixels: lengths, compressed too, and random-looking ids."""
    trial = sent["trial"]
    sides = [trial["left"], trial["right"]]
    packed = [len(zlib.compress(side["data"].encode(), 9)) for side in sides]
    ids = [int(trial["id"][:8], 16), int(trial["id"][-8:], 16), *(side["seed"] for side in sides)]
    order = [list(trial).index("left") - list(trial).index("right")]
    return [packed[0] - packed[1], len(json.dumps(sent)), sum(packed), *ids, *order]


def test_a_script_cannot_tell_the_sides_better_than_chance(known: Rating):
    """Each feature, by its sign against its median on one half of the users, guesses the side on the other half."""
    rounds = [one for one in received(known, 300) if one[1] in METHODS and one[2] in METHODS]
    labels = np.array([left < right for _, left, right in rounds])
    table = np.array([features(sent) for sent, *_ in rounds])
    half = len(rounds) // 2
    assert half > 30 and 0.35 < labels.mean() < 0.65
    for column in table.T:
        above = column > np.median(column)
        agrees = (above == labels)[:half].mean() >= 0.5
        hits = int(((above == labels) == agrees)[half:].sum())
        count = len(rounds) - half
        assert hits < count / 2 + 3.5 * (count / 4) ** 0.5, (hits, count)


def test_the_same_attack_finds_sides_where_files_have_their_own_lengths(known: Rating):
    """The control of the test above: with lossless files in place of the mask, lengths tell the methods."""
    catalogue: Catalogue = known.catalogue
    sizes = {
        entry: (catalogue.folder / catalogue.pictures["p0"].files[entry]).stat().st_size for entry in METHODS
    }
    assert len(set(sizes.values())) == len(METHODS)


def test_a_picture_is_sent_in_other_bytes_each_time(known: Rating):
    _, _, pixels = known.catalogue.pixels("p0", "m0")
    assert max(Counter(masked(64, 64, pixels)["data"] for _ in range(20)).values()) == 1
