"""A device that computes on the CPU but refuses tensors of the CPU, as a GPU does: a forgotten move is an error here.

It is torch's PrivateUse1 backend, written in Python: `FakeTensor` holds a tensor of the CPU and says that it is on the
device. As on CUDA, tensors of one number may come from the CPU, and copies from device to device are explicit. A
process that has called `register` has this device until it ends, so tests run it in a process of its own:

    python -m tests.support.fake_device      every method, on the CPU and on this device, as JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "fakegpu"
COPIES = ("aten::_to_copy", "aten::copy_")  # from one device to another
MATMUL = (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__)
_libraries: list[torch.library.Library] = []  # what is registered lasts as long as they do


class ImplicitTransferError(RuntimeError):
    """An operation was given tensors of both devices."""


class FakeTensor(torch.Tensor):
    """A tensor of the fake device; `inner` is the tensor of the CPU that has its values."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> FakeTensor:
        return torch.Tensor._make_wrapper_subclass(  # pyright: ignore
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"FakeTensor({tuple(self.shape)})"

    def tolist(self) -> Any:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class InPython(TorchFunctionMode):
    """Does in another way what does not work in C++ on a device in Python: torch.tensor(…, device=…) and
    x.new_tensor(…) make the tensor on the CPU and move it; a vector times a matrix, where C++ changes a shape in place,
    is a matrix times a matrix."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given: Mapping[str, Any] = kwargs or {}
        device = given.get("device")
        if func is torch.Tensor.new_tensor and isinstance(args[0], FakeTensor):
            return torch.tensor(args[1], dtype=args[0].dtype).to(args[0].device)
        if func in MATMUL and args[0].dim() == 1 and args[1].dim() == 2:
            return func(args[0][None], args[1])[0]
        if func is torch.tensor and device is not None and torch.device(device).type == NAME:
            return func(*args, **{**given, "device": "cpu"}).to(device)
        return func(*args, **given)


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def register() -> None:
    """Give this process the device NAME."""
    _setup_privateuseone_for_python_backend(NAME, _Backend())
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda func, *args, **kwargs: _computed(func, args, kwargs), "PrivateUse1")
    _libraries.append(library)


def _computed(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """An operation on the inner tensors. Raises ImplicitTransferError."""
    name, device = func._schema.name, kwargs.get("device")
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    fakes = [each for each in tensors if isinstance(each, FakeTensor)]
    others = [each for each in tensors if not isinstance(each, FakeTensor) and each.dim() > 0]
    if fakes and others and name not in COPIES:
        raise ImplicitTransferError(
            f"{name}: a tensor of the CPU, {tuple(others[0].shape)}, beside one of the device"
        )
    on_device = bool(fakes)
    if device is not None:
        on_device, kwargs = torch.device(device).type == NAME, {**kwargs, "device": torch.device("cpu")}
    if name == "aten::copy_":
        on_device = isinstance(args[0], FakeTensor)
    inner = tree_map(lambda each: each.inner if isinstance(each, FakeTensor) else each, (args, dict(kwargs)))
    found = func(*inner[0], **inner[1])
    if not on_device:
        return found
    known = {id(fake.inner): fake for fake in fakes}  # an operation in place returns what it was given

    def outer(each: Any) -> Any:
        if not isinstance(each, torch.Tensor):
            return each
        return known[id(each)] if id(each) in known else FakeTensor(each)

    return tree_map(outer, found)


def _of_methods(cpu: Any, device: Any) -> dict[str, Any]:
    """Method → what a run of it on both devices gave."""
    from gansr.papers import METHODS
    from tests.papers.test_contract import small_job

    found: dict[str, Any] = {}
    for method in METHODS:
        job = small_job(method)
        expected, frame = cpu.upscale(job), device.upscale(job)
        found[method.name] = {"apart": _apart(expected, frame), "steps": [expected.steps, frame.steps]}
    return found


def _apart(one: Any, other: Any) -> float:
    assert type(one.image) is type(other.image) is torch.Tensor  # what a frame hands out is on the CPU
    return float((one.image - other.image).abs().max())


def _of_metrics(cpu: Any, device: Any) -> dict[str, Any]:
    """Metric → its values on both devices; not those that find faces: with onnxruntime, on the CPU."""
    from gansr.metrics import METRICS
    from gansr.ops.resize import imresize

    def shrink(x: torch.Tensor) -> torch.Tensor:
        return imresize(x, 0.5)

    truth = torch.rand(3, 208, 208, generator=torch.Generator().manual_seed(1))
    noise = torch.rand(3, 208, 208, generator=torch.Generator().manual_seed(2))
    image, low = (truth + 0.1 * noise).clamp(0, 1), shrink(truth)

    def value(engine: Any, metric: Any) -> float | None:
        *_, last = engine.measuring(image, low, shrink, truth, metric)
        return last.value

    return {
        metric.name: [value(cpu, metric), value(device, metric)] for metric in METRICS if not metric.faces
    }


def _refusals() -> dict[str, bool]:
    """What must be refused, and what must not."""
    ours, theirs = torch.ones(2).to(NAME), torch.ones(2)

    def refused(compute: Callable[[], Any]) -> bool:
        try:
            compute()
        except ImplicitTransferError:
            return True
        return False

    return {
        "sum of both devices": refused(lambda: ours + theirs),
        "list of both devices": refused(lambda: torch.stack((ours, theirs))),
        "number of the CPU": refused(lambda: ours + torch.tensor(1.0)),
        "explicit copy": refused(lambda: ours.cpu() + theirs),
    }


def main() -> None:
    """Print {"methods": …, "metrics": …, "refused": …}."""
    from gansr.engine import Engine
    from tests.papers.test_contract import random_net

    register()
    torch.set_num_threads(1)
    with InPython():
        cpu, device = (Engine(name, load=random_net, pace=0.0) for name in ("cpu", NAME))
        found = {
            "methods": _of_methods(cpu, device),
            "metrics": _of_metrics(cpu, device),
            "refused": _refusals(),
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
