"""What the paper compares itself with (§4.1, table 1 and figure 3): one code instead of many, or free features.

"z": one code, drawn by F1 and F2 alike; a StyleGAN's goes through its mapping at each step. "w": one code after the
mapping, equal in all style rows. "w+": a row of its own for each layer (Abdal et al., ICCV 2019). "encoded": ours, the
same begun at the rows that our GLEAN finds in the input, shrunk to what it reads. "features": no code; the feature map
at the composing layer is searched, from that of the mean code on, and F2's styles stay the mean's.

None has weights α or an offset. Losses, jobs, corrections and the decay of the rate are those of `search`, so that a
comparison shows the difference of what is searched. The pull holds a code to the prior; free features have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gansr.method import Nets
from gansr.nets import encoder
from gansr.ops.resize import imresize
from gansr.papers.mganprior.options import Options
from gansr.papers.mganprior.search import OFFSET_RATE, Search, start_search


@dataclass
class Baseline(Search):
    """The search for one code, `codes` (1,style), for a row for each layer (1,style_rows,style), or for features
    (1,C,s,s) in units of `unit`."""

    unit: Tensor | None = None  # (1,C,1,1), the root mean square of each channel of the mean code's features

    @property
    def variables(self) -> list[Tensor]:
        """What is searched."""
        return [self.codes]

    def groups(self) -> list[dict[str, Any]]:
        """The one variable, for the optimiser."""
        free = self.unit is not None
        rate = self.plan.lr * (OFFSET_RATE / self.codes.shape[-1] if free else 1)
        return [{"params": [self.codes], "lr": rate}]

    def picture(self) -> Tensor:
        """(1,3,S,S) float32, about [−1,1]."""
        generator, styled = self.generator, len(self.f2_style) > 0
        if self.unit is not None:
            return generator.f2(self.codes * self.unit, self.f2_style)
        code = self.codes
        if self.options.searched == "z" and generator.mapping is not None:
            code = generator.mapping(code)
        return generator.f2(generator.f1(code), code if styled else self.f2_style)

    def distance_to_prior(self) -> Tensor:
        """mean(((z − z̄)/σ)²) of the code; of z itself the mean is 0 and σ 1. 0 for features."""
        if self.unit is not None:
            return self.codes.new_zeros(())
        if self.options.searched == "z":
            return self.codes.square().mean()
        return ((self.codes - self.generator.mean) / self.generator.deviation).square().mean()


def search_of(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Search:
    """The search that the options ask for, before its first step: the paper's N codes, or a baseline."""
    search = start_search(low, options, nets, generator)
    return search if options.searched == "codes" else baseline_of(search, nets, generator)


def baseline_of(search: Search, nets: Nets, generator: torch.Generator) -> Baseline:
    """The baseline that the options of `search`, not begun, choose: with its target, loss, correction and first code.
    generator: draws z, and nothing else."""
    parts = search.generator
    codes, unit = _start(search, nets, generator)
    return Baseline(
        parts,
        search.options,
        search.plan,
        search.side,
        search.target,
        search.hole,
        search.features,
        codes,
        search.alpha.detach(),
        parts.f2_style.clone(),
        None,
        search.correct,
        unit=unit,
    )


@torch.no_grad()
def _start(search: Search, nets: Nets, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """What is searched, at its start, and the unit of free features."""
    parts, searched, code = search.generator, search.options.searched, search.codes.detach().clone()
    if searched == "features":
        features = parts.f1(parts.mean if len(parts.f2_style) else code).float()
        unit = features.square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-8)
        return features / unit, unit
    if searched == "z":
        return torch.randn(code.shape, generator=generator).to(code.device), None
    if searched == "encoded":
        low = (search.target[0] / 2 + 0.5).clamp(0, 1)
        small = imresize(low, (encoder.SIDE, encoder.SIDE)).clamp(0, 1)
        return encoder.encoded_rows(nets["encoder"], small, nets["generator"].style_rows), None
    if searched == "w+":
        code = code[:, None].repeat(1, nets["generator"].style_rows, 1)
    return code, None
