"""RRDBNet against its formulas, and its optimised form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gansr.papers.esrgan import network
from gansr.papers.esrgan.network import OptimisedRRDBNet, RRDBNet, operations


def small() -> RRDBNet:
    torch.manual_seed(3)
    return RRDBNet(8, 4, 2).eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


def in_parts(net: OptimisedRRDBNet, x: Tensor) -> Tensor:
    features = net.begin(x)
    for index in range(net.count):
        features = net.block(index, features)
    rows, columns = ((0, size) for size in x.shape[-2:])
    return net.end(features, rows, columns)


def test_the_published_network_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in RRDBNet().parameters()) == 16_697_987
    assert sum(p.numel() for p in RRDBNet(blocks=6).parameters()) == 4_467_779


def test_it_is_the_papers_function():
    """ESRGAN, figure 4 and §3.1, written out with the weights by name."""
    net, x = small(), noise(1, 3, 9, 7)
    w = dict(net.named_parameters())

    def conv(name: str, y: Tensor) -> Tensor:
        return F.conv2d(y, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def active(y: Tensor) -> Tensor:
        return torch.where(y > 0, y, 0.2 * y)

    first = y = conv("conv_first", x)
    for block in range(2):
        outer = y
        for dense in (1, 2, 3):
            known = [y]
            for i in range(1, 5):
                known.append(active(conv(f"body.{block}.rdb{dense}.conv{i}", torch.cat(known, 1))))
            y = y + 0.2 * conv(f"body.{block}.rdb{dense}.conv5", torch.cat(known, 1))
        y = outer + 0.2 * y
    y = first + conv("conv_body", y)
    for name in ("conv_up1", "conv_up2"):
        y = active(conv(name, y.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    y = conv("conv_last", active(conv("conv_hr", y)))
    assert y.shape == (1, 3, 36, 28)
    assert (net(x) - y).abs().max() <= 1e-6


def test_in_parts_it_is_the_same():
    net, x = small(), noise(2, 3, 8, 11)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert (in_parts(OptimisedRRDBNet(net, torch.float32), x) - net(x)).abs().max() <= 1e-6
    rough = in_parts(OptimisedRRDBNet(net, torch.bfloat16), x)
    assert rough.dtype == torch.float32 and 0 < (rough - net(x)).abs().max() < 0.02
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_part_of_the_end_is_that_part_of_the_whole(monkeypatch):
    net, x = OptimisedRRDBNet(small(), torch.float32), noise(1, 3, 23, 31)
    whole, features = in_parts(net, x), net.begin(x)
    for index in range(net.count):
        features = net.block(index, features)
    monkeypatch.setattr(network, "PATCH", 8)
    assert (in_parts(net, x) - whole).abs().max() <= 1e-6
    part = net.end(features, (5, 20), (0, 9))
    assert (part - whole[:, :, 20:80, :36]).abs().max() <= 1e-6


def test_the_operations_are_those_counted():
    for blocks in (6, 23):
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            RRDBNet(blocks=blocks)(torch.empty(1, 3, 8, 8))
        assert operations(blocks=blocks) * 64 == counter.get_total_flops()
