"""gansr: five GAN super-resolution papers on one page, side by side and measured."""

import os

from gansr import memory

if os.environ.get("GANSR_KEEP_BLOCKS", "1") != "0":
    memory.keep_blocks()
# Threads that wait for work sleep rather than spin: beside another job a KernelGAN iteration took 72 ms or more with
# spinning threads and 7 to 13 ms with sleeping ones. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.2.0"
