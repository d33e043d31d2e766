"""The bench of faces on tiny synthetic pictures, with a method that needs no weights."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gansr import bench, papers
from gansr.bench import BenchError, face_cases, faces
from gansr.bench.face_cases import Case, enlargement
from gansr.engine import Engine
from gansr.faces import Face
from gansr.method import Nets
from gansr.picture import open_picture, to_png
from tests.support.fakes import FAKE

MEASURES = ["psnr", "consistency", "grid", "niqe", "seconds"]  # those that need no network


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five "photographs" of 256 px; the detector finds a face that FFHQ's square would fit exactly. The only method
    enlarges 64 px fourfold."""
    data = tmp_path / "data"
    data.mkdir()
    for i, name in enumerate("edcba"):
        g = torch.Generator().manual_seed(i)
        (data / f"{name}.png").write_bytes(to_png(torch.rand(3, 256, 256, generator=g)))
    (data / "notes.txt").write_text("not a photograph")
    monkeypatch.setattr(face_cases, "SIDE", 256)
    monkeypatch.setattr(faces, "SIDE", 256)
    monkeypatch.setattr(faces.faces, "detect", lambda rgb, session: [whole(rgb.shape[-1])])
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    monkeypatch.setattr(face_cases, "CASES", (Case("fourfold", "fake", 256, enlargement(64), {"scale": 4}),))
    monkeypatch.setattr(faces, "Engine", lambda: Engine("cpu", load=lambda name: None))
    return data


def whole(side: int, shift: float = 0.0) -> Face:
    """A face whose square is the picture, moved to the right by `shift` of its side."""
    points = torch.tensor([[0.375, 0.475], [0.625, 0.475], [0.5, 0.6], [0.4, 0.725], [0.6, 0.725]]) * side
    points[:, 0] += shift * side
    return Face(torch.tensor([0.0, 0.0, side, side]), points, 0.9)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    given = parser.parse_args(["bench", "faces", *arguments])
    return given.handler(given)


def values(text: str) -> dict[tuple[str, str], float]:
    return {(row["model"], row["metric"]): row["value"] for row in json.loads(text)}


def test_the_means_and_intervals_over_the_faces_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run("--data", str(folder), "--json", "--measures", *MEASURES) == 0
    found = values(capsys.readouterr().out)
    assert found["fake", "faces"] == found["baseline", "faces"] == 5
    assert found["baseline", "psnr"] > 10 and found["baseline", "consistency"] > 20
    assert found["fake", "seconds"] >= 0 and ("baseline", "seconds") not in found
    assert 0 < found["fake", "psnr ±"] < 1


def test_the_change_of_the_skins_tone_is_given_by_group(folder: Path, capsys: pytest.CaptureFixture[str]):
    for name, grey in (("a", 0.2), ("b", 0.2), ("c", 0.9)):
        dark = torch.tensor([1.0, 0.9, 0.7])[:, None, None].expand(3, 256, 256) * grey
        (folder / f"{name}.png").write_bytes(to_png(dark))
    arguments = ["--data", str(folder), "--json", "--files", "[abc].png", "--measures", "tone"]
    assert run(*arguments) == 0
    found = values(capsys.readouterr().out)
    assert found["fake", "tone, dark (2)"] == pytest.approx(0, abs=1)
    assert found["fake", "tone, light (1)"] == pytest.approx(0, abs=1)


def test_the_halves_share_no_face_and_the_first_is_the_smaller(folder: Path):
    found = faces.photographs(folder)
    choosing, reporting = (faces.part_of(found, split) for split in ("choosing", "reporting"))
    assert [path.stem for path in choosing] == ["a", "b"] and [path.stem for path in reporting] == [
        "c",
        "d",
        "e",
    ]
    assert faces.part_of(found, "all") == choosing + reporting


def test_the_interval_is_students():
    assert faces.interval([1.0, 2.0, 3.0]) == pytest.approx(4.3027 / 3**0.5, rel=1e-4)


def test_results_and_contact_sheets_are_written_and_a_second_run_computes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    arguments = ["--data", str(folder), "--json", "--out", str(tmp_path / "out"), "--measures", *MEASURES]
    assert run(*arguments, "--split", "choosing") == 0
    first = capsys.readouterr().out
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("out/**/*.png"))
    results = [f"{case}/{name}.png" for case in ("fourfold", "fourfold-baseline") for name in "ab"]
    assert written == sorted([*results, "fourfold-sheet-1.png"])
    sheet = np.asarray(Image.open(tmp_path / "out" / "fourfold-sheet-1.png"))
    assert sheet.shape[1] > 4 * 360 and sheet.shape[0] > 2 * 360  # four pictures of each of two faces

    def computes(*_: Any) -> None:
        raise AssertionError("it was computed again")

    monkeypatch.setattr(faces, "_run", computes)
    assert run(*arguments, "--split", "choosing") == 0
    assert capsys.readouterr().out == first
    with pytest.raises(AssertionError, match="computed again"):  # other options, another result
        run(*arguments, "--split", "choosing", "--set", "steps=3")


def test_a_measure_that_was_left_out_is_taken_of_the_stored_result(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    arguments = ["--data", str(folder), "--json", "--out", str(tmp_path / "out"), "--limit", "1"]
    assert run(*arguments, "--measures", "psnr") == 0
    before = values(capsys.readouterr().out)
    monkeypatch.setattr(faces, "_run", lambda *_: 1 / 0)
    assert run(*arguments, "--measures", "psnr", "grid", "seconds") == 0
    after = values(capsys.readouterr().out)
    assert after["fake", "psnr"] == before["fake", "psnr"]
    assert after["fake", "grid"] >= 0 and after["fake", "seconds"] >= 0


def test_an_aligned_photograph_is_taken_as_it_is_and_another_is_aligned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    path = folder / "a.png"
    assert torch.equal(faces.aligned(path, None), open_picture(path).rgb)
    monkeypatch.setattr(faces.faces, "detect", lambda rgb, session: [whole(256, shift=0.2)])
    moved = faces.aligned(path, None)
    assert moved.shape == (3, 256, 256) and not torch.equal(moved, open_picture(path).rgb)
    monkeypatch.setattr(faces.faces, "detect", lambda rgb, session: [])
    with pytest.raises(BenchError, match=r"a\.png: no face was found"):
        faces.aligned(path, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs --data DIR"),
        (["--methods", "toy"], "there is no case 'toy'"),
        (["--measures", "beauty"], "there is no measure 'beauty'"),
        (["--preset", "Slow"], "Fake has no preset 'Slow'"),
        (["--set", "steps"], "write it like steps=100"),
        (["--set", "stepz=1"], "none of these methods has an option 'stepz'"),
        (["--set", "steps=0"], "steps must be"),
        (["--set", "steps=0", "--set", "seed=1"], "steps must be"),  # both count
    ],
)
def test_what_is_not_known_is_refused_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    data = ["--data", str(folder)] if arguments else []
    assert run(*data, *arguments) == 1
    assert said in capsys.readouterr().err


def test_a_folder_without_photographs_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "empty").mkdir()
    assert run("--data", str(tmp_path / "empty")) == 1
    assert "has no photographs" in capsys.readouterr().err


def test_several_samples_have_a_spread(monkeypatch: pytest.MonkeyPatch):
    alike = [torch.full((3, 8, 8), 0.5)] * 3
    monkeypatch.setattr(faces, "value", lambda engine, metric, a, b, kept: float((a - b).abs().mean()))
    assert faces.spread(Engine("cpu"), alike) == 0
    assert faces.spread(Engine("cpu"), [alike[0], alike[0] + 0.2]) == pytest.approx(0.2, abs=0.01)


def test_one_sample_of_pulse_outside_the_threshold_lowers_the_share(monkeypatch: pytest.MonkeyPatch):
    case = replace(face_cases.CASES[0], method="fake")
    posed = enlargement(4)(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)))
    engine = Engine("cpu")
    first = next(FAKE.run(posed.low, FAKE.options(), Nets(), torch.Generator()))
    frame = replace(first, readings={"mse 1": 1e-3, "mse 2": 3e-3})
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    monkeypatch.setattr(engine, "upscale", lambda job: frame)
    _, own = faces._run(engine, case, posed, FAKE.options(), 0)
    assert own["within"] == 0.5 and own["mse"] == pytest.approx(2e-3)


def test_only_the_files_named_are_taken(folder: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--data", str(folder), "--json", "--measures", "psnr"]
    assert run(*arguments, "--files", "a.png", "[de].png") == 0
    assert values(capsys.readouterr().out)["fake", "faces"] == 3
    assert run(*arguments, "--files", "a.png", "[de].png", "--split", "reporting") == 0
    assert values(capsys.readouterr().out)["fake", "faces"] == 2  # the halves are those of the whole folder
    assert run(*arguments, "--files", "none*") == 1


def test_sheets_show_the_results_of_an_earlier_run_beside(folder: Path, tmp_path: Path):
    arguments = ["--data", str(folder), "--limit", "1", "--measures", "psnr"]
    assert run(*arguments, "--out", str(tmp_path / "old")) == 0
    assert run(*arguments, "--out", str(tmp_path / "new"), "--before", str(tmp_path / "old")) == 0
    old, new = (
        open_picture(tmp_path / name / "fourfold-sheet-1.png").rgb.shape[-1] for name in ("old", "new")
    )
    assert new == pytest.approx(old * 5 / 4, abs=20)  # five pictures beside each other, not four


def test_a_result_that_shrinks_to_its_very_input_has_a_finite_consistency():
    engine = Engine("cpu", load=lambda name: None)
    posed = enlargement(64)(torch.full((3, 128, 128), 0.5))
    truth = posed.truth
    assert faces.measures(engine, truth, posed, {}, ["consistency"]) == {"consistency": faces.EXACT}


def test_only_what_chooses_colours_is_measured_for_rare_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(faces, "_common", lambda engine: torch.zeros(64, 64, dtype=torch.bool))
    engine, truth = Engine("cpu", load=lambda name: None), torch.rand(3, 128, 128)
    coloured = faces.measures(engine, truth, face_cases.colouring(truth), {}, ["rare"])
    assert coloured == {"rare": 1.0}
    assert faces.measures(engine, truth, face_cases.denoising(truth), {}, ["rare"]) == {}
