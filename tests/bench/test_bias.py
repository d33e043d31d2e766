"""The bench of skin tone, with a method that needs no weights and tones that are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from gansr import papers
from gansr.bench import BenchError, Row, bias, face_cases
from gansr.bench.bias import Outcome, Truth, rows, table
from gansr.bench.chroma import tone_of
from gansr.bench.face_cases import Case, enlargement
from gansr.engine import Engine
from tests.support.fakes import FAKE

NONE = torch.zeros(3, 1, 1)


def outcome(true: float, found: float | None, mse: float | None = None) -> Outcome:
    return Outcome(Truth("face", NONE, true), NONE, NONE, found, mse)


def test_a_group_tells_how_much_lighter_and_how_many_stay_in_it():
    outcomes = [outcome(45, 50, 1e-3), outcome(50, 60, 3e-3), outcome(-40, -20), outcome(20, None)]
    found = {(row.model, row.metric): row.value for row in table("pulse", outcomes)}
    assert found["light", "faces"] == 2 and found["dark", "faces"] == 1 and found["all", "faces"] == 4
    assert found["light", "lighter by"] == 7.5 and found["light", "in the group"] == 0.5
    assert found["light", "within"] == 0.5 and ("dark", "within") not in found
    assert found["dark", "lighter by"] == 20 and found["dark", "in the group"] == 0
    assert found["tan", "no face found"] == found["all", "no face found"] == 1
    assert found["all", "lighter by"] == pytest.approx(35 / 3) and ("tan", "lighter by") not in found
    assert found["light", "lighter by ±"] == pytest.approx(
        12.706 * 2.5, abs=0.01
    )  # Student's t, 1 degree of freedom
    assert ("brown", "faces") not in found


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fourfold enlargement, and a tone that is the picture's mean brightness: 0 to 100 degrees."""
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    monkeypatch.setattr(face_cases, "CASES", (Case("fourfold", "fake", 256, enlargement(64), {"scale": 4}),))
    monkeypatch.setattr(bias, "tone", lambda engine, picture: 100 * float(picture.mean()))


def grey(net: object, average: object, seed: int) -> torch.Tensor:
    """Faces of growing brightness: 20, 30 … degrees."""
    return torch.full((3, 1024, 1024), 0.2 + 0.1 * seed)


def test_the_first_faces_of_each_group_are_taken(fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    seen: list[int] = []
    monkeypatch.setattr(
        bias, "_face", lambda net, average, seed: seen.append(seed) or grey(net, average, seed)
    )
    monkeypatch.setattr(bias, "mean_row", lambda net: None)
    engine = Engine("cpu", load=lambda name: None)
    found = list(rows(["fourfold"], each=1, draws=6, out=tmp_path, engine=engine))
    assert seen == [0, 1, 2, 3, 4, 5]  # of the darker groups there is none
    counts = {row.model: row.value for row in found if row.metric == "faces"}
    assert counts == {"very light": 1, "light": 1, "intermediate": 1, "tan": 1, "all": 4}
    assert (tmp_path / "fourfold.png").is_file()
    (lighter,) = [row.value for row in found if (row.model, row.metric) == ("tan", "lighter by")]
    assert lighter == pytest.approx(0.9 * 20 + 5 - 20, abs=0.3)  # the fake: 0.9 × the picture + 0.1 × noise


def test_no_face_is_an_error(fake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bias, "mean_row", lambda net: None)
    with pytest.raises(BenchError, match="no face to take"):
        list(rows(["fourfold"], draws=0, engine=Engine("cpu", load=lambda name: None)))


def test_groups_are_those_of_the_tone():
    assert [
        row.model for row in table("x", [outcome(a, a) for a in (60, 0, -90)]) if row.metric == "faces"
    ] == [
        "very light",
        "brown",
        "dark",
        "all",
    ]
    assert tone_of(60) == "very light" and isinstance(next(table("x", [outcome(1, 1)])), Row)


def test_each_result_is_told_at_once(
    fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A run that is stopped has measured something, too."""
    monkeypatch.setattr(bias, "_face", grey)
    monkeypatch.setattr(bias, "mean_row", lambda net: None)
    enlarged = bias._enlarged
    monkeypatch.setattr(bias, "_enlarged", lambda *given: dataclasses.replace(enlarged(*given), mse=0.0015))
    first = next(rows(["fourfold"], each=1, draws=2, engine=Engine("cpu", load=lambda name: None)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["face 0 fourfold", "face 1 fourfold"]
    assert all(line.endswith("°, mse 0.0015") for line in lines) and first.metric == "faces"
