"""Receipts: what reproduces a result, in its PNG's text chunk `gansr`. Written, read and replayed here.

A receipt holds the request in its flat form (gansr.request), the hashes of the weights and of the input, the numerical
form (device, dtype, eager or compiled, threads, torch), and a hash of every result file. So "same seed, same picture"
can be checked: `replay` runs the request again with the recorded number of threads and compares every hash.

An option that is a file is stored by content where that is small (STORED), otherwise by hash: then a replay needs the
file again, and checks it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansr import papers, weights
from gansr.inputs import MethodInput
from gansr.method import Frame
from gansr.options import OptionError
from gansr.picture import PictureError, read_text, to_array, to_png
from gansr.problem import Problem
from gansr.request import PROBLEM, Request, decode, encode, fields_of
from gansr.version import version

STORED = 64 * 2**10  # bytes: an option's file is stored in the receipt up to this size, compressed
MOST_LISTS = 10_000  # lists and objects in a receipt
LARGEST = 16 * 2**20  # bytes: the largest tensor that is unpacked from a receipt
DTYPES = {
    name: getattr(torch, name) for name in ("float16", "float32", "float64", "uint8", "bool")
}  # of the tensors that are unpacked
TENSOR = ("sha256", "shape", "dtype")  # what is always recorded of an option's file

Receipt = dict[str, Any]


# ---------------------------------------------------------------------------------------------- writing


def write(request: Request, given: MethodInput, frame: Frame) -> Receipt:
    """The receipt of a result: plain data for JSON."""
    return {
        "gansr": version(),
        "method": request.method.name,
        "request": flat(request),
        "weights": {
            role: {"name": name, "sha256": weights.digest(name)} for role, name in request.weights.items()
        },
        "input": {
            "sha256": given.sha256,
            "size": [given.low.shape[-1], given.low.shape[-2]],
            "notices": list(given.notices),
        },
        "steps": frame.step,
        "numerics": asdict(frame.numerics) if frame.numerics is not None else {},
        "seconds": {"waited": round(frame.waited, 3), "computed": round(frame.computed, 3)},
        "files": files_of(frame),
    }


def flat(request: Request) -> dict[str, Any]:
    """The request in its flat form as plain data for JSON; an option that is a file as {sha256, shape, dtype}, with its
    content where that is small."""
    return {name: _plain(value) for name, value in encode(request).items()}


def files_of(frame: Frame) -> dict[str, str]:
    """name → sha256 of every result: pictures by their 8-bit pixels, other files by their bytes."""
    pictures = {"result.png": frame.image} | {f"{title}.png": image for title, image in frame.answers.items()}
    hashes = {
        name: _sha256(np.ascontiguousarray(to_array(image)).tobytes()) for name, image in pictures.items()
    }
    return hashes | {name: _sha256(content) for name, content in frame.files.items()}


def result_png(request: Request, given: MethodInput, frame: Frame) -> bytes:
    """The result as a lossless PNG with its alpha channel and its receipt in the text chunk `gansr`."""
    text = {"gansr": json.dumps(write(request, given, frame))}
    return to_png(frame.image, given.alpha_for(frame.image), grey=given.grey, text=text)


def _plain(value: Any) -> Any:
    """A value of the flat form as JSON holds it; a tensor (an option's file) with its content where that is small."""
    if not isinstance(value, Tensor):
        return value
    array = value.detach().cpu().contiguous()
    content = array.numpy().tobytes()
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    found: dict[str, Any] = {"sha256": _sha256(content), "shape": list(array.shape), "dtype": _dtype(array)}
    return found | ({"zlib": packed} if len(packed) <= STORED else {})


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---------------------------------------------------------------------------------------------- reading


def read(source: Any) -> Receipt:
    """The receipt in a result's PNG. Raises PictureError where there is none, or none that is understood here."""
    text = read_text(source).get("gansr")
    if text is None:
        raise PictureError(
            "this PNG carries no receipt: it was not made here, or another program has saved it again"
        )
    if (
        text.count("[") + text.count("{") > MOST_LISTS
    ):  # each takes memory of its own; real receipts have some twenty
        raise PictureError("the receipt in this PNG is damaged")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise PictureError("the receipt in this PNG is damaged") from None
    if not isinstance(found, dict) or not isinstance(found.get("method"), str):
        raise PictureError("this PNG's receipt is not one of this program")
    if not isinstance(found.get("request"), dict) or "task" not in found["request"]:
        written = found.get("gansr")
        version_of = repr(written[:20]) if isinstance(written, str) else "unknown"
        raise PictureError(
            f"this PNG's receipt is from version {version_of}, which this version "
            "cannot read: set the options by hand"
        )
    return found


def request_of(receipt: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Request:
    """The request that a receipt records. `given` holds files for options that are stored by hash only, by option.

    Options whose file is neither stored nor given are left empty: `missing_files` names them. Raises OptionError for
    a request that cannot be run here, or a given file that is not the recorded one.
    """
    method = papers.by_name(receipt["method"])
    known = {*fields_of(method), *(PROBLEM + f.name for f in fields(Problem))}
    values = {name: value for name, value in receipt["request"].items() if name in known}
    for name in file_options(receipt):
        recorded, values[name] = values[name], (given or {}).get(name)
        if values[name] is None:
            values[name] = _unpacked(recorded)
    request = decode(method, values)
    checked = encode(request)
    for name in given or {}:
        _check_given(name, checked.get(name), receipt["request"].get(name))
    return request


def notices_of(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """What was done to the input, in words; nothing where it is not recorded."""
    found = _mapping(receipt.get("input")).get("notices")
    return tuple(text for text in found if isinstance(text, str)) if isinstance(found, list) else ()


def missing_files(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The options whose file was too large for the receipt."""
    return tuple(name for name in file_options(receipt) if _unpacked(receipt["request"][name]) is None)


def file_options(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The options that were files, by name."""
    described = fields_of(papers.by_name(receipt["method"]))
    return tuple(
        name
        for name, (option, _) in described.items()
        if option.read is not None and receipt["request"].get(name) is not None
    )


def _unpacked(recorded: Any) -> Tensor | None:
    """The tensor that `_plain` packed; None where its content is not there. Raises OptionError if it is damaged."""
    if not isinstance(recorded, dict) or not isinstance(recorded.get("zlib"), str):
        return None
    shape, kind = recorded.get("shape"), recorded.get("dtype")
    dtype = DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None or not isinstance(shape, list) or len(shape) > 4:
        raise OptionError("a file in the receipt is damaged")
    if not all(isinstance(n, int) and 0 <= n <= LARGEST for n in shape):
        raise OptionError("a file in the receipt is damaged")
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        raise OptionError("a file in the receipt is empty")
    if size > LARGEST:
        raise OptionError("a file in the receipt is too large")
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(recorded["zlib"], validate=True), size + 1)
    except (ValueError, zlib.error):  # not base64, or not even ASCII
        raise OptionError("a file in the receipt is damaged") from None
    if len(content) != size or _sha256(content) != recorded.get("sha256"):
        raise OptionError("a file in the receipt is damaged")
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)


def _check_given(name: str, value: Any, recorded: Any) -> None:
    """Whether the file given for an option is the recorded one."""
    if not isinstance(recorded, dict) or not isinstance(value, Tensor):
        raise OptionError(f"the receipt records no file for {name}")
    found = _plain(value)
    if any(found[key] != recorded.get(key) for key in TENSOR):
        raise OptionError(f"this is not the file that the result was made with: {name} has another content")


# -------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Difference:
    """How a replay differs from its receipt; empty where it does not."""

    files: tuple[str, ...]  # results whose hash differs or that are missing
    numerics: tuple[str, ...]  # what rounding depends on and is different now, in words
    input: bool  # the input is not the recorded one

    @property
    def identical(self) -> bool:
        return not self.files and not self.input


def difference(receipt: Mapping[str, Any], again: Mapping[str, Any]) -> Difference:
    """Compare two receipts of one request."""
    before, now = _mapping(receipt.get("files")), _mapping(again.get("files"))
    differing = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    then, here = _mapping(receipt.get("numerics")), _mapping(again.get("numerics"))
    words = tuple(f"{k}: {then.get(k)} then, {here.get(k)} now" for k in here if then.get(k) != here.get(k))
    other = _mapping(receipt.get("input")).get("sha256") != _mapping(again.get("input")).get("sha256")
    return Difference(tuple(differing), words, other)


def recorded_threads(receipt: Mapping[str, Any]) -> int | None:
    """The number of threads the result was computed with; None where it is not recorded."""
    found = _mapping(receipt.get("numerics")).get("threads")
    return found if isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= 256 else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
