"""Why a lent GPU was refused or taken away, in words for the user.

`spaces` (0.51.3) raises gradio's Error in the main process, with a title and a message; its texts stand in
spaces/zero/client.py and wrappers.py, and are matched here. Gradio is not imported: the two are read by name. Of what
the worker itself raises, only the name of the class arrives.
"""

from __future__ import annotations

import re
from typing import Literal

from gansr.method import MethodError

Kind = Literal["quota", "duration", "aborted", "no gpu", "expired"]

TEXTS: dict[Kind, str] = {
    "quota": (
        "Your GPU time for today is not enough for this run. Choose fewer steps, sign in to Hugging Face for more "
        "time, come back tomorrow, or duplicate this Space and run it on hardware of your own."
    ),
    "duration": (
        "This run needs the GPU for longer than you may have it at once. Choose fewer steps or a smaller picture, sign "
        "in to Hugging Face, or duplicate this Space and run it on hardware of your own."
    ),
    "aborted": (
        "The GPU was taken away before the run had ended. Press Run again with fewer steps or a smaller picture, or "
        "duplicate this Space and run it on hardware of your own."
    ),
    "no gpu": (
        "No GPU is free now. Press Run again in a minute. Signed in to Hugging Face you are served earlier, and a "
        "duplicate of this Space can have hardware of its own."
    ),
    "expired": "The page was open for too long. Reload it and press Run again.",
}
# Title and message of spaces' errors → kind; the first that is found in "title: message" counts.
_PATTERNS: tuple[tuple[str, Kind], ...] = (
    (r"illegal duration|larger than the maximum allowed", "duration"),
    (r"No GPU (was|is)|queue timeout|queue disconnect|end of stream|ZeroGPU API /", "no gpu"),
    (r"quota exceeded|credits exceeded|exceeded your .*(quota|runs limit)|reached its GPU limit", "quota"),
    (r"GPU task aborted", "aborted"),
    (r"[Ee]xpired ZeroGPU|Connection closed by visitor", "expired"),
)
_LEFT = re.compile(r"requested vs\. (\d+)s left")


class GpuRefused(MethodError):
    """No GPU for this run, or no longer. `left`: seconds that the visitor still has, where the refusal says so."""

    def __init__(self, kind: Kind, left: float | None = None):
        super().__init__(TEXTS[kind])
        self.kind, self.left = kind, left


def refusal_of(error: BaseException) -> GpuRefused | None:
    """What an error of `spaces` means; None for one that is not of its kinds."""
    text = f"{getattr(error, 'title', '')}: {getattr(error, 'message', error)}"
    for pattern, kind in _PATTERNS:
        if re.search(pattern, text):
            left = _LEFT.search(text)
            return GpuRefused(kind, float(left[1]) if left else None)
    from_client = type(error).__module__.partition(".")[0]
    return GpuRefused("no gpu") if from_client in ("httpx", "httpcore") else None
