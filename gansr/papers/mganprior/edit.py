"""Semantic editing: every code of an inversion moves along one direction of the latent space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.method import Frame, Nets, View
from gansr.papers.mganprior import directions
from gansr.papers.mganprior.composition import principal_directions, samples_of_w
from gansr.papers.mganprior.options import DIRECTIONS, Options
from gansr.papers.mganprior.search import Search
from gansr.papers.mganprior.tasks import result_of
from gansr.papers.mganprior.views import THUMBNAIL
from gansr.picture import animated_webp

SWEEP = 9  # pictures of the animation
ANIMATION_SIDE = 512  # px, at most


def edit_direction(options: Options, nets: Nets) -> Tensor:
    """The vector (1,style) by which an amount of 1 moves every code."""
    if options.boundary is not None:
        return options.boundary
    if options.direction in directions.NAMED:
        return directions.shipped()[options.direction].step
    net = nets["generator"]
    principal, deviations = principal_directions(samples_of_w(net.mapping, net.style))
    k = DIRECTIONS.index(options.direction)
    return principal[k : k + 1] * deviations[k]


def about(options: Options) -> tuple[str, ...]:
    """What a user should know of a named direction: how it was found, and how well; nothing of the others."""
    if options.boundary is not None or options.direction not in directions.NAMED:
        return ()
    known = directions.shipped()[options.direction]
    return (
        f"of {known.held} faces of the generator, the direction tells {known.accuracy:.0%} right of those that have "
        "most or least of it. Far from 0 other things change too",
    )


@torch.no_grad()
def moved_picture(search: Search, shift: Tensor) -> Tensor:
    """The picture (1,3,S,S) with every code, and F2's own style, moved by `shift` (1,style); α and the offset stay."""
    generator, f2_style = search.generator, search.f2_style.detach()
    return generator.f2(
        search.composed(generator.f1(search.codes + shift)), f2_style + shift if len(f2_style) else f2_style
    )


def edit_frames(
    search: Search, low: Tensor, inverted: Tensor, nets: Nets, views: Mapping[str, View], done: int
) -> Iterator[Frame]:
    """SWEEP frames from −span to +span, then the picture at `amount` with the animation beside it.

    low, inverted: the input and the inversion, (3,side,side) in [0,1]; views: of the inversion; done: its steps.
    """
    options, steps = search.options, done + SWEEP + 1
    unit = edit_direction(options, nets).to(low.device)
    pictures: list[Tensor] = []
    for i in range(SWEEP):
        t = options.span * (2 * i / (SWEEP - 1) - 1)
        pictures.append(result_of(moved_picture(search, t * unit), low, options, None))
        yield Frame(pictures[-1], done + 1 + i, steps, {"edit amount": t}, views, form=search.generator.form)
    image = result_of(moved_picture(search, options.amount * unit), low, options, None)
    small = [F.interpolate(p[None], (THUMBNAIL, THUMBNAIL), mode="area")[0] for p in pictures[::2]]
    name = options.direction if options.boundary is None else "the boundary"
    title = f"{name}: −{options.span:g} … +{options.span:g}"
    yield Frame(
        image,
        steps,
        steps,
        {"edit amount": options.amount},
        {title: torch.cat(small, dim=2), **views},
        answers={"not edited": inverted},
        files={"edit.webp": animation(pictures)},
        notices=about(options),
        form=search.generator.form,
    )


def animation(pictures: list[Tensor]) -> bytes:
    """Pictures (3,S,S) in [0,1] → an endless animated WebP, forwards and back, of at most ANIMATION_SIDE px."""
    side = ANIMATION_SIDE
    small = [
        p if p.shape[-1] <= side else F.interpolate(p[None], (side, side), mode="area")[0] for p in pictures
    ]
    return animated_webp([*small, *small[-2:0:-1]])
