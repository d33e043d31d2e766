"""PULSE's parts by hand: the sphere, GEOCROSS, the downscaling operator with its borders, schedules, the Gaussian."""

from __future__ import annotations

import math

import pytest
import torch

from gansr.ops import sphere
from tests.support.golden import Golden


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------- downscaling


@pytest.mark.parametrize("factor", [1, 2, 4, 8, 16, 32])
def test_downscaling_equals_the_authors_numbers(factor: int):
    golden = Golden("pulse_downscale")
    golden.check(f"taps_{factor}", sphere.taps(factor).float())
    golden.check(f"D_{factor}", sphere.shrink(golden.tensor("pulse/d/x"), factor))


def test_gradient_of_downscaling_equals_the_authors_numbers():
    golden = Golden("pulse_downscale")
    x = golden.tensor("pulse/d/x").requires_grad_()
    sphere.shrink(x, 16).square().sum().backward()
    assert x.grad is not None
    golden.check("grad_16", x.grad)


def test_factor_one_shifts_by_half_a_pixel_with_reflected_borders():
    x = torch.tensor([16.0, 32.0, 0.0, 48.0])
    # taps −1/16, 9/16, 9/16, −1/16 on x[k−1..k+2], reflected: 32 | 16 32 0 48 | 0 32
    expected = [(-32 + 9 * 16 + 9 * 32 - 0) / 16, (-16 + 9 * 32 + 0 - 48) / 16]
    expected += [(-32 + 0 + 9 * 48 - 0) / 16, (-0 + 9 * 48 + 0 - 32) / 16]
    assert (sphere.shrink_matrix(4, 1) @ x).tolist() == pytest.approx(expected)


def test_factor_two_by_hand_at_the_border():
    # the cubic at ±1¾, ±1¼, ±¾, ±¼; one side sums to 1, so both are halved
    h = [-0.0234375, -0.0703125, 0.2265625, 0.8671875, 0.8671875, 0.2265625, -0.0703125, -0.0234375]
    assert sphere.taps(2).tolist() == pytest.approx([t / 2 for t in h])
    first = sphere.shrink_matrix(8, 2)[0]  # padded by 3: taps fall on samples 3 2 1 | 0 1 2 3 4
    by_hand = [h[3], h[2] + h[4], h[1] + h[5], h[0] + h[6], h[7], 0, 0, 0]
    assert first.tolist() == pytest.approx([t / 2 for t in by_hand])


def test_downscaling_keeps_a_flat_picture_and_agrees_with_torch_inside():
    torch.testing.assert_close(sphere.shrink(torch.full((3, 64, 32), 0.3), 8), torch.full((3, 8, 4), 0.3))
    x = noise(1, 3, 128, 128)
    other = torch.nn.functional.interpolate(x, scale_factor=1 / 4, mode="bicubic", antialias=True)
    ours = sphere.shrink(x, 4)
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], other[..., 2:-2, 2:-2], rtol=0, atol=2e-6)


def test_an_axis_that_does_not_divide_or_is_too_small_is_refused():
    for n, factor in ((10, 4), (4, 4)):
        with pytest.raises(ValueError, match="cannot be downscaled"):
            sphere.shrink_matrix(n, factor)


# --------------------------------------------------------------------------------------------- losses


def test_geocross_of_two_perpendicular_rows():
    rows = torch.tensor([[[3.0, 0.0], [0.0, 3.0]]])  # the angle is π/2 for two of the four ordered pairs
    assert sphere.geocross(rows).item() == pytest.approx(512 * (math.pi / 2) ** 2 / 8 / 2, rel=1e-4)


def test_geocross_of_opposite_equal_and_single_rows():
    rows = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]], [[1.0, 2.0], [1.0, 2.0]]])
    opposite, equal = sphere.geocross(rows).tolist()
    assert opposite == pytest.approx(512 * math.pi**2 / 8 / 2, rel=1e-3)
    assert equal < 1e-6
    assert sphere.geocross(rows[:, :1]).tolist() == [0, 0]


def test_geocross_equals_the_authors_numbers():
    golden = Golden("pulse_losses")
    rows = golden.tensor("pulse/l/latent").requires_grad_()
    each = sphere.geocross(rows)
    golden.check("geocross.each", each)
    golden.check("geocross", each.sum())
    each.sum().backward()
    assert rows.grad is not None
    golden.check("geocross.grad", rows.grad)
    equal = rows.detach()[:1, :1].repeat(1, 18, 1).requires_grad_()
    sphere.geocross(equal).sum().backward()
    assert equal.grad is not None and torch.isfinite(equal.grad).all()


def test_picture_losses_equal_the_authors_numbers():
    golden = Golden("pulse_losses")
    reference, far = golden.tensor("pulse/l/ref"), golden.tensor("pulse/l/gen_lr")
    rows = golden.tensor("pulse/l/latent")
    near = reference + torch.tensor([0.02, 0.06]).view(2, 1, 1, 1) * golden.tensor("pulse/l/near")
    near.requires_grad_()
    for small, name in ((far, "far"), (near, "near")):
        terms = sphere.losses(small, reference, rows, 2e-3)
        golden.check(f"l2.{name}", terms["L2"].sum())
        golden.check(f"l1.{name}", terms["L1"].sum())
    sphere.losses(near, reference, rows, 2e-3)["L2"].sum().backward()
    assert near.grad is not None
    golden.check("l2.near.grad", near.grad)


@pytest.mark.parametrize("text", ["100*L2+0.05*GEOCROSS", "10*L1+0.1*GEOCROSS", "100*L2+1*L1"])
def test_weighted_sums_equal_the_authors_numbers(text: str):
    golden = Golden("pulse_losses")
    rows, reference = golden.tensor("pulse/l/latent")[:1], golden.tensor("pulse/l/ref")[:1]
    terms = sphere.losses(sphere.shrink(golden.tensor("pulse/l/hr"), 32), reference, rows, 2e-3)
    total = torch.stack([w * terms[t].sum() for t, w in sphere.parse_loss(text).items()]).sum()
    golden.check(f"total.{text}", total)


def test_loss_texts_are_parsed_or_refused_with_an_example():
    assert sphere.parse_loss(" 100 * L2 + .5*GEOCROSS+1*L2") == {"L2": 101, "GEOCROSS": 0.5}
    for text in ("", "L2", "1*L3", "100*L2-1*L1", "1e3*L2", "1*L2+", "__import__('os')*L2", "nan*L2"):
        with pytest.raises(ValueError, match="write it like"):
            sphere.parse_loss(text)


# --------------------------------------------------------------------------------------------- sphere


def test_projection_keeps_each_row_on_its_own_sphere():
    x = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]])
    radii = sphere.radius(x)
    assert radii.flatten().tolist() == pytest.approx([5, 2])
    moved = torch.tensor([[[30.0, 40.0], [1.0, 0.0]]])
    sphere.project_(moved, radii)
    assert moved.flatten().tolist() == pytest.approx([3, 4, 2, 0])


def test_projection_of_a_map_uses_the_whole_map():
    maps = noise(2, 1, 4, 4)
    assert sphere.radius(maps).flatten().tolist() == pytest.approx(maps.flatten(1).norm(dim=1).tolist())


def test_schedules_by_hand_at_their_corners():
    assert [sphere.rate("linear1cycledrop", j, 100) for j in (0, 45, 90)] == pytest.approx([0.1, 1.0, 0.1])
    assert 0.4 * sphere.rate("linear1cycledrop", 99, 100) == pytest.approx(0.00436)
    assert sphere.rate("linear1cycle", 0, 20) == pytest.approx(0.1)
    assert sphere.rate("linear1cycle", 10, 20) == pytest.approx(1)
    assert sphere.rate("fixed", 7, 20) == 1


@pytest.mark.parametrize("steps", [20, 37, 100])
def test_schedules_equal_the_authors_numbers(steps: int):
    golden = Golden("pulse_optimizer")
    for name in ("linear1cycle", "linear1cycledrop"):
        golden.check(f"lr.{name}.{steps}", torch.tensor([sphere.rate(name, j, steps) for j in range(steps)]))


@pytest.mark.parametrize("name", ["adam", "sgd", "sgdm", "adamax"])
def test_projected_optimisers_equal_the_authors_numbers(name: str):
    golden = Golden("pulse_optimizer")
    v, n, tv, tn = (golden.tensor(f"pulse/o/{k}") for k in ("v", "n", "tv", "tn"))
    v.requires_grad_()
    n.requires_grad_()
    rates = [sphere.rate("linear1cycledrop", j, 20) for j in range(20)]
    optimiser, seen = sphere.SphericalOptimiser([v, n], name, 0.4, rates), []
    for j in range(20):
        loss = (v - tv).square().mean() + (n - tn).square().mean()
        seen.append(loss.detach())
        loss.backward()
        optimiser.step(j)
        if j + 1 in (1, 5, 20):
            golden.check(f"{name}.v_after{j + 1}", v)
            golden.check(f"{name}.n_after{j + 1}", n)
    golden.check(f"{name}.loss", torch.stack(seen))


# ------------------------------------------------------------------------------------------- Gaussian


def test_rows_from_the_sphere_equal_the_authors_numbers():
    golden = Golden("pulse_mapping")
    v, mean, std = (golden.tensor(f"pulse/{k}") for k in ("m/v", "fit/mean", "fit/std"))
    golden.check("latent_in", sphere.to_rows(v, mean, std))


def test_the_activation_is_undone_with_its_gain():
    x = noise(5, 7)
    w = sphere.to_rows(x, torch.zeros(7), torch.ones(7), gain=2**0.5)
    torch.testing.assert_close(sphere.before_activation(w, 2**0.5), x)


def test_the_fit_finds_a_known_gaussian_and_is_the_same_each_time():
    mean, std = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.1])
    fit = sphere.gaussian_fit(lambda z: sphere.to_rows(z, mean, std, 3.0), 2, torch.device("cpu"), 3.0)
    torch.testing.assert_close(fit[0], mean, rtol=0, atol=4 * 2 / 256)  # four standard errors of 65,536 draws
    torch.testing.assert_close(fit[1], std, rtol=0.012, atol=0)
    again = sphere.gaussian_fit(lambda z: sphere.to_rows(z, mean, std, 3.0), 2, torch.device("cpu"), 3.0)
    assert torch.equal(fit[0], again[0]) and torch.equal(fit[1], again[1])


def test_the_mean_row_is_that_of_many_draws():
    g = torch.Generator().manual_seed(0)
    mean, std = torch.linspace(-2, 2, 5), torch.linspace(0.5, 1.5, 5)
    draws = sphere.to_rows(torch.randn(200_000, 1, 5, generator=g), mean, std, 1.4)[:, 0]
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - sphere.mean_row(mean, std, 1.4)).abs() < 5 * error).all()
