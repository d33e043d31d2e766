"""One thread for KernelGAN's training, whatever the machine.

Two reasons. The result must not depend on the machine: with more threads torch adds the terms of a sum in another
order, and a GAN's training enlarges the difference of the last bit to another kernel. And the matrices are small:
a second thread gains little.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

import torch


@contextlib.contextmanager
def one_thread() -> Generator[None, None, None]:
    """torch computes in one thread inside, as context or decorator. Never yield a frame inside: Gradio resumes a
    generator on any worker thread.

    torch keeps the number of threads for each thread of the program, and a default that a thread takes over when it
    first computes. Only the calling thread is to change, so another thread sets the default back at once:
    otherwise a worker that first computes meanwhile would keep one thread for good.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    reset = threading.Thread(target=torch.set_num_threads, args=(before,))
    reset.start()
    reset.join()
    try:
        yield
    finally:
        torch.set_num_threads(before)
