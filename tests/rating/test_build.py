"""The set of rated pictures: equal in size, without metadata, complete, and described."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gansr import gallery, metrics, papers
from gansr.engine import Engine
from gansr.gallery import Example
from gansr.options import OptionError
from gansr.picture import to_png
from gansr.pipeline import Pipeline
from gansr.problem import Problem
from gansr.rating import RatingError, build
from gansr.rating.build import SIDE, views
from gansr.rating.catalogue import FILE, TRUTH, read
from tests.support.comparing import BROKEN, EXPENSIVE, QUICK

EXAMPLES = (
    Example("wide", "Wide", "wide.png", "", {**gallery.QUALITY_TEST, "problem": "photo-x2"}),
    Example("high", "High", "high.png", "", {**gallery.QUALITY_TEST, "problem": "photo-x2"}),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the fakes build two pictures of their own."""
    for name, size in {"wide.png": (48, 90), "high.png": (90, 48)}.items():
        image = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
        (tmp_path / name).write_bytes(to_png(image))
    monkeypatch.setattr(build, "EXAMPLES", tmp_path)
    monkeypatch.setattr(gallery, "COMPARED", EXAMPLES)
    monkeypatch.setattr(papers, "METHODS", (EXPENSIVE, BROKEN, QUICK))
    plain = tuple(metric for metric in metrics.METRICS if not metric.weights)
    for module in (metrics, build):
        monkeypatch.setattr(module, "METRICS", plain)
    return tmp_path / "rating"


def built(folder: Path, *names: str) -> Any:
    build.build(Pipeline(Engine("cpu", pace=0.0)), names, folder, tell=lambda line: None)
    read.cache_clear()
    return read(folder)


def test_every_picture_has_every_result_of_one_size_without_metadata(folder: Path):
    found = built(folder)
    assert [rated.title for rated in found.pictures.values()] == ["Wide", "High"]
    for rated in found.pictures.values():
        assert {name.partition("-")[0] for name in rated.files} == {
            "truth",
            "bicubic",
            "nearest",
            "quick",
            "expensive",
        }
        sizes = {found.pixels(rated.id, entry)[:2] for entry in rated.files}
        assert len(sizes) == 1
        (height, width), (low, narrow) = sizes.pop(), found.pixels(rated.id)[:2]
        assert (height, width) == (2 * low, 2 * narrow) and max(height, width) <= SIDE
        for name in (*rated.files.values(), rated.small):
            assert re.fullmatch(r"[0-9a-f]{20}\.webp", name)
            content = (folder / name).read_bytes()
            assert content[12:16] == b"VP8L" and len(content) == 8 + int.from_bytes(content[4:8], "little")
            with Image.open(io.BytesIO(content)) as opened:
                assert not set(opened.info) & {"exif", "xmp", "icc_profile"}


def test_results_have_metrics_and_receipts_and_their_configuration(folder: Path):
    found = built(folder)
    rated = next(iter(found.pictures.values()))
    method = next(name for name in rated.files if name.startswith("quick-"))
    assert rated.metrics[method]["psnr_y"] > 10 and "psnr_y" in rated.metrics["nearest"]
    assert "psnr_y" not in rated.metrics[TRUTH]  # infinite
    assert rated.receipts[method]["method"] == "quick"
    assert found.entries[method].about["options"]["steps"] == 5
    assert found.title("nearest") == "Nearest neighbour"


def test_another_configuration_is_another_entry_and_the_picture_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    before = built(folder)
    monkeypatch.setattr(build, "__version__", "9.9")
    after = built(folder)
    assert set(before.pictures) == set(after.pictures)
    assert set(before.entries) & set(after.entries) == {"truth", "bicubic", "nearest"}
    assert before.digest != after.digest


def test_one_example_is_built_again_and_the_others_stay(folder: Path):
    first = built(folder, "wide")
    assert len(first.pictures) == 1
    both = built(folder, "high")
    assert {rated.title for rated in both.pictures.values()} == {"Wide", "High"}
    named = {name for rated in both.pictures.values() for name in (*rated.files.values(), rated.small)}
    assert {path.name for path in folder.iterdir()} == named | {FILE}
    with pytest.raises(OptionError, match="there is no example other"):
        built(folder, "other")


def test_a_face_is_shown_whole_and_of_a_photograph_the_middle_on_whole_pixels_of_the_small_picture():
    image, low = torch.rand(3, 512, 512), torch.rand(3, 64, 64)
    seen, small = views({TRUTH: image}, low, Problem(64, 8))
    assert seen[TRUTH].shape == (3, 256, 256) and small is low
    assert torch.allclose(seen[TRUTH][:, 0, 0], image[:, :2, :2].mean((1, 2)))
    low = torch.rand(3, 75, 112)
    large = low.repeat_interleave(4, 1).repeat_interleave(4, 2)
    seen, small = views({TRUTH: large}, low, Problem(0, 4))
    assert seen[TRUTH].shape == (3, 256, 256)
    assert torch.equal(small.repeat_interleave(4, 1).repeat_interleave(4, 2), seen[TRUTH])


def test_without_a_set_the_user_is_told_how_it_is_made(tmp_path: Path):
    with pytest.raises(RatingError, match="rating build"):
        read(tmp_path)
    (tmp_path / FILE).write_text('{"entries": []}')
    with pytest.raises(RatingError, match="cannot be read"):
        read(tmp_path)


def test_the_set_of_this_repository_is_whole():
    found = read()
    assert found.pictures
    for rated in found.pictures.values():
        assert len({found.pixels(rated.id, entry)[:2] for entry in rated.files}) == 1
        assert {"truth", "bicubic", "nearest"} < set(rated.files) and set(rated.files) <= set(found.entries)
    assert sum(build.sizes(found.folder)) < 6_000_000
