"""Training of our GLEAN on a GPU: what is on which device, and random inputs made for a whole batch at once."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gansr.nets.mobilestylegan import FFHQ_CHANNELS, MobileStyleGAN
from gansr.papers.glean import batched, config
from gansr.papers.glean.batched import Degrader, Jpeg
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.report import downscaled, psnr
from gansr.papers.glean.synthetic import drawn, face, rows_of, synthesise
from gansr.picture import jpeg_round_trip
from tests.conftest import ROOT

CPU = torch.device("cpu")


def picture(side: int = 128, seed: int = 0) -> torch.Tensor:
    """A smooth picture (3,side,side) with edges in it."""
    g = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 12, 12, generator=g)
    x = torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic", align_corners=False)[0]
    x[:, side // 3 : side // 2, side // 4 :] *= 0.4
    return x.clamp(0, 1)


def test_a_training_moves_what_it_needs_and_learns_the_same():
    """In a process of its own, which has a device that refuses tensors of the CPU until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fake_training"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found["device"], found["cpu"], rtol=1e-3)
    assert len(found["robust"]) == 2 and all(map(math.isfinite, found["robust"] + found["evaluation"]))
    assert found["exported"] > 0 and found["faces"] <= 1


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_jpeg_in_arithmetic_is_near_a_real_files(quality):
    x = (picture(64) * 255).round() / 255
    ours = Jpeg(CPU)(x[None], torch.full((1, 1, 1, 1), float(quality)))[0]
    theirs = jpeg_round_trip(x, quality)
    assert psnr(ours, theirs) > psnr(x, theirs) + 3
    assert psnr(ours, theirs) > 38
    assert torch.equal(ours, (ours * 255).round() / 255)


def test_jpeg_has_a_quality_for_each_picture_and_any_size():
    x = picture(24)[:, :21].expand(2, -1, -1, -1)
    found = Jpeg(CPU)(x, torch.tensor([20.0, 95.0]).view(2, 1, 1, 1))
    assert found.shape == (2, 3, 21, 24)
    assert psnr(found[0], x[0]) + 3 < psnr(found[1], x[1])


def test_no_share_is_bicubic_and_a_share_of_one_is_not():
    truths = torch.stack([picture(seed=i) for i in range(8)])
    degrader = Degrader(16, 8, CPU)
    clean = torch.stack([downscaled(t, 8) for t in truths])
    found = degrader(truths, 0.0, torch.Generator().manual_seed(0))
    assert psnr(found, clean) > 45  # rounded and clipped once, not between the axes
    found = degrader(truths, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(found, degrader(truths, 1.0, torch.Generator().manual_seed(0)))
    apart = (found - clean).abs().amax((1, 2, 3))
    assert (apart > 2 / 255).sum() >= 6
    assert torch.equal(found, (found * 255).round() / 255)


def test_the_blur_shifts_nothing_and_has_the_width_that_was_drawn():
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 128, 128)
    u = torch.zeros(1, 10, 1, 1, 1)
    u[:, 1:5] = torch.tensor([1.0, 1.0, 0.9, 0.0]).view(1, 4, 1, 1, 1)
    degrader = Degrader(16, 8, CPU)
    found = degrader.blurred(ramp, u)[0, 0, 8]
    expected = ramp.unflatten(-1, (16, 8)).mean(-1)[0, 0, 8]
    torch.testing.assert_close(found[6:10], expected[6:10], atol=1e-4, rtol=0)
    edge = (torch.arange(128) >= 64).float().expand(1, 3, 128, 128)
    wide, narrow = degrader.blurred(edge, u), degrader.blurred(edge, torch.zeros_like(u))
    assert wide[0, 0, 8, 8] < narrow[0, 0, 8, 8]
    assert wide[0, 0, 8, 8] == pytest.approx(0.5 + 0.5 * math.erf(4 / (9.6 * 2**0.5)), abs=0.02)


def test_the_chances_are_those_of_the_inputs_that_are_made_one_by_one():
    assert batched.NOISE == 15 and batched.QUALITY == (30, 95) and batched.WIDTHS == (0.35, 1.2)


def test_faces_in_a_gpus_memory_are_those_of_the_disk():
    torch.manual_seed(3)
    bank = MobileStyleGAN((16, 16, 16, 16, 8), style=12, mapping_layers=2).requires_grad_(False).eval()

    def draw(rows: torch.Tensor) -> torch.Tensor:
        return bank.synthesis(rows)

    found = drawn(bank, count=7, seed=5, side=64, cut=True, device=CPU, dtype=torch.float32, batch=3)
    expected = torch.stack(list(synthesise(bank, 5, range(7), 64, True, draw)))
    assert found.shape == (7, 64, 64, 3) and (found.int() - expected.int()).abs().max() <= 1


def test_the_rows_of_several_faces_are_each_its_own():
    bank = MobileStyleGAN((16, 16, 8), style=12, mapping_layers=1)
    faces, mean = [face(1, i, 12) for i in range(5)], torch.zeros(12)
    together = rows_of(bank, faces, mean)
    for i, f in enumerate(faces):
        torch.testing.assert_close(together[i], rows_of(bank, [f], mean)[0])


def test_the_model_of_512_px_fits_the_bank_and_its_file_is_small():
    made = config.read_config(Path(config.__file__).parent / "glean-face-512.json")
    net = GleanOwn(**made.net)
    assert (net.side, net.factor, made.side) == (64, 8, 512)
    assert tuple(made.net["bank"]) == FFHQ_CHANNELS and net.rows == 22
    assert 2 * sum(value.numel() for value in net.state_dict().values()) < 28e6
    used = {stage.alex for stage in made.stages}
    assert used == {0.0}, "LPIPS-Alex is what it is judged by"
