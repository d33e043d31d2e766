"""DIP's bench: its rows."""

from __future__ import annotations

import pytest
import torch

from gansr.bench import BenchError
from gansr.papers.dip import bench
from gansr.picture import to_png


def test_there_is_a_row_for_each_case(tmp_path):
    folder = tmp_path / "Set5" / "x4"
    folder.mkdir(parents=True)
    for name in bench.NAMES:
        picture = torch.rand(3, 70, 66, generator=torch.Generator().manual_seed(int(name)))
        (folder / f"{name}_HR.png").write_bytes(to_png(picture))
    rows = list(bench.run(tmp_path, 64, {"steps": 2, "width": 16}))
    assert [(row.case, row.model, row.metric) for row in rows] == [
        (case, model, metric)
        for name in bench.NAMES
        for case, baselines in (
            (f"x4 {name}", ("bicubic", "bicubic, corrected")),
            (f"denoise {name}", ("noisy", "mean of 3×3 px")),
            *([(f"inpaint {name}", ("smooth filling",))] if name == bench.NAMES[0] else []),
        )
        for model, metric in (
            *((each, "psnr_y") for each in baselines),
            ("dip", "psnr_y"),
            ("dip", "processor_seconds"),
        )
    ]


def test_without_pictures_the_bench_says_what_is_missing(tmp_path):
    with pytest.raises(BenchError, match="give --data"):
        list(bench.run(None))
    with pytest.raises(BenchError, match=r"001_HR\.png is missing"):
        list(bench.run(tmp_path))
