"""The number of CPU threads that torch computes with, for a part of the program."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

import torch


@contextlib.contextmanager
def threads(count: int | None) -> Generator[None, None, None]:
    """torch computes in `count` threads inside, as context or decorator; None changes nothing. Never yield a frame
    inside: Gradio resumes a generator on any worker thread.

    torch keeps the number for each thread of the program, and a default that a thread takes over when it first
    computes. Only the calling thread is to change, so another thread sets the default back at once: otherwise a
    worker that first computes meanwhile would keep `count` for good.
    """
    before = torch.get_num_threads()
    if count is None or before == count:
        yield
        return
    torch.set_num_threads(count)
    reset = threading.Thread(target=torch.set_num_threads, args=(before,))
    reset.start()
    reset.join()
    try:
        yield
    finally:
        torch.set_num_threads(before)
