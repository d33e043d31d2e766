"""Memory: what is free, the peak of a run, whether it is full, and large blocks that are reused between two steps.

glibc maps each block above 32 MB anew and unmaps it when it is freed, so each large tensor costs a page fault for every
4 KB; no setting raises that bound. The pictures of a search are just above it: a step of PULSE had 65,000 faults, which
took 0.12 of its 0.18 s (bfloat16, compiled, two Zen 5 cores); the plain network took 1.27 s instead of 0.39. Blocks of
the heap are reused instead; `give_back` returns them to the system after a run.

All threads share one heap: one of their own kept up to 64 MB for each of 8 threads a core, which `give_back` does not
reach (malloc_trim trims the end of the main heap only).

Elsewhere (musl, macOS, Windows) nothing is changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gansr import container

if TYPE_CHECKING:  # torch is imported inside: keep_blocks() runs before torch's first allocation
    import torch

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8  # of mallopt(3)
# What torch says where the memory is full but no OutOfMemoryError comes: oneDNN, CUDA outside torch's own allocator,
# and cuBLAS, cuDNN and cuSOLVER, whose workspaces did not fit.
FULL = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")


def keep_blocks() -> bool:
    """Take every later block from the heap, and never shrink the heap by itself. Returns whether that was possible."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(ARENA_MAX, 1)
    return libc is not None and bool(libc.mallopt(MMAP_MAX, 0) and libc.mallopt(TRIM_THRESHOLD, 2**31 - 1))


def give_back() -> None:
    """Return what is free to the system."""
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)


def peak() -> int | None:
    """The peak resident bytes of this process since it began, or since its peak was reset. None where the system
    does not tell (not Linux)."""
    try:
        rows = Path("/proc/self/status").read_text().split("\n")
    except OSError:
        return None
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith("VmHWM")), None)


def forget_peak(device: torch.device) -> None:
    """Count the peak from now on, where that can be done."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):  # not Linux, or not permitted
        Path("/proc/self/clear_refs").write_text("5")


def peak_on(device: torch.device) -> float | None:
    """The most bytes taken since `forget_peak`: on a GPU by our tensors there, otherwise by the whole process with all
    that it keeps. None where the system does not tell."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    return None if (found := peak()) is None else float(found)


def free_on(device: torch.device) -> float | None:
    """Bytes that a job may take: of the GPU's memory, or of the system's within the container's limit. None where the
    system does not tell."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.mem_get_info(device)[0])
    return min(
        (float(bytes) for bytes in (_available(), container.memory_left()) if bytes is not None), default=None
    )


def _available() -> int | None:
    """Bytes of the whole system that a process may take; None where it does not tell."""
    try:
        rows = Path("/proc/meminfo").read_text().split("\n")
    except OSError:  # not Linux
        return None
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith("MemAvailable")), None)


def is_exhausted(error: BaseException) -> bool:
    """Whether this error says that the memory is full."""
    import torch

    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or any(text in str(error) for text in FULL)


def _libc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
