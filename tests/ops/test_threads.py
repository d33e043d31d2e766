"""torch's number of threads is changed for the caller alone, and put back."""

from __future__ import annotations

import threading

import pytest
import torch

from gansr.ops.threads import threads


@pytest.mark.usefixtures("set_threads")
def test_a_worker_that_starts_meanwhile_keeps_the_programs_number_of_threads():
    torch.set_num_threads(2)
    seen: list[int] = []
    with threads(1):
        assert torch.get_num_threads() == 1
        worker = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        worker.start()
        worker.join()
    assert seen == [2] and torch.get_num_threads() == 2


@pytest.mark.usefixtures("set_threads")
def test_an_error_puts_the_number_of_threads_back():
    torch.set_num_threads(2)
    with pytest.raises(ValueError, match="broken"), threads(1):
        raise ValueError("broken")
    assert torch.get_num_threads() == 2
