"""Large blocks are reused, and given back when asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gansr import memory
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(memory._libc() is None, reason="only glibc's allocator is set")

# Page faults of writing 64 MB for the 40th time (the first few do not fit into the hole of the one before, as an
# aligned block leaves a sliver that stays cached); then how much resident memory, in pages, is given back.
FAULTS = """
import resource
import gansr, torch
from gansr import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1])

for _ in range(40):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.full((1 << 24,), 1.0)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
kept = resident()
memory.give_back()
print(faults, kept - resident())
"""


def measured(**environment: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=True,
    )
    faults, returned = done.stdout.split()
    return int(faults), int(returned)


def test_a_large_block_is_reused_without_page_faults_and_given_back_when_asked():
    faults, returned = measured()
    assert faults < 100
    assert returned > 10_000  # of the 16,384 pages of 64 MB


def test_the_system_s_own_way_can_be_kept():
    faults, _ = measured(GANSR_KEEP_BLOCKS="0")
    assert faults > 10  # 32 with pages of 2 MB, 16,384 with those of 4 KB


THREAD = """
import threading
import gansr
from gansr import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1])

def work():
    blocks = [bytearray(b"1" * (8 << 20)) for _ in range(6)]

before = resident()
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
memory.give_back()
print(resident() - before)
"""


def test_what_threads_used_is_given_back_too():
    done = subprocess.run(
        [sys.executable, "-c", THREAD], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert int(done.stdout) < 2_000  # pages, of the 12,288 of one thread's blocks


@pytest.mark.parametrize(
    "text",
    [
        "could not create a primitive: can't allocate memory",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_a_full_memory_is_known_by_what_libraries_say(text):
    assert memory.is_exhausted(RuntimeError(text))
    assert not memory.is_exhausted(RuntimeError("CUDA error: an illegal memory access was encountered"))
