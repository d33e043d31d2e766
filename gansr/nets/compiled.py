"""MobileStyleGAN optimised for a latent search: bfloat16, channels_last, and compiled where that is possible.

On a processor a search is limited by memory traffic: depthwise convolutions and element-wise passes over pictures of
512². bfloat16 halves the traffic, and torch.compile fuses the passes between the convolutions. Only the blocks after
block `CUT` (64²) are compiled. That one compiled function serves both PULSE, which runs all blocks, and multi-code
composition, which enters at 32² or 64².

Seconds for a step of PULSE at 1024², forward and backward, on two Zen 5 cores (python -m gansr bench pulse): the graph
as it is written 1.35 to 1.40, with our allocator 0.43, channels_last in float32 0.24, in bfloat16 (except the first
blocks) 0.16, compiled 0.14 to 0.15.

Compiling takes 10–40 s, so it runs in a background thread. Until it is finished, and wherever it fails, the same code
runs uncompiled. A run takes a `snapshot` and keeps it, so that all its steps use the same arithmetic. The compiler's
own cache (TORCHINDUCTOR_CACHE_DIR) shortens the next start.
"""

from __future__ import annotations

import copy
import os
import shutil
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from gansr.nets.mobilestylegan import MobileStyleGAN

KIND = (
    "mobilestylegan"  # the key under which papers share one OptimisedMobileStyleGAN per network and precision
)
CUT = 4  # blocks that stay uncompiled

Tail = Callable[..., Tensor]  # features after block CUT, and the later scales → the picture


class OptimisedMobileStyleGAN:
    """A copy of a MobileStyleGAN in `dtype` and channels_last, on the same device, and the state of its compilation.

    The network itself is not changed. `state` is "eager" (not compiled so far), "compiling", "compiled", or
    "eager: " and the reason why it stays uncompiled.
    """

    def __init__(self, net: MobileStyleGAN, dtype: torch.dtype):
        self._net = _optimised_copy(net, dtype)
        self._exact = self._net if dtype == torch.float32 else _optimised_copy(net, torch.float32)
        self._tail: Tail | None = None
        self._lock = threading.Lock()
        self.state = "eager"

    def snapshot(self) -> Snapshot:
        """The best form that is ready now. It does not change when the compilation finishes later."""
        return Snapshot(self._net, self._exact, self._tail)

    def compile_in_background(self) -> threading.Thread | None:
        """Start compiling; returns the thread, or None if compilation was started before or is not possible here.

        Only on a processor: graphics cards are fast without it. Do not call it on ZeroGPU.
        """
        with self._lock:
            if self.state != "eager":
                return None
            if (reason := _impossible(self._net)) is not None:
                self.state = reason
                return None
            self.state = "compiling"
        thread = threading.Thread(target=self._compile, name="compile", daemon=True)
        thread.start()
        return thread

    def _compile(self) -> None:
        try:
            tail = _compiled_tail(self._net)
            _first_call(self._net, tail)
        except Exception as error:  # the compiler may raise anything; the uncompiled form remains
            self.state = f"eager: {type(error).__name__}"
            return
        self._tail, self.state = tail, "compiled"


class Snapshot:
    """The `first`, `rest`, `synthesis` and attributes of a MobileStyleGAN, in one precision; made by `snapshot`.

    Features are in that precision; rows may be float32; pictures are float32. Gradients reach rows and features.
    Batches, and calls without gradients, run uncompiled: only the call of one step and one picture is compiled.
    """

    def __init__(self, net: MobileStyleGAN, exact: MobileStyleGAN, tail: Tail | None):
        self._net, self._exact, self._tail = net, exact, tail
        self.style_rows, self.side, self.shapes = net.style_rows, net.side, net.shapes
        self.noise_sides, self.gain, self.style = net.noise_sides, net.gain, net.style
        self.dtype = net.body.picture.weight.dtype
        self._early = min(CUT, len(net.body.blocks))

    @property
    def form(self) -> str:
        """The numerical form: "compiled bf16", "eager bf16", "compiled float32" or "eager float32"."""
        short = "bf16" if self.dtype == torch.bfloat16 else str(self.dtype).removeprefix("torch.")
        return f"{'eager' if self._tail is None else 'compiled'} {short}"

    def synthesis(self, rows: Tensor) -> Tensor:
        """Style rows (B, style_rows, style) → pictures (B,3,side,side) float32, about [−1,1]."""
        return self.late(self.early(rows), rows)

    def early(self, rows: Tensor) -> Tensor:
        """The features after `CUT` blocks, in float32: in these blocks bfloat16 gradients are too coarse for a search.

        Measured with the astronaut at PULSE's preset Paper: of 4 samples 2 came within 2e-3 in bfloat16 throughout,
        4 with the first blocks in float32, as with all blocks in it; a step takes a fifth longer than in bfloat16
        throughout.
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
    """Whether this call is the one that was compiled; any other would be recompiled, which delays the run."""
    return len(x) == 1 and torch.is_grad_enabled() and all(t.requires_grad for t in (x, *scales))


def _optimised_copy(net: MobileStyleGAN, dtype: torch.dtype) -> MobileStyleGAN:
    """The affine maps of the styles stay float32: they are small, and their errors would shift whole channels."""
    made = copy.deepcopy(net).requires_grad_(False).eval()
    made.body.to(dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


def _impossible(net: MobileStyleGAN) -> str | None:
    """The state of a network that cannot be compiled here, with the reason; None if it can."""
    if net.body.picture.weight.device.type != "cpu":
        return "eager: not on a processor"
    if len(net.body.blocks) < CUT:
        return "eager: too small to compile"
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++", "c++"))):
        return "eager: no C++ compiler"
    return None


def _compiled_tail(net: MobileStyleGAN) -> Tail:
    body = net.body
    skipped = [torch.empty(0)] * (1 + 2 * CUT)

    def tail(x: Tensor, *scales: Tensor) -> Tensor:
        return body.rest(x, [*skipped, *scales], CUT)

    return torch.compile(tail, dynamic=False)


def _first_call(net: MobileStyleGAN, tail: Tail) -> None:
    """Compile by calling `tail` forward and backward with inputs like those of a search."""
    with torch.enable_grad():
        rows = torch.zeros(1, net.style_rows, net.style, requires_grad=True)
        x = net.first(rows, CUT).clone(memory_format=torch.channels_last)
        for _ in range(2):  # a recompilation, if there is one, happens in the second call
            picture = tail(x, *net.scales(rows, CUT)[1 + 2 * CUT :])
            picture.float().sum().backward(retain_graph=True)
