"""MobileStyleGAN exactly as its graph is written: modulation, noise and bias as separate passes, the wavelets as
transposed convolutions, float32. The reference for the speed of gansr.nets.mobilestylegan; tests compare the numbers.
"""

from __future__ import annotations

from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor

from gansr.nets.mobilestylegan import SLOPE, MobileStyleGAN


def synthesis(net: MobileStyleGAN, rows: Tensor) -> Tensor:
    """Style rows (B, style_rows, style) → pictures (B,3,side,side), as net.synthesis."""
    return rest(net, first(net, rows, 0), rows, 0)


def first(net: MobileStyleGAN, rows: Tensor, upto: int) -> Tensor:
    """Style rows → the features after `upto` blocks, as net.first."""
    dense = net.body.dense
    x = F.conv2d(dense.constant * _scale(net, rows, 0), dense.weight, padding=1)
    x = F.leaky_relu(x + dense.noise + dense.bias[:, None, None], SLOPE)
    return _between(net, x, rows, 0, upto)


def rest(net: MobileStyleGAN, x: Tensor, rows: Tensor, start: int) -> Tensor:
    """Features after `start` blocks → pictures, as net.rest."""
    x = _between(net, x, rows, start, len(net.body.blocks)) * _scale(net, rows, -1)
    picture = net.body.picture
    return F.pixel_shuffle(F.conv2d(x, picture.weight) + picture.bias[:, None, None], 2)


def _between(net: MobileStyleGAN, x: Tensor, rows: Tensor, start: int, stop: int) -> Tensor:
    for i in range(start, stop):
        block = cast(Any, net.body.blocks[i])
        x = _wavelet(x * _scale(net, rows, 1 + 3 * i))
        for k, conv in enumerate((block.conv1, block.conv2)):
            x = x * _scale(net, rows, 2 + k + 3 * i)
            x = F.conv2d(x, conv.depthwise, padding=1, groups=x.shape[1])
            x = F.conv2d(x, conv.pointwise) + conv.noise
            x = F.leaky_relu(x + conv.bias[:, None, None], SLOPE)
    return x


def _scale(net: MobileStyleGAN, rows: Tensor, index: int) -> Tensor:
    return net.styles[index](rows[:, index])[:, :, None, None]


def _wavelet(x: Tensor) -> Tensor:
    low, vertical, horizontal, both = x.chunk(4, dim=1)
    c = low.shape[1]
    sums, differences = x.new_tensor([1.0, 1.0]).expand(c, 1, 2), x.new_tensor([1.0, -1.0]).expand(c, 1, 2)

    def up(a: Tensor, b: Tensor, axis: int) -> Tensor:
        stride = (2, 1) if axis == 2 else (1, 2)
        first, second = (kernel.unsqueeze(5 - axis) for kernel in (sums, differences))
        doubled = F.conv_transpose2d(a, first, stride=stride, groups=c)
        return doubled + F.conv_transpose2d(b, second, stride=stride, groups=c)

    return up(up(low, vertical, 2), up(horizontal, both, 2), 3)
