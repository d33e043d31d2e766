"""gansr: five GAN super-resolution papers on one page, side by side and measured."""

import os

from gansr import container, memory

if os.environ.get("GANSR_KEEP_BLOCKS", "1") != "0":
    memory.keep_blocks()
# Threads that wait for work sleep rather than spin: beside another job a KernelGAN iteration took 72 ms or more with
# spinning threads and 7 to 13 ms with sleeping ones. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A container may have fewer processors than the host that torch counts. Threads beyond them only wait for each other.
if (_processors := container.processors()) is not None and _processors < (os.cpu_count() or 1):
    os.environ.setdefault("OMP_NUM_THREADS", str(_processors))

__version__ = "0.2.0"
