"""Where SRGAN's discriminator takes a result for a photograph: a score for each patch.

The paper's discriminator gives one answer for a picture of 96 px: its dense layers see all features at once. For a map,
`PatchDiscriminator` keeps its trained convolutions and has one linear layer in place of the dense ones, which `fitted`
trains afterwards on crops of photographs and results. It is a reading of what the discriminator learned, not the very
output that SRGAN was trained against. `whole` goes the other way: a discriminator that begins with such patches.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansr.ops.spans import Span, cut, relative, widened
from gansr.papers.srgan.discriminator import SLOPE, WIDTHS, Discriminator

STRIDE = 16  # px of the picture between two patches
REACH = 32  # px around its place that a patch depends on at most, a multiple of STRIDE
TILE = 512  # px, a multiple of STRIDE: the picture is judged in tiles of this side
DECAY = 1e-4  # of the linear layer's weights, in its fit

Batches = Iterable[tuple[Tensor, Tensor]]  # (photographs, results), each (N,3,H,W) in [−1,1]


class PatchDiscriminator(nn.Module):
    """RGB (N,3,H,W) in [−1,1] → logits (N,1,⌈H/16⌉,⌈W/16⌉) of patches of 61 px: above 0 means a photograph."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Discriminator(pooled=True).features
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@torch.no_grad()
def probabilities(net: PatchDiscriminator, picture: Tensor) -> Tensor:
    """A picture (3,H,W) in [0,1] → for each patch the probability of a photograph, (⌈H/16⌉,⌈W/16⌉) float32.

    In tiles with what surrounds them, which gives the values of the whole picture: a patch sees less than REACH."""
    height, width = picture.shape[-2:]
    rows = [
        torch.cat([_judged(net, picture, down, across) for across in _tiles(width)], 1)
        for down in _tiles(height)
    ]
    return torch.cat(rows).sigmoid()


def _tiles(size: int) -> list[Span]:
    return [(start, min(start + TILE, size)) for start in range(0, size, TILE)]


def _judged(net: PatchDiscriminator, picture: Tensor, rows: Span, columns: Span) -> Tensor:
    """The logits of a tile that begins at multiples of STRIDE."""
    spans = [(span, widened(span, REACH, size)) for span, size in zip((rows, columns), picture.shape[-2:])]
    part = cut(picture, *(wide for _, wide in spans))[None].to(net.head.weight.dtype) * 2 - 1
    logits = net(part.contiguous(memory_format=torch.channels_last))[0, 0].float()
    return cut(logits, *((a // STRIDE, -(-b // STRIDE)) for a, b in (relative(*span) for span in spans)))


def fitted(discriminator: Discriminator, batches: Batches, held: Batches) -> tuple[PatchDiscriminator, float]:
    """The patches of a trained discriminator, and the share of the patches of `held` that it gets right.

    The linear layer is fitted to `batches` by logistic regression with a small weight decay, by L-BFGS.
    """
    net = PatchDiscriminator()
    net.features.load_state_dict(
        {key: value.cpu() for key, value in discriminator.features.state_dict().items()}
    )
    net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x, y = _features(net, batches)
    mean, spread = x.mean(0), x.std(0) + 1e-6
    x = (x - mean) / spread
    weight, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(x @ weight + bias, y) + DECAY * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    state = {"weight": (weight / spread)[None, :, None, None], "bias": bias - (weight * mean / spread).sum()}
    net.head.load_state_dict({key: value.detach() for key, value in state.items()})
    x, y = _features(net, held)
    logits = net.head(x[:, :, None, None]).flatten()
    return net, float(((logits > 0) == (y > 0)).float().mean())


@torch.no_grad()
def whole(patches: PatchDiscriminator, side: int) -> Discriminator:
    """A discriminator of pictures of `side` px, whose logit is at first the mean of the patches' logits.

    Two units of its first dense layer hold that mean and its negative, which LeakyReLU and the second layer join again;
    the other units have He's initialisation and the weight 0 in the second layer. The random numbers are torch's own.
    """
    made = Discriminator(side)
    made.features.load_state_dict(patches.features.state_dict())
    first, _, second = made.classifier
    assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear) and patches.head.bias is not None
    nn.init.kaiming_normal_(first.weight)
    places = (side // STRIDE) ** 2
    mean = patches.head.weight.flatten().repeat_interleave(places) / places
    first.weight[:2] = torch.stack([mean, -mean])
    first.bias.zero_()[:2] = patches.head.bias * torch.tensor([1.0, -1.0])
    second.bias.zero_()
    second.weight.zero_()[0, :2] = torch.tensor([1.0, -1.0]) / (1 + SLOPE)
    return made


@torch.no_grad()
def _features(net: PatchDiscriminator, batches: Batches) -> tuple[Tensor, Tensor]:
    """(patches, 512) features, and 1 for those of photographs, 0 for those of results."""
    found, labels = [], []
    for pair in batches:
        for picture, label in zip(pair, (1.0, 0.0)):
            found.append(net.features(picture).movedim(1, -1).flatten(0, -2))
            labels.append(torch.full((len(found[-1]),), label))
    return torch.cat(found), torch.cat(labels)
