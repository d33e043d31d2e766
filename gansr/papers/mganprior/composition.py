"""Splitting a generator at the composing layer, and the weighted sum of the codes' features there (§3.1, §3.2)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gansr.method import Nets
from gansr.nets.compiled import KIND, OptimisedMobileStyleGAN
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.pggan import PGGAN
from gansr.papers.mganprior.options import DIRECTIONS

TRUNCATION = 0.7  # the first w lie between their mean (0) and a free sample (1)
W_SAMPLES = 2048  # samples of w that give its mean and principal directions


@dataclass(frozen=True)
class SplitGenerator:
    """A generator in two parts, F1 before the composing layer and F2 after it."""

    f1: Callable[[Tensor], Tensor]  # codes (B, style), or rows of a StyleGAN, → features (B,C,s,s)
    f2: Callable[[Tensor, Tensor], Tensor]  # features (1,C,s,s), f2_style → picture (1,3,S,S), float32
    initial_codes: Callable[[int, torch.Generator], Tensor]  # N codes to start from, (N, style)
    f2_style: Tensor  # (1, style) where F2 has a style of its own to learn, else (0, style)
    mean: Tensor  # (1, style), of the codes of the prior's own faces
    deviation: Tensor  # (1, style), their standard deviation, entry by entry
    channels: int  # C
    norm_follows: bool  # whether F2 begins with a norm, as the paper's generator does
    mapping: Callable[[Tensor], Tensor] | None  # z (B, style) → codes, where these are others than z
    form: str  # the numerical form, e.g. "compiled bf16"


def split(nets: Nets, layer: int) -> SplitGenerator:
    """The network "generator" of `nets`, split after its features of layer×layer px; convolutions in nets.dtype."""
    if isinstance(nets["generator"], PGGAN):
        return _split_pggan(nets, layer)
    return _split_stylegan(nets, layer)


def _split_pggan(nets: Nets, layer: int) -> SplitGenerator:
    net, dtype = nets["generator"], nets.dtype
    boundary = max(k for k, (_, side) in enumerate(net.shapes) if side == layer)
    device = net.picture.bias.device

    def narrowed() -> PGGAN:
        return copy.deepcopy(net).to(dtype).to(memory_format=torch.channels_last)

    optimised = nets.optimised("pggan", ("generator",), narrowed)

    def initial_codes(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, net.style, generator=generator).to(device)

    return SplitGenerator(
        f1=lambda codes: optimised.first(codes, boundary),
        f2=lambda features, f2_style: optimised.rest(features.to(dtype), boundary).float(),
        initial_codes=initial_codes,
        f2_style=torch.empty(0, net.style, device=device),
        mean=torch.zeros(1, net.style, device=device),
        deviation=torch.ones(1, net.style, device=device),
        channels=net.shapes[boundary][0],
        norm_follows=True,
        mapping=None,
        form="eager bf16" if dtype == torch.bfloat16 else "eager float32",
    )


def _split_stylegan(nets: Nets, layer: int) -> SplitGenerator:
    """Only MobileStyleGAN has a form in half precision; the other StyleGANs stay in float32."""
    net = nets["generator"]
    boundary = next(k for k, (_, side) in enumerate(net.shapes) if side == layer)
    optimised: Any = optimised_mobilestylegan(nets).snapshot() if isinstance(net, MobileStyleGAN) else net
    samples = samples_of_w(net.mapping, net.style)
    mean = samples.mean(0, keepdim=True)

    def initial_codes(n: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(n, net.style, generator=generator).to(mean.device)
        with torch.no_grad():
            return torch.lerp(mean, net.mapping(z), TRUNCATION)

    return SplitGenerator(
        f1=lambda codes: optimised.first(style_rows(net, codes), boundary),
        f2=lambda features, f2_style: optimised.rest(features, style_rows(net, f2_style), boundary).float(),
        initial_codes=initial_codes,
        f2_style=mean,
        mean=mean,
        deviation=samples.std(0, keepdim=True),
        channels=net.shapes[boundary][0],
        norm_follows=False,
        mapping=net.mapping,
        form=optimised.form if isinstance(net, MobileStyleGAN) else "eager float32",
    )


def optimised_mobilestylegan(nets: Nets) -> OptimisedMobileStyleGAN:
    """The optimised form of the role "generator", a MobileStyleGAN, in nets.dtype; papers share it."""
    make = partial(OptimisedMobileStyleGAN, nets["generator"], nets.dtype)
    return nets.optimised(KIND, ("generator",), make)


def style_rows(generator: Any, w: Tensor) -> Tensor:
    """w (B, style) → the style rows of a StyleGAN, (B, style_rows, style), all alike; rows stay as they are."""
    return w if w.dim() == 3 else w[:, None].expand(-1, generator.style_rows, -1)


@torch.no_grad()
def samples_of_w(mapping: nn.Module, style: int) -> Tensor:
    """W_SAMPLES codes w (W_SAMPLES, style) of fixed z, the same in every run."""
    z = torch.randn(W_SAMPLES, style, generator=torch.Generator().manual_seed(0))
    return mapping(z.to(next(mapping.parameters()).device))


@torch.no_grad()
def principal_directions(w: Tensor) -> tuple[Tensor, Tensor]:
    """The principal directions (8,style) of samples (B,style), largest variance first, and the standard deviations
    along them (8,).

    A direction's largest entry is positive, so that its sign does not depend on the machine.
    """
    centred = w - w.mean(0, keepdim=True)
    values, vectors = torch.linalg.eigh(centred.T @ centred / (len(w) - 1))
    directions = vectors.T.flip(0)[: len(DIRECTIONS)]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign(), values.flip(0)[: len(DIRECTIONS)].clamp_min(0).sqrt()


class _WeightedSum(torch.autograd.Function):
    """Σ_n features_n ⊙ α_n, one code at a time so that the sum stays in the processor's cache; it is accumulated in
    float32 whatever the features are."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, alpha: Tensor) -> Tensor:
        ctx.save_for_backward(features, alpha)
        total = torch.zeros_like(features[:1], dtype=alpha.dtype)
        for f, a in zip(features, alpha):
            total.addcmul_(f[None].to(alpha.dtype), a[None, :, None, None])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        features, alpha = ctx.saved_tensors
        to_features, to_alpha = torch.empty_like(features), torch.empty_like(alpha)
        for n, (f, a) in enumerate(zip(features, alpha)):
            to_features[n] = grad[0] * a[:, None, None]
            to_alpha[n] = (grad[0] * f).sum((1, 2))
        return to_features, to_alpha


def compose(features: Tensor, alpha: Tensor, norm_follows: bool) -> Tensor:
    """Σ_n features_n ⊙ α_n, times 1/N where a norm follows: (N,C,s,s), (N,C) → (1,C,s,s) in α's precision."""
    total: Tensor = _WeightedSum.apply(features, alpha)  # pyright: ignore[reportAssignmentType]
    return total / len(alpha) if norm_follows else total
