"""gansr: five GAN super-resolution papers on one page, side by side and measured."""

__version__ = "0.1.0"
