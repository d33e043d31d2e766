"""MATLAB's imresize: against BasicSR's and KernelGAN's own numbers, and real low-resolution pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.ops.resize import imresize, resize_antialias_torch, taps
from tests.support.golden import Golden, array


def _read(path) -> torch.Tensor:
    with Image.open(path) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float() / 255


def _chw(golden: Golden, name: str) -> torch.Tensor:
    return golden.tensor(name).permute(2, 0, 1).double() / 255


@pytest.mark.parametrize(("key", "factor"), [("0.25", 0.25), ("0.5", 0.5), ("2", 2), ("0.3333", 1 / 3)])
def test_imresize_is_basicsr_s_with_mirrored_borders(key, factor):
    golden = Golden("metrics_basicsr")
    picture = _chw(golden, "a")[:, :96, :120]
    golden.check(f"imresize_{key}", imresize(picture, factor).permute(1, 2, 0))
    single = imresize(picture.float(), factor).double()
    assert (single - imresize(picture, factor)).abs().max() < 2e-6


@pytest.mark.parametrize(
    ("key", "kernel"),
    [
        *((f"cubic_{s}", "cubic") for s in ("0.5", "2", "0.25", "1.5")),
        *((f"{k}_{s}", k) for k in ("lanczos2", "lanczos3", "linear") for s in ("0.5", "2")),
        ("box_0.5", "box"),
    ],
)
def test_paper_variant_is_kernelgan_s(key, kernel):
    golden = Golden("kernelgan_imresize")
    got = imresize(_chw(golden, "im"), float(key.split("_")[1]), kernel=kernel, paper=True)
    golden.check(key, got.permute(1, 2, 0))


def test_paper_variant_takes_a_factor_an_axis_and_a_given_size():
    golden = Golden("kernelgan_imresize")
    picture = _chw(golden, "im")
    both = imresize(picture, (20, 42), scale=(0.5, 1.25), paper=True)
    golden.check("cubic_0.5x1.25", both.permute(1, 2, 0))
    back = imresize(imresize(picture, 0.5, paper=True), (40, 33), scale=2, paper=True)
    golden.check("cubic_up_shape", back.permute(1, 2, 0))


@pytest.mark.parametrize(("scale", "names"), [(2, ("Set5/x2/001", "Set14/x2/003")), (4, ("Set5/x4/004",))])
def test_rounded_imresize_makes_the_benchmarks_low_resolution_pictures(shared, scale, names):
    for name in names:
        high, low = (_read(shared / "data" / f"{name}_{part}.png") for part in ("HR", "LR"))
        made = imresize(high, 1 / scale, rounded=True)
        assert made.shape == low.shape
        # those HR pictures were cut after the shrinking, so the rim saw other pixels
        assert torch.equal((made * 255).round()[:, 3:-3, 3:-3], (low * 255).round()[:, 3:-3, 3:-3])


def test_half_size_has_the_known_taps():
    _, weight = taps(64, 32, 0.5)
    half = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]
    np.testing.assert_array_equal(weight[8][weight[8] != 0], half + half[::-1])


@pytest.mark.parametrize("size", [(7, 300), (300, 7), (33, 1), (512, 65), (129, 1027)])
@pytest.mark.parametrize("kernel", ["cubic", "lanczos3", "box", "nearest"])
def test_blocks_give_the_plain_sum_over_taps(size, kernel):
    picture = torch.from_numpy(array("resize/blocks", (2, 129, 257))).double()
    got = imresize(picture, size, kernel=kernel)
    for axis, n in enumerate((129, 257)):
        scale = size[axis] / n
        index, weight = taps(n, size[axis], scale, kernel, scale < 1 and kernel != "nearest")
        moved = picture.movedim(axis + 1, -1)[..., torch.from_numpy(index)]
        picture = (moved * torch.from_numpy(weight)).sum(-1).movedim(-1, axis + 1)
    torch.testing.assert_close(got, picture, rtol=0, atol=1e-12)


def test_a_constant_stays_constant_and_every_batch_shape_is_taken():
    for shape in ((9, 13), (3, 9, 13), (2, 5, 3, 200, 131)):
        out = imresize(torch.full(shape, 0.3), 0.37)
        assert out.shape[:-2] == shape[:-2]
        torch.testing.assert_close(out, torch.full_like(out, 0.3))


def test_box_is_the_area_mean_and_nearest_picks_samples():
    picture = torch.from_numpy(array("resize/box", (3, 40, 60)))
    means = torch.nn.functional.avg_pool2d(picture[None], 4)[0]
    torch.testing.assert_close(imresize(picture, 0.25, kernel="box"), means)
    assert torch.equal(imresize(picture, 0.25, kernel="nearest"), picture[:, 2::4, 2::4])
    assert torch.equal(imresize(picture, 3, kernel="nearest")[:, 1::3, 1::3], picture)


def test_rounding_goes_half_up_between_the_axes_and_saturates():
    stripes = torch.tensor([[0.0, 1.0], [1.0, 1.0]]).repeat(20, 20).repeat_interleave(8, 1)
    out = imresize(stripes, 0.5, rounded=True) * 255
    torch.testing.assert_close(out, out.round(), rtol=0, atol=1e-4)
    assert out.min() >= 0 and out.max() <= 255
    rows = torch.tensor([0.0, 1.0]).repeat(10)[:, None].expand(20, 20) / 255
    assert torch.equal(imresize(rows, 0.5, kernel="box", rounded=True) * 255, torch.ones(10, 10))


def test_gradients_flow_and_are_the_transpose():
    picture = torch.from_numpy(array("resize/grad", (3, 150, 140))).double().requires_grad_()
    with torch.inference_mode():
        imresize(torch.zeros(3, 150, 140, dtype=torch.float64), 0.25)  # fills the cache
    out = imresize(picture, 0.25)
    probe = torch.from_numpy(array("resize/probe", tuple(out.shape))).double()
    (gradient,) = torch.autograd.grad((out * probe).sum(), picture)
    direction = torch.from_numpy(array("resize/direction", (3, 150, 140))).double()
    torch.testing.assert_close((gradient * direction).sum(), (imresize(direction, 0.25) * probe).sum())


def test_torch_s_antialias_agrees_inside_only():
    picture = torch.from_numpy(array("resize/torch", (3, 64, 96)))
    ours, theirs = imresize(picture, 0.25), resize_antialias_torch(picture, (16, 24))
    torch.testing.assert_close(ours[:, 3:-3, 3:-3], theirs[:, 3:-3, 3:-3], rtol=0, atol=1e-5)
    assert (ours - theirs).abs().max() > 1e-3


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match="cannot resize"):
        imresize(torch.zeros(3, 8, 8), (0, 4))
