"""One picture at several composing layers: the paper's figures 4 and 11, which compare them for each job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gansr.method import Curve, Frame, Nets, State
from gansr.papers.mganprior.baselines import baseline_of
from gansr.papers.mganprior.options import SWEPT, Options, plan_of
from gansr.papers.mganprior.search import Search, start_search
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
        search = _search(low, replace(options, layer=layer), nets, generator)
        if state is not None and state["layer"] == layer:
            search.restore(state["search"])
        last = search.plan.iterations

        def save(search: Search = search, layer: str = layer) -> State:
            kept = {name: picture.clone() for name, picture in found.items()}
            return {"found": kept, "lines": dict(losses), "layer": layer, "search": search.state()}

        for step in range(len(search.losses) + 1, last + 1):
            x, readings = search.step(step)
            image = result_of(x, low, search.options, search.hole, search.correct)
            drawn = {f"{name} px": line for name, line in (losses | {layer: tuple(search.losses)}).items()}
            curve = Curve(drawn, log=True)
            at, steps = index * last + step, len(SWEPT) * last
            if step < last:
                yield Frame(
                    image, at, steps, readings, {"loss": curve}, form=search.generator.form, save=save
                )
                continue
            found[layer], losses[layer] = image, tuple(search.losses)
            if at < steps:
                yield Frame(image, at, steps, readings, {"loss": curve}, form=search.generator.form)
                continue
            yield Frame(
                found[shown],
                at,
                steps,
                readings,
                {"loss": curve},
                answers={
                    f"composing layer {name} px": picture for name, picture in found.items() if name != shown
                },
                notices=(f"The result is that of the composing layer of {shown} px.",),
                form=search.generator.form,
            )


def _search(low: Tensor, options: Options, nets: Nets, generator: torch.Generator) -> Search:
    own = torch.Generator(generator.device).manual_seed(generator.initial_seed())
    search = start_search(low, options, nets, own)
    return search if options.searched == "codes" else baseline_of(search, nets, own)
