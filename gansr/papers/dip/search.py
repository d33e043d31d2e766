"""The fit of the network to one picture (equations 2, 3, 6 and 8 of the paper)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gansr.method import State
from gansr.ops.plain import copied
from gansr.ops.projection import DownscaleProjection, downscale_matrix
from gansr.papers.dip.network import MULTIPLE, SMALLEST, Hourglass
from gansr.papers.dip.options import Options, factor_of

INPUTS, HEIGHT = 32, 0.1  # channels of the network's input z, and how far its uniform values reach
SKIP = 4  # channels of a skip connection
WINDOW, SHARE = 100, 10  # the average covers this many steps, or one in so many of those done


class Fit:
    """A network that learns to draw one picture, and the average of what it has drawn.

    low: (3,H,W) in [0,1]. hole: (1,H,W), 1 where nothing is known, for "inpaint". generator: all randomness comes
    from it. dtype: of the convolutions, float32 or bfloat16.
    """

    def __init__(
        self,
        low: Tensor,
        options: Options,
        hole: Tensor | None,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ):
        self.low, self.options, self.hole, self.generator, self.dtype = low, options, hole, generator, dtype
        height, width = (side * factor_of(options) for side in low.shape[-2:])
        self.size = height, width
        self.canvas = canvas(height), canvas(width)  # what is beyond the picture is free
        net = Hourglass(INPUTS, options.width, SKIP, generator)
        self.net = net.to(low.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.z = self._drawn(torch.rand) * HEIGHT
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=options.lr)
        self.average, self.losses = torch.zeros(3, *self.size, device=low.device), list[float]()
        self.projection: DownscaleProjection | None = None
        if options.job == "sr":
            rows, columns = (downscale_matrix(side, options.scale) for side in low.shape[-2:])
            self.projection = DownscaleProjection(rows, columns).to(low.device)

    def state(self) -> State:
        """What `restore` goes on from."""
        return copied(
            {
                "net": self.net.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average,
                "losses": self.losses,
                "generator": self.generator.get_state(),
            }
        )

    def restore(self, state: State) -> None:
        """Go on after the steps of a `state` of the same input and options."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(copied(state["optimiser"]))  # torch would keep the caller's tensors
        self.average = state["average"].to(self.average)
        self.losses = [*state["losses"]]
        self.generator.set_state(state["generator"])

    def step(self) -> float:
        """One step of Adam; returns the loss before it."""
        with torch.enable_grad():
            drawn = self.draw()
            loss = self.loss(drawn)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.losses.append(loss.item())
        self._take(drawn.detach())
        return self.losses[-1]

    def draw(self) -> Tensor:
        """What the network draws now, (3,H,W) of the result's size in (0,1)."""
        z = self.z
        if self.options.noise:
            z = z + self.options.noise * self._drawn(torch.randn)
        with torch.autocast(z.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            drawn = self.net(z)[0]
        return drawn[:, : self.size[0], : self.size[1]]

    def loss(self, drawn: Tensor) -> Tensor:
        """The mean squared difference of what the network draws, (3,H,W), and what is known of the picture."""
        if self.projection is not None:
            drawn = self.projection.downscale(drawn)
        difference = drawn - self.low
        if self.hole is not None:
            difference = difference * (1 - self.hole)
        return difference.square().mean()

    @torch.no_grad()
    def picture(self) -> Tensor:
        """The result so far, (3,H,W) in [0,1]."""
        picture = self.average
        if self.projection is not None and self.options.correct:
            picture = self.projection.project(picture, self.low)
        if self.hole is not None:
            picture = torch.where(self.hole > 0, picture, self.low)
        return picture.clamp(0, 1)

    @torch.no_grad()
    def _take(self, drawn: Tensor) -> None:
        """Into the average: each step's share is 1 over the window, which grows with the steps done."""
        window = min(WINDOW, 1 + len(self.losses) // SHARE) if self.options.average else 1
        self.average = self.average.lerp(drawn, 1 / window)

    def _drawn(self, kind: Callable[..., Tensor]) -> Tensor:
        """Random values of the network's input (1,INPUTS,*canvas), channels last."""
        drawn = kind((1, *self.canvas, INPUTS), generator=self.generator)
        return drawn.to(self.low.device).permute(0, 3, 1, 2)


def canvas(side: int) -> int:
    """The side that the network draws of a picture's side, px."""
    return max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE)
