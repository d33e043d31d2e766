"""KernelGAN trains in one thread, whatever the process is set to."""

from __future__ import annotations

import pytest
import torch

from gansr.method import Nets
from gansr.papers.kernelgan import Options, run
from tests.papers.kernelgan.pictures import frames, textured


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
