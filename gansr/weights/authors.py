"""The authors' own files, opened without running anything in them.

Three formats: PyTorch's (through `weights_only=True`), pickles of numpy arrays (through an unpickler that
accepts seven names and refuses every other), HDF5. Only converters use this module; networks are loaded from
verified safetensors.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gansr.weights.manifest import WeightsError

ROOM = 4  # a PyTorch file holds its tensors as they are: they have at most this many times its bytes


def torch_file(path: Path) -> dict[str, Any]:
    """A .pth, .pt, .pth.tar or .bin → the dict that was saved, tensors on the CPU, nothing unwrapped.

    Raises WeightsError if the file is damaged, is not a dict, holds anything but tensors and plain data, or claims
    tensors that are larger than the file, as a compressed archive or a repeated value can.
    """
    if zipfile.is_zipfile(path):
        _check_room(path, _unpacked_bytes(path))
    try:
        with torch.serialization.safe_globals(_numpy_names()):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"(?:GLOBAL|global|class) ([\w.]+) ", str(error))
        what = f"it refers to {name[1]}" if name else _first_line(error)
        raise _refused(path, f"it holds more than tensors and plain data ({what})") from error
    except Exception as error:  # a damaged file raises nearly anything
        raise _refused(path, f"it cannot be read as a PyTorch file ({_first_line(error)})") from error
    if not isinstance(found, dict):
        raise _refused(path, f"it holds a {type(found).__name__}, not a dict of tensors")
    _check_room(path, sum(tensor.numel() * tensor.element_size() for tensor in _tensors(found)))
    return found


def _unpacked_bytes(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return 0  # torch says what is wrong with it


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, (Mapping, list, tuple)):
        for item in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _tensors(item)


def _check_room(path: Path, claimed: int) -> None:
    """Raises WeightsError where the content of a file would take far more memory than the file has bytes."""
    size = path.stat().st_size
    if claimed > ROOM * size + (1 << 20):
        raise _refused(path, f"it has {size} bytes, and its content would take {claimed}")


def pickled_arrays(path: Path) -> dict[str, Any]:
    """A pickle of nested dicts of numpy arrays → the same nested dicts.

    Raises WeightsError if the pickle names anything but numpy's arrays, or holds anything but numbers.
    """
    try:
        with path.open("rb") as file:
            found = _ArraysOnly(file).load()
    except pickle.UnpicklingError as error:
        raise _refused(path, _first_line(error)) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise _refused(path, f"it cannot be read as a pickle of arrays ({_first_line(error)})") from error
    if not isinstance(found, dict):
        raise _refused(path, f"it holds a {type(found).__name__}, not a dict of arrays")
    _numbers_only(path, found)
    return found


def h5_arrays(path: Path) -> dict[str, np.ndarray]:
    """An HDF5 file → "group/…/dataset" → array. Links and storage outside the file are refused.

    Raises WeightsError if the file is damaged or refers to other files.
    """
    import h5py

    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise _refused(path, f"its dataset {name} is stored in another file")
            found[name] = np.asarray(item[()])

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)  # follows neither soft nor external links
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _refused(path, f"it cannot be read as HDF5 ({_first_line(error)})") from error
    return found


# numpy 1 and numpy 2 call the same functions by different modules; a pickle may come from either.
_ARRAY: Any = np.zeros(1).__reduce__()[0]  # numpy's private _reconstruct, wherever this version keeps it
_SCALAR: Any = np.float32(0).__reduce__()[0]
_ALLOWED: Mapping[tuple[str, str], Callable[..., Any] | type] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
}


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("_codecs", "encode"), ("codecs", "encode")):
            return _encode  # how protocol 2 writes bytes
        try:
            return _ALLOWED[module, name]
        except KeyError:
            refused = f"it asks to run {module}.{name}, which no file of arrays needs"
            raise pickle.UnpicklingError(refused) from None


def _numbers_only(path: Path, tree: Mapping[str, Any]) -> None:
    for name, item in tree.items():
        if isinstance(item, Mapping):
            _numbers_only(path, item)
        elif not isinstance(item, (np.ndarray, np.generic)) or item.dtype.kind not in "fiub":
            raise _refused(path, f"{name!r} is a {type(item).__name__}, not an array of numbers")


def _numpy_names() -> list[Any]:
    """What training scripts leave beside the tensors: a best PSNR as a numpy float, a mean as an array."""
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    named = [(item, f"{module}.{name}") for (module, name), item in _ALLOWED.items()]
    return [*named, (_encode, "_codecs.encode"), *kinds]


def _refused(path: Path, why: str) -> WeightsError:
    return WeightsError(f"{path.name} was not opened: {why}. Nothing in it was run.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
