"""The networks, by the name the manifest calls them. Importing this loads none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from torch import nn

NETS: Mapping[str, str] = MappingProxyType(
    {
        "srresnet": "gansr.nets.srresnet:SRResNet",
        "lpips-alex": "gansr.nets.alexnet:LpipsAlex",
        "lpips-vgg": "gansr.nets.vgg:LpipsVgg",
        "vgg16": "gansr.nets.vgg:Vgg16",
        "mobilestylegan": "gansr.nets.mobilestylegan:MobileStyleGAN",
        "stylegan1": "gansr.nets.stylegan1:StyleGAN1",
        "stylegan2": "gansr.nets.stylegan2:StyleGAN2",
        "pggan": "gansr.nets.pggan:PGGAN",
        "glean": "gansr.nets.glean:GLEAN",
        "glean-own": "gansr.nets.glean_own:GleanOwn",
    }
)


def build(net: str, config: Mapping[str, Any]) -> nn.Module:
    """The network `net` with random weights. Raises KeyError for a name that is not in NETS."""
    module, _, name = NETS[net].partition(":")
    return getattr(import_module(module), name)(**config)
