"""Small SRResNets with random weights, and random pictures, for the tests of SRGAN."""

from __future__ import annotations

import torch
from torch import Tensor

from gansr.papers.srgan.network import SRResNet

SMALL = {"blocks": 2, "width": 8}


def random_net(layout: str, scale: int = 4, seed: int = 0, **size: int) -> SRResNet:
    """A network whose norms and slopes are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    net = SRResNet(layout, scale, **{**SMALL, **size}).eval().requires_grad_(False)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            spread = 1 / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 0.2
            tensor.copy_(noise * spread + (1 if "running_var" in name or ".norm" in name else 0))
            tensor.copy_(tensor.abs() if "running_var" in name else tensor)
    return net


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(7))
