"""safetensors: written so that a state dict always has the same hash, and read only after the hash is verified.

The writer is our own (the format is a length, a JSON header and the raw values), so the bytes depend only on the
names, shapes and values, and not on a library's version. The reader is the package safetensors, which rejects
truncation, overlap and holes. What it does not reject (flipped bits, NaN, a header of a million empty tensors) is
checked here. The file is read into memory first: the bytes that are hashed are the bytes that are opened, and a
file truncated meanwhile cannot kill the process, as it could if it were mapped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from gansr.weights.manifest import WeightsError

MAX_HEADER = 4 << 20  # bytes; our largest net has under a thousand tensors, about 100 kB
_CODES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256(data: bytes) -> str:
    """The sha256 of some bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def serialise(state: Mapping[str, Tensor]) -> bytes:
    """A state dict → a safetensors file, the same bytes on every machine.

    Raises WeightsError for a tensor that is not float32, float16, bfloat16 or int64, or not finite.
    """
    if odd := [key for key, value in state.items() if value.dtype not in _CODES]:
        raise WeightsError(f"{odd[0]} has the type {state[odd[0]].dtype}, which is not stored")
    refuse_not_finite(state)
    order = _ordered(state)
    header, offset, payload = {}, 0, []
    for key in order:
        value = state[key].detach().cpu().contiguous()
        size = value.numel() * value.element_size()
        header[key] = {
            "dtype": _CODES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
        payload.append(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, *payload))


def _ordered(state: Mapping[str, Tensor]) -> list[str]:
    """The keys in the order in which the tensors are stored, which keeps every tensor aligned."""
    return sorted(state, key=lambda key: (-state[key].element_size(), key))


def read_verified(path: Path, expected: str) -> bytes:
    """The file's content. Raises WeightsError if its sha256 is not `expected`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    if (found := sha256(data)) != expected:
        raise WeightsError(f"{path} hashes to {found}, {expected} was expected; it was not opened")
    return data


def parse(data: bytes) -> dict[str, Tensor]:
    """A verified safetensors file → key → tensor on the CPU, floats widened to float32.

    Raises WeightsError for a header beyond 4 MB, a malformed file, NaN and infinity.
    """
    state = {k: v.float() if v.is_floating_point() else v for k, v in _stored(data).items()}
    refuse_not_finite(state)
    return state


def _stored(data: bytes) -> dict[str, Tensor]:
    """A verified file → key → tensor in the type that it is stored in."""
    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > min(MAX_HEADER, len(data) - 8):
        raise WeightsError(f"the weight file's header claims {header} bytes; at most {MAX_HEADER} are read")
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"the weight file is not valid safetensors: {error}") from error


def joined(parts: Sequence[bytes]) -> bytes:
    """Verified files with some of the tensors each → the file with all of them. The inverse of `split`."""
    if len(parts) == 1:
        return parts[0]
    return serialise({key: value for part in parts for key, value in _stored(part).items()})


def split(data: bytes, limit: int) -> list[bytes]:
    """A verified file of `serialise` → files of whole tensors, each of at most `limit` bytes unless one tensor alone
    is larger. `joined` gives back the same bytes."""
    groups: list[dict[str, Tensor]] = [{}]
    size, state = 0, _stored(data)
    for key in _ordered(state):
        value = state[key]
        needed = value.numel() * value.element_size() + 2 * len(key) + 100  # with its line in the header
        if groups[-1] and size + needed > limit:
            groups.append({})
            size = 0
        groups[-1][key] = value
        size += needed
    return [serialise(group) for group in groups]


def refuse_not_finite(state: Mapping[str, Tensor]) -> None:
    """Raises WeightsError naming the first tensor that holds NaN or infinity."""
    for key, value in state.items():  # numpy: one thread, where waking torch's for each tensor costs more
        if value.is_floating_point() and not np.isfinite(value.detach().float().numpy()).all():
            raise WeightsError(f"{key} holds values that are not finite numbers")


def mismatch(net: nn.Module, state: Mapping[str, Tensor]) -> str:
    """How `state` differs from the weights of `net` in keys and shapes, in words; "" if it does not."""
    wanted = net.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, {tuple(wanted[key].shape)} is needed"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    parts = (("missing", missing), ("unexpected", unexpected), ("of the wrong shape", shapes))
    return "; ".join(f"{len(found)} {what}: {_some(found)}" for what, found in parts if found)


def _some(names: list[str], limit: int = 6) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
