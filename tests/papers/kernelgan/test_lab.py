"""The kernel lab: a known kernel and picture beside what is recovered."""

from __future__ import annotations

import pytest
import torch

from gansr.method import Heat, InputError, Nets
from gansr.options import parse_options
from gansr.papers.kernelgan import KERNELGAN, Options, run, scale
from gansr.papers.kernelgan.lab import fit, reads
from gansr.papers.kernelgan.views import bicubic
from tests.papers.kernelgan.pictures import SHORT, frames, textured

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_lab_gives_the_pictures_own_size_and_compares():
    truth = textured(173, 170)
    options = parse_options(Options, {**SHORT, "lab": "gaussian", "width": 1.6, "other_width": 1.0})
    assert scale(KERNELGAN, options) == 1
    *_, last = run(truth, options, Nets(), torch.Generator().manual_seed(0))
    assert last.image.shape == truth.shape and last.step == last.steps == 90
    results = {"bicubic", "ZSSR, bicubic kernel", "ZSSR, true kernel", "ZSSR, estimated kernel"}
    assert set(last.answers) == results
    assert all(result.shape == truth.shape for result in last.answers.values())
    assert {f"PSNR-Y, {name} (dB)" for name in results} | {"kernel PSNR (dB)"} <= set(last.readings)
    true, estimated = last.views["True kernel"], last.views["Estimated kernel"]
    assert isinstance(true, Heat) and isinstance(estimated, Heat)
    assert (true.min, true.max) == (estimated.min, estimated.max)


def test_the_lab_says_how_large_a_picture_it_needs():
    with pytest.raises(InputError, match="at least 96 px"):
        frames(textured(95, 200), lab="random blur")


def test_the_labs_kernel_only_runs_no_zssr():
    last = frames(textured(170, 170), lab="random blur", mode="kernel only")[-1]
    assert last.steps == 60 and set(last.answers) == {"bicubic"}


@pytest.mark.parametrize("lab", ["random blur", "gaussian"])
def test_what_the_lab_reads_is_the_small_picture_that_its_run_makes(lab):
    truth = textured(171, 170)
    last = frames(truth, lab=lab, mode="kernel only")[-1]
    title, small = reads(parse_options(Options, {"lab": lab}), truth, 0)
    assert title == "Bicubic" and small.shape == (3, 85, 85)
    enlarged = fit(bicubic(small, 2), truth)
    torch.testing.assert_close(enlarged, last.answers["bicubic"])
    assert reads(Options(), truth, 0)[1] is truth
