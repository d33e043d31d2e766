"""Recipes: the authors' files → the state dict of our net, deterministically.

A recipe takes the files an entry names, in that order, and returns key → tensor. It reads them without
unpickling (gansr.weights.authors) and raises WeightsError naming the keys that do not fit.
Importing this loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from torch import Tensor

Recipe = Callable[..., dict[str, Tensor]]  # (*files: Path) -> state dict

RECIPES: Mapping[str, str] = MappingProxyType(
    {
        "srresnet-krasserm": "gansr.weights.recipes.srresnet:krasserm",
        "srresnet-mmagic": "gansr.weights.recipes.srresnet:mmagic",
        "srresnet-basicsr": "gansr.weights.recipes.srresnet:basicsr",
        "srresnet-lornatang": "gansr.weights.recipes.srresnet:lornatang",
        "srresnet-leftthomas": "gansr.weights.recipes.srresnet:leftthomas",
        "lpips-alex-jax": "gansr.weights.recipes.lpips:alex",
        "lpips-vgg-jax": "gansr.weights.recipes.lpips:vgg",
        "mobilestylegan-openvino": "gansr.weights.recipes.mobilestylegan:openvino",
        "stylegan1-pulse": "gansr.weights.recipes.stylegan1:pulse",
        "stylegan2-rosinality": "gansr.weights.recipes.stylegan2:rosinality",
        "pggan-genforce": "gansr.weights.recipes.pggan:genforce",
        "glean-mmagic": "gansr.weights.recipes.glean:mmagic",
    }
)


def recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises KeyError for a name that is not in RECIPES."""
    module, _, function = RECIPES[name].partition(":")
    return getattr(import_module(module), function)
