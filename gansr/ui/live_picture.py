"""The picture of a run on its way, as a small file that is written again only when the picture has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from torch import Tensor

from gansr.picture import to_png
from gansr.ui import files, render

ROUNDING = 0.5 / 255


@dataclass
class LivePicture:
    """The last file of one run, and what it shows."""

    path: str = ""
    digest: bytes = b""
    own: bool = False  # it differs from the first one, what went in, by more than rounding
    _first: Tensor | None = field(default=None, repr=False)

    def show(self, image: Tensor) -> str:
        """The path of a preview of `image` (3,H,W) in [0,1] on the CPU."""
        small = render.preview(image).contiguous()
        first = self._first = small if self._first is None else self._first
        self.own = small.shape != first.shape or float((small - first).abs().max()) > ROUNDING
        digest = hashlib.blake2b(small.numpy().tobytes(), digest_size=16).digest()
        if digest != self.digest:
            self.path, self.digest = files.save(to_png(small), "live.png"), digest
        return self.path
