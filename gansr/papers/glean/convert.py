"""The released GLEAN (open-mmlab/mmagic, Apache-2.0) → the state dict of gansr.papers.glean.released.GLEAN.

A file is {"meta", "state_dict"}; the network's keys begin with `generator.`, the bank's with `generator.generator.`.
Left out is what never reaches the picture: to_rgb*, fusion_skip, style_mapping, the discriminator, the VGG of the
perceptual loss, the step counter. 1/√fan-in is folded into the bank's weights (gansr.weights.converters.stylegan2).

The weights are stored as float16, which halves the files (650 → 310 MB). Measured with the random weights of the 32² →
256² golden network, against float32 weights and relative to a peak of 1, before clamping: 66.4 dB PSNR for the example
face astronaut-face-32.png and 67.9 dB for the golden input; the largest difference is 0.0026, less than an 8-bit step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from gansr.weights import WeightsError
from gansr.weights.authors import torch_file
from gansr.weights.converters.stylegan2 import Fold, Leaves, convolution, fir, keep, linear, one, rename

IDLE = re.compile(
    r"(discriminator|perceptual_loss|gan_loss|generator_ema)\..*|step_counter"
    r"|generator\.(generator\.(to_rgb1|to_rgbs|style_mapping)|fusion_skip)\..*"
)

LEAVES: Leaves = {
    "conv.weight_orig": ("conv.weight", convolution),
    "conv.style_modulation.linear.weight_orig": ("conv.style.weight", linear),
    "conv.style_modulation.bias": ("conv.style.bias", keep),
    "noise_injector.weight": ("strength", one),
    "activate.bias": ("bias", keep),
    "conv.blur.kernel": ("", fir),
}


def mmagic(path: Path) -> dict[str, Tensor]:
    """The .pth file → the state dict of GLEAN(in_size, out_size), float16.

    Raises WeightsError naming the key at fault.
    """
    found = torch_file(path)
    tensors = found.get("state_dict", found)
    if not isinstance(tensors, dict) or "generator.fusion_out.0.weight" not in tensors:
        raise WeightsError(f"{path.name} holds no GLEAN of mmagic: generator.fusion_out.0.weight is missing")
    made = from_mmagic({key: value for key, value in tensors.items() if isinstance(value, Tensor)})
    return {key: value.half() for key, value in made.items()}


def from_mmagic(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """mmagic's state dict (keys with `generator.`) → ours. Raises WeightsError naming a key that does not fit."""
    used = {key: value for key, value in tensors.items() if not IDLE.fullmatch(key)}
    last_encoder, last_decoder = (_last(used, part) for part in ("encoder", "decoder"))
    rules: tuple[tuple[str, str, Fold], ...] = (
        (r"generator\.generator\.injected_noise_(\d+)", "bank.layers.{0}.noise", keep),
        (r"generator\.generator\.constant_input\.input", "bank.constant", keep),
        (r"generator\.generator\.conv1\.(.+)", "bank.layers.0.{rest}", keep),
        (r"generator\.generator\.convs\.(\d+)\.(.+)", "bank.layers.{next}.{rest}", keep),
        (r"generator\.fusion_out\.(\d+)\.(weight|bias)", "fusions.{0}.{leaf}", keep),
        (r"generator\.encoder\.0\.0\.(.+)", "encoder.trunk.{leaf}", keep),
        (r"generator\.encoder\.0\.1\.(weight|bias)", "encoder.widen.{leaf}", keep),
        (rf"generator\.encoder\.{last_encoder}\.0\.(weight|bias)", "encoder.last.{leaf}", keep),
        (rf"generator\.encoder\.{last_encoder}\.3\.(weight|bias)", "encoder.latent.{leaf}", keep),
        (r"generator\.encoder\.(\d+)\.0\.(weight|bias)", "encoder.shrink.{mapping}.{leaf}", keep),
        (r"generator\.encoder\.(\d+)\.2\.(weight|bias)", "encoder.refine.{mapping}.{leaf}", keep),
        (rf"generator\.decoder\.{last_decoder}\.0\.(weight|bias)", "end.{leaf}", keep),
        (rf"generator\.decoder\.{last_decoder}\.2\.(weight|bias)", "out.{leaf}", keep),
        (r"generator\.decoder\.(\d+)\.upsample_conv\.(weight|bias)", "raises.{0}.{leaf}", keep),
    )
    return rename(used, rules, LEAVES)


def _last(tensors: Mapping[str, Tensor], part: str) -> int:
    """The number of the last module of the encoder or the decoder, which differs from the others."""
    found = [int(m[1]) for key in tensors if (m := re.match(rf"generator\.{part}\.(\d+)\.", key))]
    if not found:
        raise WeightsError(f"this file holds no GLEAN: there is no key generator.{part}.*")
    return max(found)
