"""KernelGAN trains in one thread, whatever the process is set to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from gansr.method import Nets
from gansr.papers.kernelgan import Options, run
from gansr.papers.kernelgan.threads import one_thread
from tests.papers.kernelgan.pictures import frames, textured


@pytest.fixture
def set_threads() -> Iterator[None]:
    """Puts the number of threads back after a test that sets it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("set_threads")
def test_the_kernel_does_not_depend_on_the_number_of_threads():
    low, kernels = textured(300, 310), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        last = frames(low, mode="kernel only", iterations=25)[-1]
        kernels.append(last.files["kernel_x2.npy"])
    assert kernels[0] == kernels[1]


@pytest.mark.usefixtures("set_threads")
def test_the_number_of_threads_is_put_back_before_each_frame():
    torch.set_num_threads(2)
    options = Options(mode="kernel only", iterations=20)
    for _ in run(textured(84, 84), options, Nets(), torch.Generator().manual_seed(0)):
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("set_threads")
def test_a_worker_that_starts_meanwhile_keeps_the_programs_number_of_threads():
    torch.set_num_threads(2)
    seen: list[int] = []
    with one_thread():
        assert torch.get_num_threads() == 1
        worker = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        worker.start()
        worker.join()
    assert seen == [2] and torch.get_num_threads() == 2


@pytest.mark.usefixtures("set_threads")
def test_an_error_puts_the_number_of_threads_back():
    torch.set_num_threads(2)
    with pytest.raises(ValueError, match="broken"), one_thread():
        raise ValueError("broken")
    assert torch.get_num_threads() == 2
