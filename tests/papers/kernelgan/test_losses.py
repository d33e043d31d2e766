"""KernelGAN's losses and schedule against the authors' numbers and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gansr.ops.resize import imresize
from gansr.papers.kernelgan import bench_plain as P
from gansr.papers.kernelgan.losses import bicubic_target, centre_crop, constraints, penalty_mask
from gansr.papers.kernelgan.options import Options, kernel_weights
from gansr.papers.kernelgan.schedule import Schedule, Weights
from gansr.papers.kernelgan.trainer import Trainer
from tests.papers.kernelgan.pictures import noise_picture
from tests.support.golden import Golden

pytestmark = pytest.mark.usefixtures("one_thread")


TERMS = {
    "sum2one": ("sum_to_one", P.sum_loss),
    "boundaries": ("boundaries", P.boundary_loss),
    "centralized": ("centralised", P.centre_loss),
    "sparse": ("sparse", P.sparse_loss),
}
OFF: dict[str, Any] = {"sum_to_one": 0.0, "boundaries": 0.0, "centralised": 0.0, "sparse": 0.0}


@pytest.mark.parametrize("name", ["gauss", "noise"])
@pytest.mark.parametrize("term", TERMS)
def test_loss_terms_and_gradients_are_the_authors(name, term):
    golden = Golden("kernelgan_losses")
    weight, plain = TERMS[term]
    k = golden.tensor(name).requires_grad_()
    loss = plain(k)
    loss.backward()
    value, grad = constraints(k.detach(), penalty_mask(), Schedule(**{**OFF, weight: 1.0}))
    assert k.grad is not None
    for mine, slope in ((loss, k.grad), (value, grad)):
        golden.check(f"{name}.{term}", mine)
        golden.check(f"{name}.{term}.grad", slope)


def test_loss_terms_of_two_pixels_by_hand():
    k = torch.zeros(13, 13)
    k[0, 6] = k[6, 6] = 1.0
    mask = penalty_mask()
    edge = 30 * (1 - np.exp(-36 / (2 * 169)))
    by_hand = {
        "sum_to_one": 1,
        "centralised": (3.5**2 + 0.5**2) / 2,  # mass at (3, 6), wanted (6.5, 6.5)
        "sparse": 2 / 169,
        "boundaries": edge / 169,
    }
    for weight, wanted in by_hand.items():
        value, _ = constraints(k, mask, Schedule(**{**OFF, weight: 1.0}))
        assert float(value) == pytest.approx(wanted, rel=1e-5), weight
    together, _ = constraints(k, mask, Schedule(sum_to_one=2.0, boundaries=2.0, centralised=2.0, sparse=2.0))
    assert float(together) == pytest.approx(2 * sum(by_hand.values()), rel=1e-5)


def test_penalty_mask_is_the_authors():
    golden = Golden("kernelgan_losses")
    golden.check("penalty_mask", penalty_mask())
    assert not penalty_mask()[2:11, 2:11].any()


def test_bicubic_and_gan_losses_are_the_authors():
    golden = Golden("kernelgan_losses")
    down = bicubic_target(golden.tensor("kg/loss/g_in")[0], paper=True)
    out = golden.tensor("kg/loss/g_out")[0]
    golden.check("bicubic.downscaled", down[None])
    golden.check("bicubic.shaved", centre_crop(down)[None])
    golden.check("bicubic", (out - centre_crop(down)).square().mean())
    scores = golden.tensor("kg/loss/dmap")
    golden.check("gan.real", P.gan_loss(scores, True))
    golden.check("gan.fake", P.gan_loss(scores, False))


def test_our_bicubic_aim_is_matlabs_per_channel_and_theirs_is_grey_and_three_times_too_bright():
    x = noise_picture(40, 48)
    ours, theirs = bicubic_target(x), bicubic_target(x, paper=True)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(ours[inner], imresize(x, 0.5)[inner], atol=1e-6, rtol=0)
    torch.testing.assert_close(theirs[0], theirs[2])
    assert float(theirs.mean() / ours.mean()) == pytest.approx(3, rel=1e-4)


def test_the_schedule_is_the_authors():
    golden = Golden("kernelgan_losses")
    schedule = Schedule()
    early = dict(enumerate([0.39, 0.38, 0.5, 0.3, 0.3, 0.3], start=150))
    rows = []
    for i in range(3000):
        schedule.update(i, 1.0 if i < 150 else early.get(i, 0.3))
        row = (schedule.rate, schedule.bicubic, schedule.centralised, schedule.sparse, schedule.is_similar)
        if not rows or rows[-1][1:] != row:
            rows.append((i, *row))
    keys = ("iteration", "lr", "lambda_bicubic", "lambda_centralized", "lambda_sparse", "similar_flag")
    for key, column in zip(keys, zip(*rows)):
        golden.check(f"schedule.{key}", np.asarray(column, dtype=np.float64))


@pytest.mark.parametrize("paper", [True, False])
def test_a_shorter_schedule_has_the_same_order_and_ours_keeps_its_rate_longer(paper):
    schedule = Schedule(600, paper=paper)
    seen = []
    for i in range(600):
        schedule.update(i, 0.01)
        seen.append((schedule.bicubic, schedule.sparse, schedule.rate))
    assert [seen[i][0] for i in (39, 40, 80, 120)] == pytest.approx([5, 0.05, 5e-4, 5e-6])
    assert seen[79][1] == 0 and seen[80][1] == 5
    falls = [i for i in range(1, 600) if seen[i][2] < seen[i - 1][2]]
    assert falls == ([150, 300, 450] if paper else [480])


@pytest.mark.parametrize(("paper", "weight"), [(True, 5.0), (False, 45.0)])
def test_a_generator_that_does_not_follow_is_pulled_harder_by_ours_only(paper, weight):
    schedule = Schedule(600, paper=paper)
    for i in range(120):
        assert schedule.bicubic == (5 if i <= 40 else weight)
        schedule.update(i, 0.9)
    for i in range(121, 201):
        schedule.update(i, 0.01)
    assert schedule.bicubic == pytest.approx(weight / 1e4) and schedule.sparse == 5


def test_the_users_weights_are_those_of_the_constraints():
    weights = Weights(sum_to_one=0.1, boundaries=0.2, centralised=0.3, sparse=0.4)
    trainer = Trainer(noise_picture(64, 64), torch.Generator().manual_seed(0), 15, weights=weights)
    schedule = trainer.schedule
    assert (schedule.sum_to_one, schedule.boundaries) == (0.1, 0.2)
    assert (schedule.centralised, schedule.sparse) == (0.0, 0.0), "they come later"
    for step in range(12):
        schedule.update(step, bicubic_loss=0.0)
    assert (schedule.centralised, schedule.sparse) == (0.3, 0.4)
    options = Options(sum_weight=0.1, boundary_weight=0.2, centre_weight=0.3, sparse_weight=0.4)
    assert kernel_weights(options) == weights
    assert kernel_weights(Options()) == Weights(), "the paper's"
