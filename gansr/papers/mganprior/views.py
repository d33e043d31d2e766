"""The views of the last frame: the weights α, and the role of each code (§4.4, figure 8)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Heat, View
from gansr.papers.mganprior.composition import compose
from gansr.papers.mganprior.search import Search

DOMINANT_ALPHA = 0.2  # α above which the paper counts a channel as a code's own (§4.4)
THUMBNAIL = 96  # px of a picture in the grid of roles, and in the strip of an edit
ALPHA_ROW = 8  # px of a code's row in the map of α
GRID_COLUMNS = 5


@torch.no_grad()
def final_views(search: Search) -> dict[str, View]:
    """title → view: α as a map, and, where the options ask for it, the role of each code. None of a baseline."""
    if search.options.searched != "codes":
        return {}
    alpha = search.alpha.detach()
    n, c = alpha.shape
    views: dict[str, View] = {
        f"α: {n} codes × {c} channels": Heat(
            alpha.repeat_interleave(ALPHA_ROW, dim=0), signed=bool((alpha < 0).any())
        )
    }
    if search.options.roles:
        title, maps = code_roles(search)
        views[title] = Heat(maps, "mean absolute change", min=0.0)
    return views


def dominant_channels(alpha: Tensor) -> tuple[str, Tensor]:
    """The rule in words, and which channels count for each code, (N,C) bool.

    α > 0.2, as in the paper; where that would be hardly any or nearly all, because α is of another size, the tenth
    of each code's channels with the largest |α|.
    """
    chosen = alpha > DOMINANT_ALPHA
    if 0.01 < float(chosen.float().mean()) < 0.5:
        return f"α > {DOMINANT_ALPHA}", chosen
    threshold = alpha.abs().quantile(0.9, dim=1, keepdim=True)
    return "the strongest tenth of |α|", alpha.abs() >= threshold


@torch.no_grad()
def code_roles(search: Search) -> tuple[str, Tensor]:
    """Where the picture changes when a code's dominant channels are set to zero: a title and a grid of N maps."""
    alpha, f2_style = search.alpha.detach(), search.f2_style.detach()
    generator = search.generator
    rule, dominant = dominant_channels(alpha)
    features = generator.f1(search.codes.detach())
    composed = search.composed(features)
    whole = thumbnail(generator.f2(composed, f2_style))
    maps: list[Tensor] = []
    for n in range(len(alpha)):
        removed = compose(features[n : n + 1], (alpha * dominant)[n : n + 1], False)
        removed = removed / len(alpha) if generator.norm_follows else removed
        without = thumbnail(generator.f2(composed - removed, f2_style))
        maps.append((without - whole).abs().mean(0))
    return f"role of each code: change without {rule}", grid(maps)


def thumbnail(x: Tensor) -> Tensor:
    """(1,3,S,S) in [−1,1] → (3,THUMBNAIL,THUMBNAIL) in [0,1]."""
    return F.interpolate((x / 2 + 0.5).clamp(0, 1), (THUMBNAIL, THUMBNAIL), mode="area")[0]


def grid(maps: list[Tensor]) -> Tensor:
    """Maps (h,w) → one map, five to a row; empty places are 0."""
    columns = min(GRID_COLUMNS, len(maps))
    maps = maps + [torch.zeros_like(maps[0])] * (-len(maps) % columns)
    rows = [torch.cat(maps[i : i + columns], dim=1) for i in range(0, len(maps), columns)]
    return torch.cat(rows, dim=0)
