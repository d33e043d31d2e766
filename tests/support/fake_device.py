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
from types import SimpleNamespace
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
    is a matrix times a matrix. And x.numpy(force=True) goes by the CPU, as it does from CUDA."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given: Mapping[str, Any] = kwargs or {}
        device = given.get("device")
        if func is torch.Tensor.new_tensor and isinstance(args[0], FakeTensor):
            return torch.tensor(args[1], dtype=args[0].dtype).to(args[0].device)
        if func is torch.Tensor.numpy and isinstance(args[0], FakeTensor) and given.get("force"):
            return args[0].cpu().detach().numpy()
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


# Paths that the contract's jobs do not take: name → method, options.
PATHS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "PULSE from GLEAN's rows": ("pulse", {"steps": 1, "start": "glean"}),
    "GLEAN without the encoder's features": ("glean", {"parts": "no encoder features"}),
    "mGANprior, hole": ("mganprior", {"iterations": 2, "codes": 2, "job": "inpaint", "hole": "middle"}),
    "mGANprior, offset": ("mganprior", {"iterations": 2, "codes": 2, "job": "invert"}),
    "mGANprior, w+": ("mganprior", {"iterations": 2, "codes": 2, "searched": "w+"}),
    "KernelGAN, lab": (
        "kernelgan",
        {"iterations": 3, "zssr_iterations": 2, "crop": 32, "lab": "random blur"},
    ),
    "DIP, dots": ("dip", {"steps": 2, "job": "inpaint", "hole": "dots"}),
    "SRGAN, all": ("srgan", {"model": "all", "discriminator": True}),
}


def job_of_path(name: str) -> Any:
    """The job of one of PATHS."""
    from gansr.job import Job
    from gansr.options import parse_options
    from gansr.papers import by_name

    method = by_name(PATHS[name][0])
    options = parse_options(method.options, PATHS[name][1])
    height, width = (192, 176) if method.name == "kernelgan" else (24, 20)
    if method.accepts.side is not None:
        height = width = method.accepts.side(options)
    low = torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))
    return Job(method, low, options, 3, "exact")


def _of_jobs(jobs: Mapping[str, Any], cpu: Any, device: Any) -> dict[str, Any]:
    """Job → what a run of it on both devices gave."""
    found: dict[str, Any] = {}
    for name, job in jobs.items():
        expected, frame = cpu.upscale(job), device.upscale(job)
        found[name] = {"apart": _apart(expected, frame), "steps": [expected.steps, frame.steps]}
    return found


def _apart(one: Any, other: Any) -> float:
    assert type(one.image) is type(other.image) is torch.Tensor  # what a frame hands out is on the CPU
    return float((one.image - other.image).abs().max())


class Session:
    """In place of an onnxruntime session: an embedding made of what the network would get, on the CPU."""

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input")]

    def run(self, outputs: None, given: Mapping[str, Any]) -> list[Any]:
        return [given["input"].reshape(1, 448, -1).mean(2)]


def values_of_metrics(cpu: Any, device: Any) -> dict[str, list[Any]]:
    """Metric → its values on both devices; of those that find faces: of an embedding at given landmarks, because their
    networks run on the CPU, with onnxruntime."""
    from gansr.metrics import METRICS, identity
    from gansr.ops.resize import imresize

    def shrink(x: torch.Tensor) -> torch.Tensor:
        return imresize(x, 0.5)

    truth = torch.rand(3, 208, 208, generator=torch.Generator().manual_seed(1))
    noise = torch.rand(3, 208, 208, generator=torch.Generator().manual_seed(2))
    image, low = (truth + 0.1 * noise).clamp(0, 1), shrink(truth)

    def value(engine: Any, metric: Any) -> float | None:
        if metric.faces:
            embedding = identity.embed(image.to(engine.device), 1.7 * identity.TEMPLATE, Session())
            return float(embedding[0])
        *_, last = engine.measuring(image, low, shrink, truth, metric)
        return last.value

    return {metric.name: [value(cpu, metric), value(device, metric)] for metric in METRICS}


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
    """Print {"methods": …, "paths": …, "metrics": …, "refused": …}."""
    from gansr.engine import Engine
    from gansr.papers import METHODS
    from tests.papers.test_contract import random_net, small_job

    register()
    torch.set_num_threads(1)
    with InPython():
        cpu, device = (Engine(name, load=random_net, pace=0.0) for name in ("cpu", NAME))
        found = {
            "methods": _of_jobs({method.name: small_job(method) for method in METHODS}, cpu, device),
            "paths": _of_jobs({name: job_of_path(name) for name in PATHS}, cpu, device),
            "metrics": values_of_metrics(cpu, device),
            "refused": _refusals(),
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
