"""gansr: five GAN super-resolution papers on one page, side by side and measured."""

import os

# Large pages for torch's CPU memory, read when torch is imported: fresh maps cost page faults otherwise (a bfloat16
# product of 84 MB took 270 ms without and 85 ms with them).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
# Threads that wait for work sleep rather than spin: beside another job a KernelGAN iteration took 72 ms or more with
# spinning threads and 7 to 13 ms with sleeping ones. Read when torch is imported, too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
