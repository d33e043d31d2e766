"""The picture of a run on its way, as a small file that is written again only when the picture has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from torch import Tensor

from gansr.picture import to_png
from gansr.ui import files, render


@dataclass
class LivePicture:
    """The last file of one run, and what it shows."""

    path: str = ""
    digest: bytes = b""

    def show(self, image: Tensor) -> str:
        """The path of a preview of `image` (3,H,W) in [0,1] on the CPU."""
        small = render.preview(image).contiguous()
        digest = hashlib.blake2b(small.numpy().tobytes(), digest_size=16).digest()
        if digest != self.digest:
            self.path, self.digest = files.save(to_png(small), "live.png"), digest
        return self.path
