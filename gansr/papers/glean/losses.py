"""The losses of our GLEAN: LPIPS on VGG16, and a small hinge discriminator on VGG's features.

LPIPS: Zhang et al. 2018 (arXiv 1801.03924). The discriminator follows Projected GANs (Sauer et al. 2021, arXiv
2111.01007): it sees a frozen network's features instead of pixels, so a few convolutions suffice, and the perceptual
loss has computed those features already. GLEAN's own is a whole StyleGAN2 discriminator with its official weights,
which no package registry carries and which costs more than the generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gansr.nets.vgg import DEVIATION, MEAN, LpipsVgg

LEVELS = (1, 2, 3)  # which of VGG's five feature maps the discriminator sees: relu2_2, relu3_3, relu4_3
WIDTHS = (64, 128, 256, 512, 512)  # their channels
TAPS = (4, 9, 16, 23, 30)  # the layers, in torchvision's numbering, after which they are taken


def perceptual(lpips: LpipsVgg, ours: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """LPIPS, mean over the batch, from both pictures' unit-length feature maps (of `taps`)."""
    heads = [head.view(1, -1, 1, 1) for head in lpips.heads]
    terms = [((a - b).square() * h).sum(1).float().mean() for a, b, h in zip(ours, true, heads)]
    return torch.stack(terms).sum()


def colours(device: torch.device) -> tuple[Tensor, Tensor]:
    """ImageNet's mean and standard deviation (1,3,1,1) on the device; made at every step, they would stop a GPU."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1).to(device) for values in (MEAN, DEVIATION))
    return mean, deviation


def taps(lpips: LpipsVgg, x: Tensor, standard: tuple[Tensor, Tensor] | None = None) -> list[Tensor]:
    """x (B,3,H,W) in [−1,1] → VGG's five feature maps, each of unit length at every location.

    Computed in the trunk's dtype, but the picture is standardised in float32. standard: `colours` of x's device.
    """
    layers = lpips.trunk.features
    mean, deviation = standard or colours(x.device)
    x = ((x.float() / 2 + 0.5 - mean) / deviation).contiguous(memory_format=torch.channels_last)
    x = x.to(layers[0].weight.dtype)  # type: ignore[union-attr]
    found = []
    for end, layer in enumerate(layers, 1):
        x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)  # the module would overwrite its input
        if end in TAPS:
            found.append(x * torch.rsqrt(x.float().square().sum(1, keepdim=True) + 1e-10).to(x.dtype))
    return found


class Discriminator(nn.Module):
    """Unit-length feature maps → one map of scores per level: 1×1, 3×3, 1×1 convolutions with spectral norm."""

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
        """features: all five of `taps` → a map of scores (B,1,H,W) per level, float32."""
        chosen = [features[i] for i in LEVELS]
        return [head(f * gain).float() for head, f, gain in zip(self.heads, chosen, self.gains)]


def discriminator_loss(true: Sequence[Tensor], ours: Sequence[Tensor]) -> Tensor:
    """Hinge loss of the scores: the truth's above 1, ours below −1; mean over levels."""
    terms = [F.relu(1 - t).mean() + F.relu(1 + o).mean() for t, o in zip(true, ours)]
    return torch.stack(terms).mean()


def generator_loss(ours: Sequence[Tensor]) -> Tensor:
    """The adversarial term of the network: minus the mean score."""
    return -torch.stack([o.mean() for o in ours]).mean()
