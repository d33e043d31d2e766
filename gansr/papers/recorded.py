"""A training step as a CUDA graph.

A step of these small networks launches over a thousand kernels of a few microseconds each, which takes the processor
longer than the GPU needs to run them. A graph launches them all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Function = Callable[..., Mapping[str, Tensor]]
EAGER = 3  # calls before the recording, in which optimisers make their state and cuDNN chooses its algorithms


class Recorded:
    """A function of tensors that runs on a GPU, recorded at its fourth call and replayed from then on.

    It must do the same work on tensors of the same shapes in each call: what changes from call to call has to be a
    tensor that it reads. The tensors that it returns are overwritten by the next call.
    """

    def __init__(self, function: Function):
        self._function, self._calls = function, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: Mapping[str, Tensor] = {}

    def __call__(self, *inputs: Tensor) -> Mapping[str, Tensor]:
        """inputs: on the GPU."""
        if self._calls < EAGER:
            self._calls += 1
            return self._chosen(*inputs)
        if self._graph is None:
            self._record(inputs)
        assert self._graph is not None
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return self._outputs

    def _chosen(self, *inputs: Tensor) -> Mapping[str, Tensor]:
        before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
        try:
            return self._function(*inputs)
        finally:
            torch.backends.cudnn.benchmark = before

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(given.clone() for given in inputs)
        self._graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        own = None if stream == torch.cuda.default_stream() else stream  # the default one cannot be recorded
        with torch.cuda.graph(self._graph, stream=own):
            self._outputs = self._chosen(*self._inputs)
