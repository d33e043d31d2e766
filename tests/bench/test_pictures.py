"""bench pictures: what is run, what is recorded, and that a recorded result is not computed again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from gansr import metrics, papers
from gansr.bench import BenchError, Row, pictures
from gansr.bench.pictures import rows, settings_of, variant_of
from gansr.engine import Engine
from gansr.metrics.psnr import psnr_y
from gansr.ops.resize import imresize
from gansr.papers.srgan import LOSSES, SRGAN
from gansr.picture import open_picture, to_png
from gansr.pipeline import Pipeline
from gansr.request import decode
from gansr.results import records
from tests.support.fakes import FAKE


@pytest.fixture(autouse=True)
def one_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only method is a fake one, and no metric has a network."""
    fake = dataclasses.replace(
        FAKE, fit=lambda options, side, scale: dataclasses.replace(options, scale=scale)
    )
    monkeypatch.setattr(papers, "METHODS", (fake,))
    monkeypatch.setattr(metrics, "METRICS", tuple(each for each in metrics.METRICS if not each.weights))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Tiny/x2 with two pairs of 64×48 px, the second one grey."""
    folder = tmp_path / "data" / "Tiny" / "x2"
    folder.mkdir(parents=True)
    draws = torch.Generator().manual_seed(3)
    for name, planes in (("001", 3), ("002", 1)):
        truth = imresize(torch.rand(planes, 12, 16, generator=draws), 4).clamp(0, 1).expand(3, -1, -1)
        (folder / f"{name}_HR.png").write_bytes(to_png(truth))
        low = imresize(open_picture(folder / f"{name}_HR.png").rgb, 0.5, rounded=True)
        (folder / f"{name}_LR.png").write_bytes(to_png(low))
    return tmp_path / "data"


def measured(
    data: Path, record: Path | None = None, names: list[str] | None = None, **texts: str
) -> list[Row]:
    settings = settings_of(names, texts, ["Tiny"], 2, record)
    return list(rows(data, settings, Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))))


def values(found: list[Row]) -> dict[tuple[str, str], float]:
    return {(row.model, row.metric): row.value for row in found}


def test_bicubic_is_measured_as_the_bench_of_srgan_does(data: Path):
    """The mean over the two pictures of PSNR-Y of MATLAB's bicubic, 8 bit, 4 px cut off."""
    folder = data / "Tiny" / "x2"
    by_hand = [
        psnr_y(
            imresize(open_picture(folder / f"{n}_LR.png").rgb, 2, rounded=True),
            open_picture(folder / f"{n}_HR.png").rgb,
            4,
        )
        for n in ("001", "002")
    ]
    found = values(measured(data, names=["bicubic"]))
    assert found["bicubic", "pictures"] == 2
    assert found["bicubic", "psnr_y"] == pytest.approx(
        sum(by_hand) / 2, abs=0.02
    )  # between the axes not rounded


def test_each_result_has_a_record_with_what_the_page_measures(data: Path, tmp_path: Path):
    found = measured(data, tmp_path / "run.jsonl")
    recorded = records.read(tmp_path / "run.jsonl")
    told = [(one.method, one.picture) for one in recorded]
    assert told == [("bicubic", "001"), ("fake", "001"), ("bicubic", "002"), ("fake", "002")]
    one = recorded[1]
    assert (one.dataset, one.factor, one.size, one.seed) == ("Tiny", 2, (64, 48), 0)
    assert one.degradation["operator"] == "bicubic" and one.verification == "re-run"
    assert one.options["problem_scale"] == 2 and one.options["steps"] == 5
    assert {"consistency", "psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb"} <= set(one.metrics)
    assert one.numerics["torch"] == torch.__version__
    mean = sum(each.metrics["psnr_y"] for each in recorded if each.method == "fake") / 2
    assert values(found)["fake", "psnr_y"] == pytest.approx(mean)
    assert ("fake", "psnr_y ±") in values(found)


def test_what_is_recorded_is_not_computed_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "run.jsonl"
    first = measured(data, path)
    text = path.read_text()
    path.write_text("".join(text.splitlines(keepends=True)[:3]))  # stopped before the last
    runs: list[Any] = []
    run = Pipeline.run
    monkeypatch.setattr(Pipeline, "run", lambda self, *a, **k: (runs.append(a), run(self, *a, **k))[1])
    again = measured(data, path)
    assert len(runs) == 1 and len(records.read(path)) == 4
    assert capsys.readouterr().err.count("(recorded)") == 3
    without_time = [{k: v for k, v in values(f).items() if "seconds" not in k[1]} for f in (first, again)]
    assert without_time[0] == without_time[1]


def test_other_options_and_another_version_are_computed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "run.jsonl"
    measured(data, path, ["fake"])
    measured(data, path, ["fake"], steps="7")
    monkeypatch.setattr(pictures, "version", lambda: "9.9.9")
    measured(data, path, ["fake"])
    found = records.read(path)
    assert [one.variant for one in found] == ["", "", "steps=7", "steps=7", "", ""]
    assert [one.version for one in found[-2:]] == ["9.9.9", "9.9.9"]


def test_a_method_that_does_not_solve_the_problem_is_told_and_left_out(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(
        papers,
        "METHODS",
        (dataclasses.replace(FAKE, accepts=dataclasses.replace(FAKE.accepts, min_side=64)),),
    )
    found = values(measured(data))
    assert {model for model, _ in found} == {"bicubic"}
    assert "001 fake: does not run: " in capsys.readouterr().err


def test_a_run_that_the_deadline_ended_is_not_recorded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    settings = settings_of(["fake"], {}, ["Tiny"], 2, tmp_path / "run.jsonl")
    engine = Engine("cpu", load=lambda name: None, pace=0.0, deadline=0.0)
    assert list(rows(data, settings, Pipeline(engine))) == []
    assert not (tmp_path / "run.jsonl").exists()
    assert "Tiny x2 001 fake: cut short by the deadline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "texts", "said"),
    [
        (["none"], {}, "there is no method 'none'"),
        (["fake/large"], {}, "Fake has no model 'large'"),
        (None, {"colour": "1"}, "none of these methods has an option 'colour'"),
        (None, {"steps": "many"}, "Fake: "),
    ],
)
def test_what_is_not_known_is_refused_before_anything_runs(names: Any, texts: dict[str, str], said: str):
    with pytest.raises(BenchError, match=said):
        settings_of(names, texts, ["Tiny"], 2, None)


def test_a_missing_truth_and_a_damaged_file_of_records_are_refused(data: Path, tmp_path: Path):
    with pytest.raises(BenchError, match="has no pairs"):
        list(rows(tmp_path, settings_of(None, {}, ["Tiny"], 2, None), Pipeline(Engine("cpu"))))
    (tmp_path / "run.jsonl").write_text("{}\n")
    with pytest.raises(BenchError, match=r"run\.jsonl, line 1"):
        measured(data, tmp_path / "run.jsonl")
    (data / "Tiny" / "x2" / "002_HR.png").unlink()
    with pytest.raises(BenchError, match=r"002_HR\.png is missing"):
        measured(data)


@pytest.mark.parametrize(
    ("values", "variant"),
    [
        ({}, "srgan"),
        ({"model": "srresnet"}, "srresnet"),
        ({"model": "blend", "blend": 0.6, "precision": "exact"}, "blend blend=0.6 exact"),
        ({"seed": 5}, "srgan"),
    ],
)
def test_a_variant_names_the_model_and_what_differs(values: dict[str, Any], variant: str):
    assert variant_of(decode(SRGAN, values)) == variant


def test_srgan_stands_for_all_of_its_networks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(papers, "METHODS", (SRGAN,))
    cases = settings_of(None, {}, ["Set5"], 4, None).cases
    assert cases == ("bicubic", *(f"srgan/{model}" for model in LOSSES))
    assert settings_of(["srgan/srgan"], {}, ["Set5"], 4, None).cases == ("srgan/srgan",)
