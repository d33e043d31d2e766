"""DIP's bench: its rows."""

from __future__ import annotations

import pytest
import torch

from gansr.bench import BenchError
from gansr.papers.dip import bench
from gansr.picture import to_png


def test_there_is_a_row_for_each_case_and_picture(tmp_path):
    for name in ("Set5", "Set14"):
        folder = tmp_path / name / "x4"
        folder.mkdir(parents=True)
        picture = torch.rand(3, 70, 66, generator=torch.Generator().manual_seed(len(name)))
        (folder / "001_HR.png").write_bytes(to_png(picture))
    rows = list(bench.run(tmp_path, 64, {"steps": 2, "width": 16}))
    cases = {
        "x4": ("bicubic", "bicubic, corrected"),
        "denoise": ("noisy", "mean of 3×3 px"),
        **dict.fromkeys(bench.HOLES, ("smooth filling",)),
    }
    measured = [(row.case, row.model, row.metric) for row in rows]
    assert measured == [
        *(
            (f"{case}, {name}", model, metric)
            for name in ("Set5 001", "Set14 001")
            for case, others in cases.items()
            for model, metric in (
                *((each, "psnr_y") for each in (*others, "dip")), ("dip", "processor_seconds")
            )
        ),
        *(
            row
            for case, others in cases.items()
            for row in (
                *((f"{case}, mean", each, "psnr_y") for each in (*others, "dip")),
                (f"{case}, all", "dip", "pictures_better"),
            )
        ),
    ]  # fmt: skip
    values = dict(zip(measured, (row.value for row in rows)))
    both = [values[f"dots, {name}", "dip", "psnr_y"] for name in ("Set5 001", "Set14 001")]
    assert values["dots, mean", "dip", "psnr_y"] == pytest.approx(sum(both) / 2)
    assert values["dots, all", "dip", "pictures_better"] in (0, 1, 2)


def test_without_pictures_the_bench_says_what_is_missing(tmp_path):
    with pytest.raises(BenchError, match="give --data"):
        list(bench.run(None))
    with pytest.raises(BenchError, match=r"has no Set5/x4/001_HR\.png"):
        list(bench.run(tmp_path))
