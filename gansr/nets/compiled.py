"""MobileStyleGAN arranged for a search: narrower numbers, channels innermost, and compiled where that can be had.

What a search costs on a processor is memory traffic: depthwise convolutions and element-wise passes over pictures
of 512². bfloat16 halves it, torch.compile fuses the passes between the convolutions. Compiled is everything
after block `CUT` (64²). One compiled function so serves PULSE, which comes through all blocks, and multi-code
composition, which enters at 32² or 64².

Seconds for a step of PULSE at 1024², forward and backward, on two Zen 5 cores (python -m gansr bench pulse): the graph
as it is written 1.35 to 1.40, with our allocator 0.43, this arrangement in float32 0.24, in bfloat16 (but for the first
blocks) 0.16, compiled 0.14 to 0.15.

Compiling takes 10–40 s, so it runs in a thread (`start`, from the app's start; never on ZeroGPU), and until it is
ready, and wherever it fails, the same code runs uncompiled. A run keeps the form it began with (`prepared`
returns a snapshot), so that its steps are of one arithmetic. The compiler's own cache makes the next start short.
"""

from __future__ import annotations

import copy
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gansr.nets.mobilestylegan import MobileStyleGAN

CUT = 4  # blocks that stay uncompiled

Tail = Callable[..., Tensor]


@dataclass
class _Kept:
    """One copy of a net in one precision, and what became of compiling it."""

    net: MobileStyleGAN
    tail: Tail | None = None
    state: str = "eager"  # eager · compiling · compiled · or why it stays eager
    lock: threading.Lock = field(default_factory=threading.Lock)


_kept: weakref.WeakKeyDictionary[nn.Module, dict[tuple[str, torch.dtype], _Kept]] = (
    weakref.WeakKeyDictionary()
)
_lock = threading.Lock()


class Prepared:
    """`first`, `rest`, `synthesis`, `scales` and the facts of a MobileStyleGAN, in one precision.

    Features are in that precision; rows may be float32; pictures come as float32. Gradients reach rows and
    features. Batches, and calls that want no gradients, run uncompiled: per step one picture is as good.
    """

    def __init__(self, net: MobileStyleGAN, tail: Tail | None, exact: MobileStyleGAN):
        self._net, self._tail, self._exact = net, tail, exact
        self.style_rows, self.side, self.shapes = net.style_rows, net.side, net.shapes
        self.noise_sides, self.gain, self.style = net.noise_sides, net.gain, net.style
        self.dtype = net.body.picture.weight.dtype
        self._early = min(CUT, len(net.body.blocks))

    @property
    def form(self) -> str:
        """For the timing line: "compiled bf16", "eager bf16", "compiled float32", "eager float32"."""
        short = "bf16" if self.dtype == torch.bfloat16 else str(self.dtype).removeprefix("torch.")
        return f"{'eager' if self._tail is None else 'compiled'} {short}"

    def synthesis(self, rows: Tensor) -> Tensor:
        """Style rows (B, style_rows, style) → pictures (B,3,side,side) float32, about [−1,1]."""
        return self.late(self.early(rows), rows)

    def early(self, rows: Tensor) -> Tensor:
        """The features after `CUT` blocks, in float32: there a gradient in bfloat16 is too coarse for a search.

        The astronaut at PULSE's preset Paper: of 4 answers 2 came within 2e-3 in bfloat16 throughout, 4 with the
        first blocks in float32, as with all of it; a step costs a fifth more than in bfloat16 throughout.
        """
        return self._exact.first(rows, self._early)

    def late(self, features: Tensor, rows: Tensor) -> Tensor:
        """Features of `early` → pictures, as `rest`."""
        return self.rest(features, rows, self._early)

    def first(self, rows: Tensor, upto: int) -> Tensor:
        """As MobileStyleGAN.first, in this precision."""
        return self._net.first(rows, upto)

    def rest(self, features: Tensor, rows: Tensor, start: int) -> Tensor:
        """As MobileStyleGAN.rest; the picture is float32."""
        body, scales = self._net.body, self._net.scales(rows, start)
        x, tail, own = features.to(self.dtype), self._tail, scales[1 + 2 * CUT :]
        if tail is None or start > CUT or not _compiled_for(x, own):
            return body.rest(x, scales, start).float()
        x = body.between(x, scales, start, CUT)
        return tail(x.clone(memory_format=torch.channels_last), *own).float()


def _compiled_for(x: Tensor, scales: list[Tensor]) -> bool:
    """Whether this call is the one that was compiled; any other would be compiled anew, on the run's time."""
    return len(x) == 1 and torch.is_grad_enabled() and all(t.requires_grad for t in (x, *scales))


def prepared(net: MobileStyleGAN, dtype: torch.dtype) -> Prepared:
    """`net` for a search in `dtype` on the device where it is, in the best form that is ready now."""
    kept = _keep(net, dtype)
    return Prepared(kept.net, kept.tail, _keep(net, torch.float32).net)


def state(net: MobileStyleGAN, dtype: torch.dtype) -> str:
    """What became of compiling: "eager" (not asked for), "compiling", "compiled", or why it stays eager."""
    return _keep(net, dtype).state


def start(net: MobileStyleGAN, dtype: torch.dtype, cache: str | None = None) -> threading.Thread | None:
    """Compile in the background; returns the thread, or None where there is nothing to do or to do it with.

    cache: the folder that keeps what the compiler makes, for the next start. Only on a processor: graphics cards
    are fast without. The caller must not ask for it on ZeroGPU.
    """
    kept = _keep(net, dtype)
    with kept.lock:
        if kept.state != "eager":
            return None
        if (reason := _impossible(kept.net)) is not None:
            kept.state = reason
            return None
        kept.state = "compiling"
    if cache is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", cache)
    thread = threading.Thread(target=_compile, args=(kept,), name="compile", daemon=True)
    thread.start()
    return thread


def _keep(net: MobileStyleGAN, dtype: torch.dtype) -> _Kept:
    device = net.body.picture.weight.device
    with _lock:
        forms = _kept.setdefault(net, {})
        if (str(device), dtype) not in forms:
            forms[str(device), dtype] = _Kept(_copy(net, dtype))
        return forms[str(device), dtype]


def _copy(net: MobileStyleGAN, dtype: torch.dtype) -> MobileStyleGAN:
    """The affine maps of the styles stay float32: they are small, and errors there move whole channels."""
    arranged = copy.deepcopy(net).requires_grad_(False).eval()
    arranged.body.to(dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return arranged


def _impossible(net: MobileStyleGAN) -> str | None:
    if net.body.picture.weight.device.type != "cpu":
        return "eager: not on a processor"
    if len(net.body.blocks) < CUT:
        return "eager: too small to compile"
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++", "c++"))):
        return "eager: no C++ compiler"
    return None


def _compile(kept: _Kept) -> None:
    """Compile by a first call, forward and backward, on inputs like a search's."""
    try:
        tail = _tail_of(kept.net)
        _rehearse(kept.net, tail)
    except Exception as error:  # whatever the compiler stumbles over, the uncompiled form is there
        kept.state = f"eager: {type(error).__name__}"
        return
    kept.tail, kept.state = tail, "compiled"


def _tail_of(net: MobileStyleGAN) -> Tail:
    body = net.body
    skipped = [torch.empty(0)] * (1 + 2 * CUT)

    def tail(x: Tensor, *scales: Tensor) -> Tensor:
        return body.rest(x, [*skipped, *scales], CUT)

    return torch.compile(tail, dynamic=False)


def _rehearse(net: MobileStyleGAN, tail: Tail) -> None:
    with torch.enable_grad():
        rows = torch.zeros(1, net.style_rows, net.style, requires_grad=True)
        x = net.first(rows, CUT).clone(memory_format=torch.channels_last)
        for _ in range(2):  # the second call is warm, and would show a recompilation
            picture = tail(x, *net.scales(rows, CUT)[1 + 2 * CUT :])
            picture.float().sum().backward(retain_graph=True)
