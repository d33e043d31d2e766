"""The bench of degraded inputs, with a method that needs no weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from gansr import papers
from gansr.bench import BenchError, face_cases, faces, robustness
from gansr.bench.face_cases import Case, enlargement, inversion
from gansr.bench.robustness import CLEAN, DEGRADED, degraded, rows
from gansr.engine import Engine
from gansr.metrics.psnr import PSNR_RGB
from gansr.picture import to_png
from tests.support.fakes import FAKE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two "faces" of 256 px, a method that enlarges 64 px fourfold, and a metric that needs no network."""
    for i in range(2):
        g = torch.Generator().manual_seed(i)
        (tmp_path / f"{i}.png").write_bytes(to_png(torch.rand(3, 256, 256, generator=g)))
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    cases = (
        Case("fourfold", "fake", 256, enlargement(64), {"scale": 4}),
        Case("same", "fake", 256, inversion),
    )
    monkeypatch.setattr(face_cases, "CASES", cases)
    monkeypatch.setattr(robustness, "METRICS", (PSNR_RGB,))
    monkeypatch.setattr(robustness, "aligned", lambda path, detector: faces.open_picture(path).rgb)
    return tmp_path


def engine() -> Engine:
    return Engine("cpu", load=lambda name: None)


def test_each_degradation_is_measured_against_the_clean_answer_and_the_truth(folder: Path):
    found = {(row.model, row.metric): row.value for row in rows(folder, ["fourfold"], engine=engine())}
    assert {model for model, _ in found} == set(DEGRADED)
    assert (CLEAN, "psnr_rgb to the clean answer") not in found
    for name in set(DEGRADED) - {CLEAN}:
        assert 5 < found[name, "psnr_rgb to the clean answer"] < 60, name
        assert found[name, "psnr_rgb to the truth"] > 5, name


def test_a_sheet_has_a_column_for_each_degradation_and_the_truth(folder: Path, tmp_path: Path):
    assert list(rows(folder, ["fourfold"], out=tmp_path / "out", limit=1, engine=engine()))
    (sheet,) = (tmp_path / "out").iterdir()
    with Image.open(sheet) as drawn:
        assert sheet.name == "0-fourfold.png" and drawn.width > 7 * 360 and drawn.height > 2 * 360


def test_the_inputs_are_degraded_alike_for_every_face():
    grey = torch.full((3, 64, 64), 128 / 255)
    low = degraded(grey, 32, DEGRADED["salt and pepper 5 %"])
    assert low.shape == (3, 32, 32) and torch.equal(low, degraded(grey, 32, DEGRADED["salt and pepper 5 %"]))


def test_a_methods_name_stands_for_its_cases_that_enlarge():
    assert [case.name for case in robustness.enlarging(["mganprior", "glean"])] == ["mganprior-sr", "glean"]
    assert [case.name for case in robustness.enlarging(["pulse"])] == ["pulse"]


def test_what_does_not_enlarge_or_is_unknown_is_refused(folder: Path):
    with pytest.raises(BenchError, match="same does not enlarge"):
        list(rows(folder, ["same"], engine=engine()))
    with pytest.raises(BenchError, match="there is no case 'x'"):
        list(rows(folder, ["x"], engine=engine()))
