"""SRGAN's discriminator (Ledig et al., CVPR 2017, figure 4): is a picture a photograph or a generator's result?

Eight 3×3 convolutions of 64 to 512 channels, every second of stride 2, batch norm after all but the first, LeakyReLU of
slope 0.2; then a dense layer of 1024 and one of 1. The dense layers fix the side: 96 px in the paper. The keys are
those of Lornatang's implementation, `features.{0,2,3,…}` and `classifier.{0,2}`.

How we differ: `pooled` brings the features of any side of at least 16 px to those of `side` by adaptive average
pooling; the paper has no such form. The output is the logit; the paper's sigmoid is part of gansr.papers.srgan.losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512)
SIDE = 96  # px
SLOPE = 0.2  # of LeakyReLU


class Discriminator(nn.Module):
    """RGB (N,3,S,S), in the range it was trained on → logits (N,1): above 0 means a photograph.

    side: px of its pictures, a multiple of 16; pooled: whether it takes any side from 16 px on. `widths` and `dense`
    differ from the paper's in tests only.
    """

    def __init__(
        self, side: int = SIDE, pooled: bool = False, widths: Sequence[int] = WIDTHS, dense: int = 1024
    ):
        super().__init__()
        if side % 16:
            raise ValueError(f"the discriminator's pictures have a multiple of 16 px a side, not {side}")
        self.side, self.pooled = side, pooled
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, 1, 1), nn.LeakyReLU(SLOPE, inplace=True)]
        for i, (before, width) in enumerate(pairwise(widths)):
            stride = 2 if i % 2 == 0 else 1
            layers += [
                nn.Conv2d(before, width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(SLOPE, inplace=True),
            ]
        self.features = nn.Sequential(*layers)
        inputs = widths[-1] * (side // 16) ** 2
        self.classifier = nn.Sequential(
            nn.Linear(inputs, dense), nn.LeakyReLU(SLOPE, inplace=True), nn.Linear(dense, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Raises ValueError for another side than its own, if it is not `pooled`."""
        if not self.pooled and x.shape[-2:] != (self.side, self.side):
            raise ValueError(
                f"this discriminator takes {self.side}×{self.side} px, not {x.shape[-1]}×{x.shape[-2]}"
            )
        features = self.features(x)
        if self.pooled:
            features = F.adaptive_avg_pool2d(features, self.side // 16)
        return self.classifier(features.flatten(1))
