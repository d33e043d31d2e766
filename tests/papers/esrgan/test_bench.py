"""The bench of ESRGAN on a tiny network."""

from __future__ import annotations

import torch

from gansr.papers.esrgan import bench
from gansr.papers.esrgan.network import RRDBNet


def test_the_rows_are_speed_tiles_and_bfloat16():
    torch.manual_seed(3)
    net = RRDBNet(8, 4, 2).eval().requires_grad_(False)
    found = {(row.case, row.model, row.metric): row.value for row in bench.run(None, lambda name: net, 80, 1)}
    for name in bench.WEIGHTS:
        plain, own = (found["speed 80x80", model, "seconds"] for model in (f"{name}, plain", name))
        assert plain > 0 and found["speed 80x80", name, "ratio"] == plain / own
    ours, theirs = (
        found["tiles of 64 px", f"margin {m}", "psnr_to_untiled"]
        for m in (bench.MARGIN, bench.AUTHORS_MARGIN)
    )
    assert ours >= theirs, "the wider margin is nearer"
    assert found["bfloat16", bench.WEIGHTS[0], "psnr_to_float32"] > 30
