"""Changed kernel, direction and mask files, receipts, links and `data:` URLs: each is read or refused in words.

python -m tests.attack.fuzz_files --count 200000 --seed 0
"""

from __future__ import annotations

import copy
import functools
import io
import json
import random
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import gradio as gr
import numpy as np
import torch
from scipy import io as scipy_io
from starlette.datastructures import QueryParams
from torch import Tensor

from gansr import papers, receipt
from gansr.ops.holes import read_mask
from gansr.ops.kernel_files import read_kernel
from gansr.options import OptionError
from gansr.papers.mganprior.files import read_boundary
from gansr.picture import PictureError
from gansr.request import decode, encode
from gansr.ui import address, compare_values, controls, restore_button
from tests.attack import fuzz_pictures, fuzzing
from tests.attack.mutations import any_bytes
from tests.support.bad_inputs import chunk, photo, saved

KINDS = ("mat", "npy", "csv", "boundary", "mask", "layers", "receipt", "link", "options", "data URL")
LONGEST = 1000  # characters of a message


class File(NamedTuple):
    kind: str
    data: bytes


# --------------------------------------------------------------------------------------------- the seeds


def _npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _mat(packed: bool, **variables: Any) -> bytes:
    out = io.BytesIO()
    scipy_io.savemat(out, variables, do_compression=packed)
    return out.getvalue()


@functools.cache
def seeds() -> dict[str, list[bytes]]:
    kernel = np.random.default_rng(0).random((9, 11))
    mats = (
        {"Kernel": kernel},
        {"notes": "a text", "ker": kernel[:2, :2], "cells": np.array([1, "a"], object)},
    )
    return {
        "mat": [_mat(packed, **variables) for packed in (False, True) for variables in mats],
        "npy": [_npy((200 * kernel).astype(kind)) for kind in ("f8", ">f4", "f2", "u1", "i8")]
        + [_npy(kernel.T)],
        "csv": [b"0.1,2e-3,4\n1,1,1\n", b"# remark\r\n1 , 2\r\n\r\n3,4"],
        "boundary": [_npy(np.eye(512)[:1]), _npy(np.eye(512, dtype="f4")[0])],
        "receipt": [json.dumps(_receipt(method)).encode() for method in papers.METHODS],
        "link": [_link(method) for method in papers.METHODS],
        "options": [
            b"steps=3 'seed=5'",
            b'loss="100*L2 + 0.05*GEOCROSS"',
            b"scale=4 kernel_file=/etc/passwd",
        ],
        "data URL": [b"data:image/png;base64,iVBORw0KGgo=", b"data:,x"],
    }


def _receipt(method: Any) -> dict[str, Any]:
    values = {"kernel_file": torch.ones(3, 3).double()} if method.name == "kernelgan" else {}
    request = decode(method, values)
    return {
        "gansr": "0.2.0",
        "method": method.name,
        "request": {name: receipt._plain(value) for name, value in encode(request).items()},
        "weights": {"generator": {"name": "a", "sha256": "0" * 64}},
        "input": {"sha256": "0" * 64, "size": [4, 4]},
        "numerics": {"threads": 2, "torch": "2"},
        "files": {"result.png": "0" * 64},
    }


def _link(method: Any) -> bytes:
    values = compare_values.values_for(decode(method, {"seed": 7})) | {"methods": method.name}
    return urlencode(values).encode() + b"&example=coffee.png"


# ------------------------------------------------------------------------------------------- the changes

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**30, 10**4000, float("inf"), float("nan"), "", "\0", "\ud800", "é"),
    *(
        "x" * 5000,
        [],
        {},
        [[]],
        {"": None},
        [1] * 300,
        "enlarge",
        "eJw=",
        "float64",
        [2**40],
        [0, 3],
        [True, 9],
    ),
)


def _changed_json(text: bytes, chance: random.Random) -> bytes:
    """A value of it replaced, removed, renamed or put deep into lists."""
    found = json.loads(text)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = found
        while place and isinstance(place, (dict, list)):
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not place[key] or not isinstance(place[key], (dict, list)) or chance.random() < 0.3:
                break
            place = place[key]
        kind = chance.randrange(8)
        if kind == 0:
            del place[key]
        elif kind == 1 and isinstance(place, dict):
            place[str(chance.choice(ODD_VALUES))[:100]] = place.pop(key)
        else:
            place[key] = copy.deepcopy(chance.choice(ODD_VALUES))  # it may be changed later
        if not found:
            break
    made = json.dumps(found)
    if chance.random() < 0.1:
        depth = chance.choice((10, 300, 950, 100_000))
        made = made.replace(chance.choice(("null", "true", "0", '"')), "[" * depth + "]" * depth, 1)
    return made.encode("utf-8", "surrogatepass")


def _changed_mat(data: bytes, chance: random.Random) -> bytes:
    """A compressed variable is unpacked, changed and packed again; a tag gets another number."""
    changed = bytearray(data)
    kind, length = struct.unpack_from("<II", changed, 128)
    if kind == 15 and chance.random() < 0.7:
        inner = any_bytes(zlib.decompress(changed[136 : 136 + length]), chance)
        packed = zlib.compress(inner)
        return (
            bytes(changed[:128])
            + struct.pack("<II", 15, len(packed))
            + packed
            + bytes(changed[136 + length :])
        )
    at = 128 + 8 * chance.randrange(max(1, min(9, (len(changed) - 132) // 8)))
    struct.pack_into(
        "<I", changed, at + 4 * chance.randrange(2), chance.choice((*range(20), 2**16, 2**31, 2**32 - 1))
    )
    return bytes(changed)


def _changed_npy(data: bytes, chance: random.Random) -> bytes:
    old, new = chance.choice(
        (
            (
                b"(9, 11)",
                chance.choice(
                    (b"(9, 12)", b"(-1, 3)", b"(10**9, 9)", b"(99999999999, 9)", b"(0, 3)", b"(9,)")
                ),
            ),
            (
                b"'<f8'",
                chance.choice((b"'|O'", b"'<c16'", b"'<U99'", b"'<M8[s]'", b"[('a', 'f8')]", b"'(9,9)f8'")),
            ),
            (b"False", chance.choice((b"True", b"1", b"'x'", b"[False]"))),
            (b"{", chance.choice((b"(" * 300, b"-" * 4000, b"[{"))),
        )
    )
    return data.replace(old, new, 1)


CHANGES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "mat": _changed_mat,
    "npy": _changed_npy,
    "boundary": _changed_npy,
    "receipt": _changed_json,
}


def make(chance: random.Random) -> File:
    kind = chance.choice(KINDS)
    if kind in ("mask", "layers"):
        return File(kind, fuzz_pictures.make(chance))
    data = chance.choice(seeds()[kind])
    if kind in CHANGES and chance.random() < 0.7:
        data = CHANGES[kind](data, chance)
    elif kind == "link" and chance.random() < 0.7:
        pairs = [pair.partition(b"=")[::2] for pair in data.lstrip(b"?").split(b"&")]
        name, value = chance.choice(pairs)
        odd = quote(str(chance.choice(ODD_VALUES))[:600].encode("utf-8", "surrogatepass")).encode()
        data = data.replace(name + b"=" + value, name + b"=" + chance.choice((odd, value + odd)))
    else:
        data = any_bytes(data, chance)
    if kind == "receipt":
        kinds = (b"iTXt", b"gansr\0\0\0\0\0" + data), (b"tEXt", b"gansr\0" + data)
        whole = saved(photo(8, 8), "PNG")
        data = whole[:33] + chunk(*chance.choice(kinds)) + whole[33:]
        if chance.random() < 0.1:
            data = any_bytes(data, chance)
    return File(kind, data)


# -------------------------------------------------------------------------------------------- the parsers


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _path(data: bytes, suffix: str) -> Path:
    path = Path(_folder().name) / f"input{suffix}"
    path.write_bytes(data)
    return path


def _read_tensor(read: Callable[[Path], Tensor], data: bytes, suffix: str) -> None:
    found = read(_path(data, suffix))
    assert found.isfinite().all() and found.numel() <= 16_000_000


def _read_receipt(data: bytes) -> None:
    found = receipt.read(data)
    receipt.recorded_threads(found)
    receipt.difference(found, _receipt(papers.METHODS[0]))
    compare_values.values_for(restore_button.read(data).request)


def _read_link(data: bytes) -> None:
    texts = dict(QueryParams(data))
    tabs = ("compare", *(method.name for method in papers.METHODS))
    _, values, wrong = address.restored({"tab": "compare", "tabs": dict.fromkeys(tabs, texts)})
    assert len(json.dumps(values).encode()) < 100_000
    if wrong:
        raise OptionError(wrong[0])


def _read_options(data: bytes) -> None:
    values = compare_values.defaults() | {"pulse.options": data.decode("latin-1")}
    compare_values.requests_of(values)


READERS: Mapping[str, Callable[[bytes], Any]] = {
    "mat": lambda data: _read_tensor(read_kernel, data, ".mat"),
    "npy": lambda data: _read_tensor(read_kernel, data, ".npy"),
    "csv": lambda data: _read_tensor(read_kernel, data, ".csv"),
    "boundary": lambda data: _read_tensor(read_boundary, data, ".npy"),
    "mask": lambda data: _read_tensor(read_mask, data, ".png"),
    "layers": lambda data: controls.mask_of({"layers": [data, saved(photo(24, 18), "PNG")]}),
    "receipt": _read_receipt,
    "link": _read_link,
    "options": _read_options,
    "data URL": lambda data: controls.bytes_of_data_url(data.decode("latin-1")),
}


def feed(file: File) -> str:
    try:
        READERS[file.kind](file.data)
    except (PictureError, OptionError, gr.Error) as error:
        text = error.message if isinstance(error, gr.Error) else str(error)
        assert len(text.encode()) < LONGEST, "a message without bounds"
        return f"{file.kind}: refused"
    return f"{file.kind}: read"


ATTACK = fuzzing.Attack("fuzz_files", make, feed, lambda file: file.data, lambda: torch.set_num_threads(1))


def main(arguments: list[str] | None = None) -> int:
    seeds()  # once, and not in every child
    fuzz_pictures.seeds()
    return fuzzing.main(ATTACK, 200_000, arguments)


if __name__ == "__main__":
    sys.exit(main())
