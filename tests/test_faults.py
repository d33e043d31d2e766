"""The robustness strip of a quality test: a method that needs no weights, and inputs whose faults are known."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from PIL import Image

from gansr import __main__, faults, metrics, papers
from gansr.engine import Engine
from gansr.method import Frame, MethodError
from gansr.ops.colour import to8bit
from gansr.ops.degrade import FAULTS, degrade
from gansr.picture import Picture, to_png
from gansr.pipeline import Pipeline, Update
from gansr.request import decode
from tests.support.fakes import FAKE

PICTURE = Picture(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1)), None, False, ())
STRIP = {"task": "known answer", "robustness": True, "steps": 2}


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "METRICS", tuple(each for each in metrics.METRICS if not each.weights))
    monkeypatch.setattr(faults, "DISTANCES", ("psnr_rgb",))


def updates(values: dict | None = None, method=FAKE) -> list[Update]:
    pipeline = Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))
    return list(pipeline.run(PICTURE, decode(method, STRIP | (values or {}))))


def test_every_fault_gives_an_answer_measured_against_the_clean_one():
    last = updates()[-1]
    assert last.frame is not None and last.given is not None and last.done
    assert list(last.frame.answers) == list(last.answers) == list(FAULTS)
    clean = last.frame.image
    request = decode(FAKE, STRIP)
    for name, (row,) in last.answers.items():
        made = request.faulty[name]
        low = degrade(PICTURE.rgb, 2, made, torch.Generator().manual_seed(made.seed))
        noise = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0))
        expected = (
            low.repeat_interleave(2, 1).repeat_interleave(2, 2) * 0.9 + 0.1 * noise
        )  # the fake's last step
        torch.testing.assert_close(last.frame.answers[name], expected)
        inside = slice(4, -4)
        error = (to8bit(expected) - to8bit(clean))[:, inside, inside].double().square().mean()
        assert row.metric.name == "psnr_rgb_to_clean" and row.metric.title == "PSNR-RGB to the clean result"
        assert row.value == pytest.approx(-10 * math.log10(error), abs=1e-3)


def test_the_result_is_that_of_the_input_without_a_fault_and_is_measured_as_usual():
    strip, alone = updates()[-1], updates({"robustness": False})[-1]
    assert strip.frame is not None and alone.frame is not None
    assert torch.equal(strip.frame.image, alone.frame.image) and strip.measured == alone.measured
    assert alone.frame.answers == {} and faults.FILE not in alone.frame.files


def test_the_strip_is_a_sheet_of_inputs_and_results():
    last = updates()[-1]
    assert last.frame is not None and "map.npy" in last.frame.files
    with Image.open(io.BytesIO(last.frame.files[faults.FILE])) as sheet:
        assert sheet.width >= 6 * 360 and 2 * 360 <= sheet.height < 3 * 360


def test_the_steps_of_all_runs_are_counted_as_one_run():
    frames = [u.frame for u in updates() if u.frame is not None and not u.finished and u.text != "measuring"]
    counted = [frame.step for frame in frames]
    assert {frame.steps for frame in frames} == {6, 12}  # the first is the bicubic enlargement, of one step
    assert counted == sorted(counted) and counted[-1] == 12


def test_a_picture_that_is_the_input_has_no_strip():
    assert not decode(FAKE, STRIP | {"task": "enlarge"}).faulty
    last = updates({"task": "enlarge"})[-1]
    assert last.frame is not None and last.frame.answers == {}


def test_a_fault_is_added_to_the_degradation_that_was_chosen():
    found = decode(FAKE, STRIP | {"shrink_operator": "area", "shrink_noise": 3.0}).faulty
    assert {one.operator for one in found.values()} == {"area"}
    assert [one.noise for one in found.values()] == [25.0, 3.0, 3.0, 3.0, 3.0]
    assert (found["JPEG 20"].jpeg, found["motion 9 px"].motion) == (20, 9)
    assert (found["missing 10 %"].missing, found["salt and pepper 5 %"].salt) == (10.0, 5.0)


def test_a_run_that_fails_ends_the_strip_and_keeps_what_was_there():
    calls: list[int] = []

    def run(low, options, nets, generator) -> Iterator[Frame]:
        calls.append(1)
        if len(calls) == 3:
            raise MethodError("no more")
        yield from FAKE.run(low, options, nets, generator)

    last = updates(method=replace(FAKE, run=run))[-1]
    assert last.frame is not None and list(last.frame.answers) == [next(iter(FAULTS))]
    assert (
        last.frame.notices == ("the robustness strip ended at salt and pepper 5 %: no more",)
        and len(calls) == 3
    )


def test_a_large_result_is_measured_smaller():
    assert faults.small(torch.zeros(3, 512, 1024)).shape == (3, 128, 256)
    assert torch.equal(faults.small(torch.full((3, 8, 8), 0.5)), torch.full((3, 8, 8), 128 / 255))


def test_seconds_left_are_those_of_all_runs():
    frame = faults.part(Frame(torch.zeros(3, 2, 2), 1, 4, computed=2.0, left=6.0), 1, 3)
    assert (frame.step, frame.steps, frame.left) == (5, 12, 6.0 + 8.0)


def test_the_command_tests_quality_and_writes_every_answer_and_the_sheet(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    monkeypatch.setattr(
        __main__, "local", lambda device: Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))
    )
    (tmp_path / "in.png").write_bytes(to_png(PICTURE.rgb))
    asked = [
        "fake",
        str(tmp_path / "in.png"),
        "-o",
        str(tmp_path / "out.png"),
        "--robustness",
        "--steps",
        "2",
    ]
    assert __main__.main([*asked, "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert list(report["answers"]) == list(FAULTS)
    assert (
        report["answers"]["noise 25"]["psnr_rgb_to_clean"] > 5 and report["receipt"]["request"]["robustness"]
    )
    written = {path.name for path in tmp_path.iterdir()}
    assert {"out_noise-25.png", "out_robustness.png", "out_salt-and-pepper-5-%.png"} <= written
    assert __main__.main(asked) == 0
    assert "  noise 25: PSNR-RGB to the clean result " in capsys.readouterr().out
