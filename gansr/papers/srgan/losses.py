"""SRGAN's losses (Ledig et al., CVPR 2017, section 2.2). Pictures are RGB (N,3,H,W) in [−1,1], as the paper's truths.

    generator       content + 1e-3 · adversarial (+ 1e-6 · total variation, with VGG22)
    content         mse      mean (I − Î)²                                                      equation 4
                    vgg22    mean (φ(I) − φ(Î))² / 12.75², φ: VGG19 after the ReLU of conv2_2    equation 5
                    vgg54    the same after the ReLU of conv5_4
    adversarial     mean −log D(Î)                                                              equation 6
    discriminator   mean −log D(I) + mean −log (1 − D(Î))

The logarithms are taken of logits, which cannot overflow. Total variation is the sum of the squared differences of
neighbouring pixels (section 2 of the supplement, from Aly & Dubois).

How we differ: with VGG22 the network averages where VGG19 takes maxima (`averaging`), and total variation weighs 1e-6
instead of 2e-8. Maxima do not see some checkerboards: in the paper's form, and with krasserm's SRResNet as its start,
VGG22 left one. Five pictures of Set14, LPIPS-VGG and NIQE (the start has 0.256 and 6.2): 0.313 and 9.2 after 1,250
steps; with maxima and 1e-5 0.245 and 5.9, but the picture fades (25.5 dB PSNR on Y instead of 28.6); with averages
0.257 and 6.1 after 120 steps, and no fading. `train srgan --vgg-maxima --total-variation 2e-8` is the paper's form.

The VGG19 that can be fetched has features of another scale (gansr.weights.converters.vgg19). `SCALES` brings them to
the root mean square of torchvision's, so that 1/12.75 means what it means in the paper. torchvision's VGG19 is not at
hand; its VGG16 stands in, at the layers of the same depth. Twenty pictures of BSDS400: relu2_2 2.10 against 1.94,
relu5_4 4.42 against 0.644 (relu5_3 of VGG16). Within a layer the channels keep their other weights, so the loss is not
exactly the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.nets.vgg import Vgg19

Content = Literal["mse", "vgg22", "vgg54"]

ENDS: Mapping[str, int] = MappingProxyType({"vgg22": 9, "vgg54": 36})  # of Vgg19
SCALES: Mapping[str, float] = MappingProxyType({"vgg22": 0.924, "vgg54": 0.1457})
RESCALED = 1 / 12.75  # of the features, in the paper
ADVERSARIAL, TOTAL_VARIATION = 1e-3, 1e-6  # weights


@dataclass(frozen=True)
class Variant:
    """One of the paper's five networks, by what it is trained for."""

    content: Content
    adversarial: bool = False

    @property
    def total_variation(self) -> float:
        """The weight of total variation."""
        return TOTAL_VARIATION if self.content == "vgg22" else 0.0


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "mse": Variant("mse"),
        "vgg22": Variant("vgg22"),
        "srgan-mse": Variant("mse", adversarial=True),
        "srgan-vgg22": Variant("vgg22", adversarial=True),
        "srgan-vgg54": Variant("vgg54", adversarial=True),
    }
)


def averaging(vgg: Vgg19) -> Vgg19:
    """A copy that takes the mean of four values where VGG19 takes the largest."""
    made = deepcopy(vgg)
    for name, layer in enumerate(made.features):
        if isinstance(layer, nn.MaxPool2d):
            made.features[name] = nn.AvgPool2d(2)
    return made


def features(vgg: Vgg19, content: Content, x: Tensor) -> Tensor:
    """What the content loss compares: the pictures themselves, or their features with the paper's scale."""
    if content == "mse":
        return x
    return vgg(x / 2 + 0.5, ENDS[content]) * (SCALES[content] * RESCALED)


def content_loss(ours: Tensor, true: Tensor) -> Tensor:
    """The mean squared difference of two `features`."""
    return F.mse_loss(ours.to(true.dtype), true)


def adversarial_loss(logits: Tensor) -> Tensor:
    """mean −log D(Î), of the discriminator's logits of results."""
    return F.softplus(-logits).mean()


def discriminator_loss(true: Tensor, ours: Tensor) -> Tensor:
    """mean −log D(I) + mean −log (1 − D(Î)), of the logits of photographs and of results."""
    return F.softplus(-true).mean() + F.softplus(ours).mean()


def total_variation(x: Tensor) -> Tensor:
    """(N,3,H,W) → the mean over the pictures of the sum of squared differences of neighbouring pixels."""
    across, down = torch.diff(x, dim=-1).square(), torch.diff(x, dim=-2).square()
    return (across.sum() + down.sum()) / len(x)
