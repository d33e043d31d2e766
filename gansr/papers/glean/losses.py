"""What our GLEAN is trained with: L1, LPIPS on VGG16, and a small hinge adversary that looks at VGG's features.

LPIPS: Zhang et al. 2018 (arXiv 1801.03924). The adversary follows Projected GANs (Sauer et al. 2021, arXiv
2111.01007) in judging a frozen network's features instead of pixels: it needs a few convolutions only, and the
features are those that the perceptual loss has computed already. GLEAN's own adversary is a whole StyleGAN2
discriminator with its official weights, which no package registry carries; and it costs more than the generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gansr.nets.vgg import LpipsVgg, standardised

LEVELS = (1, 2, 3)  # which of VGG's five taps the adversary sees: relu2_2, relu3_3, relu4_3
WIDTHS = (64, 128, 256, 512, 512)
TAPS = (4, 9, 16, 23, 30)  # the layers, torchvision's numbering, after which they are


def perceptual(lpips: LpipsVgg, ours: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """LPIPS, mean over the batch, from both pictures' unit-length feature maps (`taps`)."""
    heads = [head.view(1, -1, 1, 1) for head in lpips.heads]
    terms = [((a - b).square() * h).sum(1).float().mean() for a, b, h in zip(ours, true, heads)]
    return torch.stack(terms).sum()


def taps(lpips: LpipsVgg, x: Tensor) -> list[Tensor]:
    """x (B,3,H,W) in [−1,1] → VGG's five feature maps, each of unit length at every location.

    Computed in the trunk's own precision, but the picture is standardised in float32.
    """
    layers = lpips.trunk.features
    x = standardised(x.float() / 2 + 0.5).to(layers[0].weight.dtype)  # type: ignore[union-attr]
    found = []
    for end, layer in enumerate(layers, 1):
        x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)  # its own would overwrite its input
        if end in TAPS:
            found.append(x * torch.rsqrt(x.float().square().sum(1, keepdim=True) + 1e-10).to(x.dtype))
    return found


class Judge(nn.Module):
    """Per level 1×1 → 3×3 → 1×1 with spectral norm; unit-length features → one map of scores a level."""

    def __init__(self, widths: Sequence[int] = tuple(WIDTHS[i] for i in LEVELS), inside: int = 64):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(width, inside, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(inside, inside, 3, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(inside, 1, 1)),
            )
            for width in widths
        )
        self.gains = [width**0.5 for width in widths]  # unit length → unit variance

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """features: all five of `taps`."""
        chosen = [features[i] for i in LEVELS]
        return [head(f * gain).float() for head, f, gain in zip(self.heads, chosen, self.gains)]


def judge_loss(true: Sequence[Tensor], ours: Sequence[Tensor]) -> Tensor:
    """Hinge: true above 1, ours below −1; mean over levels."""
    terms = [F.relu(1 - t).mean() + F.relu(1 + o).mean() for t, o in zip(true, ours)]
    return torch.stack(terms).mean()


def fooling_loss(ours: Sequence[Tensor]) -> Tensor:
    """What the generator pays: minus the mean score."""
    return -torch.stack([o.mean() for o in ours]).mean()
