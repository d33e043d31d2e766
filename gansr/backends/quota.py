"""Seconds of GPU that visitors of a ZeroGPU Space have left today, as far as this Space knows.

The Hub counts them, over all Spaces; only it can refuse. It tells what is left to the owner of a token (`remaining`),
and in a refusal. Of others we assume the least, that of a visitor who is not signed in, minus what they used here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

TIERS = {"anonymous": 120.0, "free": 300.0, "pro": 2400.0}  # seconds a day (Hub documentation, 2026-08)
DAY = 86_400.0  # seconds
FRESH = 300.0  # seconds that an answer of the Hub is used; what is used here is subtracted meanwhile
MOST = 4096  # visitors that are kept


@dataclass
class _Known:
    left: float
    told: bool  # by the Hub; otherwise assumed
    since: float


class Quota:
    """By visitor. Its methods may be called on any thread."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, ask: Callable[[str], float | None] | None = None
    ):
        self._clock, self._ask, self._lock = clock, ask or remaining, threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def left(self, visitor: str) -> float:
        """Seconds that the visitor has left today, at least 0; assumed where nobody has told."""
        with self._lock:
            return max(0.0, self._of(visitor).left)

    def is_told(self, visitor: str) -> bool:
        """Whether the Hub has told what the visitor has left."""
        with self._lock:
            return self._of(visitor).told

    def tell(self, visitor: str, left: float) -> None:
        """The Hub says that the visitor has `left` seconds."""
        with self._lock:
            self._known[visitor] = _Known(left, True, self._clock())

    def refresh(self, visitor: str, token: str) -> None:
        """Ask the Hub what the visitor has left, whose token this is, unless it has told lately."""
        with self._lock:
            known = self._of(visitor)
            fresh = known.told and self._clock() - known.since < FRESH
        if not fresh and (left := self._ask(token)) is not None:
            self.tell(visitor, left)

    def use(self, visitor: str, seconds: float) -> None:
        """The visitor has used `seconds`, as the Hub counts them."""
        with self._lock:
            self._of(visitor).left -= seconds

    def _of(self, visitor: str) -> _Known:
        known = self._known.get(visitor)
        if known is None or self._clock() - known.since > DAY:
            known = self._known[visitor] = _Known(TIERS["anonymous"], False, self._clock())
        self._known.move_to_end(visitor)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return known


def remaining(token: str) -> float | None:
    """Seconds that the owner of a Hub token has left; None where the Hub does not say. One request (GET
    /api/spaces/zero-gpu/quota of huggingface_hub's endpoint). The token is not kept."""
    from huggingface_hub import HfApi

    try:
        return float(HfApi().get_zero_gpu_quota(token=token).remaining)
    except Exception:  # of the network, of the token, or of the answer's form
        return None
