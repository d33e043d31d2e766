"""Two faces: interpolation and style mixing between their inversions.

Not in the paper; its authors' code has both as helpers, and StyleGAN's paper (Karras et al., CVPR 2019, §3.1) shows
them. Each face is inverted with one code for each layer (w+ of `baselines`): such codes of two pictures belong together
row by row, which N codes do not. The mixed face has the first face's rows, and from one layer on

    (1 − t) · first + t · second

The inversions begin at the rows that our GLEAN finds in each face, with a small rate and ten times the pull to the
generator's own faces. From the mean on, with the usual rate, the rows leave what the generator draws well: each face
comes nearer, but what lies between two of them was orange and grey, and no face. Other generators have no encoder here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Curve, Frame, Nets, State
from gansr.ops.resize import imresize
from gansr.options import OptionError
from gansr.papers.mganprior.baselines import Baseline, baseline_of
from gansr.papers.mganprior.edit import SWEEP, animation
from gansr.papers.mganprior.options import Options, begins_encoded
from gansr.papers.mganprior.search import start_search
from gansr.papers.mganprior.tasks import result_of
from gansr.papers.mganprior.views import THUMBNAIL


def mix_frames(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None
) -> Iterator[Frame]:
    """low (3,side,side) in [0,1], the first face → a frame for each iteration of both inversions, SWEEP frames from the
    first face to the second, and the face at `share`. state: of a frame before the sweep. Raises OptionError without
    a second face."""
    second = options.second
    if second is None:
        raise OptionError("mixing needs a second face: give a square picture of an aligned face")
    options = replace(options, searched="encoded" if begins_encoded(options) else "w+")
    side = low.shape[-1]
    pictures = low, imresize(second, (side, side)).clamp(0, 1).to(low.device)
    searches = [
        baseline_of(start_search(picture, options, nets, generator), nets, generator) for picture in pictures
    ]
    if state is not None:
        for search, kept in zip(searches, state["searches"], strict=True):
            search.restore(kept)
    last, form = searches[0].plan.iterations, searches[0].generator.form
    steps = 2 * last + SWEEP + 1

    def save() -> State:
        return {"searches": [search.state() for search in searches]}

    for index, search in enumerate(searches):
        for step in range(len(search.losses) + 1, last + 1):
            x, readings = search.step(step)
            image = result_of(x, pictures[index], options, None)
            views = {"loss": Curve({"loss": tuple(search.losses)}, log=True)}
            yield Frame(image, index * last + step, steps, readings, views, form=form, save=save)
    lines = {f"face {i}": tuple(search.losses) for i, search in enumerate(searches, 1)}
    curve = Curve(lines, log=True)
    sweep: list[Tensor] = []
    for i in range(SWEEP):
        share = i / (SWEEP - 1)
        sweep.append(_drawn(searches, share, options, nets, low))
        yield Frame(sweep[-1], 2 * last + 1 + i, steps, {"share": share}, {"loss": curve}, form=form)
    image = _drawn(searches, options.share, options, nets, low)
    small = [F.interpolate(p[None], (THUMBNAIL, THUMBNAIL), mode="area")[0] for p in sweep[::2]]
    inverted = [result_of(search.picture(), low, options, None).detach() for search in searches]
    yield Frame(
        image,
        steps,
        steps,
        {"share": options.share},
        {"from the first face to the second": torch.cat(small, dim=2), "loss": curve},
        answers={f"face {i}, inverted": picture for i, picture in enumerate(inverted, 1)},
        files={"mix.webp": animation(sweep)},
        form=form,
    )


def mixed(first: Tensor, second: Tensor, share: float, sides: Sequence[int], start: int) -> Tensor:
    """Style rows of two faces (1,rows,style) → those of the mixed one: `share` of the second in the rows that scale
    features of `start` px and more. sides: of the features of each row."""
    fine = torch.tensor([side >= start for side in sides], device=first.device)[:, None]
    return torch.where(fine, torch.lerp(first, second, share), first)


@torch.no_grad()
def _drawn(searches: Sequence[Baseline], share: float, options: Options, nets: Nets, low: Tensor) -> Tensor:
    """The mixed face as a result (3,side,side)."""
    first, second = (search.codes.detach() for search in searches)
    rows = mixed(first, second, share, nets["generator"].row_sides, int(options.start))
    parts = searches[0].generator
    return result_of(parts.f2(parts.f1(rows), rows), low, options, None)
