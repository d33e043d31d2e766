"""What each job reads of its input."""

from __future__ import annotations

import torch

from gansr.ops.colour import luma
from gansr.papers.mganprior import Options
from gansr.papers.mganprior.options import JOBS
from gansr.papers.mganprior.tasks import reads

HALF = (torch.arange(256) < 128).float().expand(1, 256, 256)  # a mask: the left half is the hole


def test_what_a_job_reads_is_what_its_result_is_compared_with():
    picture = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(1))
    read = {job: reads(Options(job=job, mask=HALF if job == "inpaint" else None), picture, 0) for job in JOBS}
    assert [title for title, _ in read.values()] == [
        "Bicubic", "Grey", "With the hole", "Noisy", "Input", "Input", "Input",
    ]  # fmt: skip
    assert torch.equal(read["colour"][1], luma(picture).expand(3, -1, -1))
    hole = HALF.bool().expand(3, -1, -1)
    assert torch.equal(read["inpaint"][1][~hole], picture[~hole])
    assert set(read["inpaint"][1][hole].tolist()) == {0.5}
    assert all(read[job][1] is picture for job in ("sr", "denoise", "invert", "edit"))
