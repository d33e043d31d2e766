"""One picture at several composing layers: the paper's figures 4 and 11, which compare them for each job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Curve, Frame, Nets, State
from gansr.papers.mganprior.baselines import search_of
from gansr.papers.mganprior.options import SWEPT, Options, plan_of
from gansr.papers.mganprior.search import Search
from gansr.papers.mganprior.tasks import result_of


def sweep_frames(
    low: Tensor, options: Options, nets: Nets, generator: torch.Generator, state: State | None
) -> Iterator[Frame]:
    """low (3,side,side) in [0,1] → a frame for each iteration at each layer of SWEPT. The result is that of the layer
    which "auto" takes, or else of the last; the others are the last frame's `answers`. Every layer's search has the
    same random numbers."""
    usual = str(plan_of(replace(options, layer="auto")).layer)
    shown = usual if usual in SWEPT else SWEPT[-1]
    found: dict[str, Tensor] = {} if state is None else dict(state["found"])
    losses: dict[str, tuple[float, ...]] = {} if state is None else dict(state["lines"])
    for index, layer in enumerate(SWEPT):
        if layer in found:
            continue
        own = torch.Generator(generator.device).manual_seed(generator.initial_seed())
        search = search_of(low, replace(options, layer=layer), nets, own)
        if state is not None and state["layer"] == layer:
            search.restore(state["search"])
        last = search.plan.iterations

        def save(search: Search = search, layer: str = layer) -> State:
            kept = {name: picture.clone() for name, picture in found.items()}
            return {"found": kept, "lines": dict(losses), "layer": layer, "search": search.state()}

        for step in range(len(search.losses) + 1, last + 1):
            x, readings = search.step(step)
            image = result_of(x, low, search.options, search.hole, search.correct)
            lines = losses | {layer: tuple(search.losses)}
            at, steps = index * last + step, len(SWEPT) * last
            if step == last:
                found[layer], losses[layer] = image, lines[layer]
            whole = at == steps
            others = {f"composing layer {name} px": each for name, each in found.items() if name != shown}
            yield Frame(
                found[shown] if whole else image,
                at,
                steps,
                readings,
                {"loss": Curve({f"{name} px": line for name, line in lines.items()}, log=True)},
                answers=others if whole else {},
                notices=(f"The result is that of the composing layer of {shown} px.",) if whole else (),
                form=search.generator.form,
                save=save if step < last else None,
            )
