"""The fixed set of rated pictures: what `python -m gansr rating build` wrote into assets/rating.

Every picture has a result of each entry that solves its problem: a method with its configuration, bicubic, nearest
neighbour, and the truth. They are equally large, lossless and without metadata. File names are hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from gansr.picture import open_picture, to_array
from gansr.rating import RatingError
from gansr.rating.pairing import Pair

FOLDER = Path(__file__).parents[2] / "assets" / "rating"
FILE = "rating.json"
TRUTH, BICUBIC, NEAREST = "truth", "bicubic", "nearest"
ANCHORS = {TRUTH: "Original", BICUBIC: "Bicubic", NEAREST: "Nearest neighbour"}
CLASSES = {
    "face": "Faces (photographs)",
    "generated-face": "Faces (drawn by a generator)",
    "photograph": "Photographs",
    "drawing": "Drawings",
}


@dataclass(frozen=True)
class Entry:
    """What is rated: a method with one configuration, or one of ANCHORS. Another version is another entry."""

    id: str  # "srgan-1a2b3c4d5e"
    title: str  # "SRGAN"
    about: Mapping[str, Any]  # method, version, options, weights


@dataclass(frozen=True)
class Rated:
    """One small picture and its results."""

    id: str
    title: str
    kind: str  # of CLASSES
    problem: str  # "face-64-512"
    small: str  # file of the small picture
    files: Mapping[str, str]  # entry → file
    metrics: Mapping[str, Mapping[str, float]]  # entry → metric → value, of the whole result
    receipts: Mapping[str, Any]  # entry → its receipt


@dataclass(frozen=True)
class Catalogue:
    """All pictures and entries."""

    folder: Path
    digest: str  # 16 hexadecimal digits
    entries: Mapping[str, Entry]
    pictures: Mapping[str, Rated]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of methods and of the anchors bicubic and nearest, of every picture."""
        return [
            Pair(rated.id, *both)
            for rated in self.pictures.values()
            for both in combinations(sorted(set(rated.files) - {TRUTH}), 2)
        ]

    @cached_property
    def gold_pairs(self) -> list[Pair]:
        """The control pairs: the original against nearest neighbour."""
        first, second = sorted((TRUTH, NEAREST))
        return [
            Pair(one.id, first, second) for one in self.pictures.values() if {first, second} <= set(one.files)
        ]

    def title(self, entry: str) -> str:
        """The name of an entry; of one of another set its id."""
        return self.entries[entry].title if entry in self.entries else entry

    def pixels(self, picture: str, entry: str = "") -> tuple[int, int, bytes]:
        """(height, width, RGB bytes) of a result, or of the small picture. Raises KeyError for another id."""
        rated = self.pictures[picture]
        return _pixels(self.folder / (rated.files[entry] if entry else rated.small))


@lru_cache(maxsize=256)  # of 150 kB
def _pixels(path: Path) -> tuple[int, int, bytes]:
    array = to_array(open_picture(path).rgb)
    return array.shape[0], array.shape[1], array.tobytes()


@lru_cache(maxsize=4)
def read(folder: Path = FOLDER) -> Catalogue:
    """The set in a folder. Raises RatingError where there is none, or one that this version does not read."""
    try:
        content = (folder / FILE).read_bytes()
        found = json.loads(content)
        entries = {id: Entry(id, one["title"], one["about"]) for id, one in found["entries"].items()}
        pictures = {
            id: Rated(
                id, one["title"], one["class"], one["problem"], one["small"], one["files"], one["metrics"],
                one["receipts"],
            )
            for id, one in found["pictures"].items()
        }  # fmt: skip
    except FileNotFoundError:
        raise RatingError("there are no pictures to rate: run python -m gansr rating build") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RatingError(f"{FILE} cannot be read ({error!r}): run python -m gansr rating build") from None
    return Catalogue(folder, hashlib.sha256(content).hexdigest()[:16], entries, pictures)
