"""ESRGAN as a method: tiles, frames, any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr import weights
from gansr.method import Nets
from gansr.metrics.psnr import psnr_y
from gansr.ops.resize import imresize
from gansr.options import parse_options
from gansr.papers.esrgan import ESRGAN, MARGIN, NETS, Options
from gansr.papers.esrgan.network import RRDBNet, operations
from gansr.picture import open_picture
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def nets() -> Nets:
    torch.manual_seed(2)
    return Nets({"net": RRDBNet(16, 8, 1).eval().requires_grad_(False)})


def noise(height: int, width: int) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(4))


def frames(low: Tensor, nets: Nets, **options: object) -> list:
    return list(ESRGAN.run(low, parse_options(ESRGAN.options, options), nets, torch.Generator()))


@pytest.mark.parametrize("height, width", [(1, 1), (2, 33), (40, 24)])
def test_one_tile_is_the_network(nets, height, width):
    low = noise(height, width)
    (frame,) = frames(low, nets)
    assert (frame.image - nets["net"](low[None])[0].clamp(0, 1)).abs().max() <= 1e-6


def test_tiles_of_a_network_that_sees_less_than_the_margin_are_the_whole(nets):
    """One block sees 18 pixels far."""
    low = noise(100, 70)
    tiled, whole = (frames(low, nets, tile=tile)[-1].image for tile in (64, 128))
    assert (tiled - whole).abs().max() <= 1e-6


def test_tiles_to_come_show_the_bicubic_picture(nets):
    low = noise(100, 70)
    made = frames(low, nets, tile=64)
    assert [(frame.step, frame.steps) for frame in made] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    bicubic = imresize(low, 4).clamp(0, 1)
    assert torch.equal(made[0].image[:, 200:], bicubic[:, 200:])
    assert torch.equal(made[0].image[:, :200, :140], made[-1].image[:, :200, :140])
    assert not torch.equal(made[-1].image[:, 200:], bicubic[:, 200:])


def test_there_is_a_step_for_each_block():
    torch.manual_seed(2)
    deep = Nets({"net": RRDBNet(8, 4, 3).eval().requires_grad_(False)})
    made = frames(noise(8, 100), deep, tile=64)
    assert [frame.step for frame in made] == [1, 2, 3, 4, 5, 6]
    assert torch.equal(made[0].image, made[1].image) and not torch.equal(made[1].image, made[2].image)


def test_the_cost_is_of_the_tiles_with_their_margins():
    alone = ESRGAN.cost(100, 60, Options())
    assert alone.operations == operations() * 6000
    assert ESRGAN.cost(128, 64, Options(tile=64)).operations == operations() * 2 * 64 * (64 + MARGIN)
    assert (
        ESRGAN.cost(100, 60, Options(weights="realesrgan-x4plus-anime")).operations
        == operations(blocks=6) * 6000
    )


def test_less_memory_means_half_the_tile_until_it_cannot_be_smaller():
    sizes, options = [], Options()
    while options is not None:
        sizes.append(options.tile)
        assert parse_options(ESRGAN.options, vars(options)) == options
        options = ESRGAN.smaller(options)  # type: ignore[misc]
    assert sizes == [512, 256, 128, 64]
    assert ESRGAN.smaller(Options(tile=192)) == Options(tile=64)  # type: ignore[misc]


def test_every_choice_of_weights_is_in_the_manifest_with_its_blocks():
    for name, blocks in NETS.items():
        assert weights.entries()[name].config == {"blocks": blocks}


@pytest.mark.parametrize("name", ["realesrgan-x4plus", "realesrgan-x4plus-anime"])
def test_the_published_weights_enlarge_a_drawing_better_than_repeated_pixels(weights_of, name):
    truth = open_picture((ROOT / "assets/examples/drawing.png").read_bytes()).rgb[:, :160, :160]
    low = imresize(truth, 0.25).clamp(0, 1)
    image = frames(low, Nets({"net": weights_of(name)}), weights=name)[-1].image
    plain = low.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert float(psnr_y(image, truth)) > float(psnr_y(plain, truth))
