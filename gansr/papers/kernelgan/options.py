"""The options of KernelGAN + ZSSR, and its presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from gansr.ops.kernel_files import KERNEL_SUFFIXES, read_kernel
from gansr.options import OptionError, option
from gansr.papers.kernelgan.schedule import Weights


@dataclass(frozen=True)
class Options:
    mode: str = option(
        "kernel + ZSSR",
        "find the blur kernel and enlarge with it, only find it, or only enlarge with a kernel that you choose",
        choices=("kernel + ZSSR", "kernel only", "ZSSR only"),
    )
    scale: int = option(2, "how many times larger the result is: 2, 3 or 4", min=2, max=4, changes_input=True)
    photo: str = option(
        "synthetic",
        "synthetic for a picture that was shrunk by a program, real for one as a camera took it, with noise",
        title="Picture type",
        choices=("synthetic", "real"),
    )
    noise_scale: float = option(
        1.0,
        "how much noise a real picture has; more gives a smoother result",
        title="Noise level (real pictures)",
        min=0.0,
        max=10.0,
        step=0.1,
    )
    iterations: int = option(
        1500,
        "training steps that find the kernel; the paper uses 3000",
        title="KernelGAN iterations",
        min=1,
        max=6000,
    )
    seeds: int = option(
        1, "kernels learned from different random starts and averaged", title="Random starts", min=1, max=10
    )
    deep: bool = option(
        True,
        "six linear layers learn the kernel, as in the paper; off, one layer does, which shows what the depth is for",
        title="Deep linear generator",
    )
    relu: bool = option(
        False,
        "the generator is then not linear and has no kernel, as in the paper's experiment; you see the linear filter "
        "that is nearest to it; each iteration takes many times as long",
        title="ReLU between the layers",
    )
    sum_weight: float = option(
        0.5,
        "how strongly the kernel's sum is pulled to 1, so that the brightness stays; α in the paper",
        title="Weight: sum",
        min=0.0,
        max=10.0,
        step=0.1,
    )
    boundary_weight: float = option(
        0.5,
        "how strongly the kernel's border is pulled to zero; β in the paper",
        title="Weight: border",
        min=0.0,
        max=10.0,
        step=0.1,
    )
    sparse_weight: float = option(
        5.0,
        "how strongly the kernel is pulled to have few large entries; γ in the paper",
        title="Weight: sparsity",
        min=0.0,
        max=50.0,
        step=0.5,
    )
    centre_weight: float = option(
        1.0,
        "how strongly the kernel's centre of mass is pulled to the middle; δ in the paper",
        title="Weight: centre",
        min=0.0,
        max=10.0,
        step=0.1,
    )
    match_edges: bool = option(
        True,
        "stretch the learned kernel until your picture, shrunk by it, keeps the strength of its edges; the paper does "
        "not",
        title="Match the edges",
    )
    check: bool = option(
        True,
        "if your picture is already sharp, enlarge it with the bicubic kernel instead of the estimated one",
        title="Check whether the picture is blurred",
    )
    zssr_iterations: int = option(
        200,
        "training steps of the enlargement; the paper's end between 900 and 3000",
        title="ZSSR iterations",
        min=1,
        max=6000,
    )
    crop: int = option(
        64,
        "side of the crops that ZSSR is trained on; the paper uses 128",
        title="ZSSR crop (px)",
        min=32,
        max=128,
        step=32,
    )
    kernel: str = option(
        "bicubic",
        "the blur kernel that the mode “ZSSR only” assumes; gaussian uses the widths and the angle below, fitted is a "
        "Gaussian that is stretched as “Match the edges” does, in a moment and without learning",
        title="Kernel",
        choices=("bicubic", "gaussian", "fitted", "file"),
    )
    width: float = option(
        1.5,
        "standard deviation along the Gaussian's axis, in pixels of the large picture",
        title="Gaussian width (px)",
        min=0.3,
        max=8.0,
        step=0.1,
    )
    other_width: float = option(
        1.0,
        "standard deviation across the Gaussian's axis, in pixels of the large picture",
        title="Gaussian width, other axis (px)",
        min=0.3,
        max=8.0,
        step=0.1,
    )
    angle: float = option(
        0.0,
        "direction of the Gaussian's axis, clockwise from the horizontal",
        title="Gaussian angle (°)",
        min=-90.0,
        max=90.0,
    )
    kernel_file: Tensor | None = option(
        None,
        "your own kernel: a .mat file with the variable Kernel, a .npy or a .csv file, at most 65×65",
        read=read_kernel,
        suffixes=KERNEL_SUFFIXES,
    )
    augment: bool = option(
        False,
        "the crops are also turned, mirrored, shrunk and sheared, as in the ZSSR paper; KernelGAN's ZSSR does not",
        title="Vary the crops",
    )
    back_projections: int = option(
        2, "how often the result is corrected so that it shrinks to your picture", min=0, max=12
    )
    ensemble: bool = option(
        False,
        "median over the eight rotations and mirror images of the picture; for kernels without a direction",
        title="Ensemble of eight",
    )
    gradual: bool = option(
        False, "train for smaller factors first, up to the wanted one", title="Gradual enlargement"
    )
    paper: bool = option(
        False,
        "follow the authors' programs exactly, including their mistakes",
        title="Exactly as the authors",
    )
    lab: str = option(
        "off",
        "test with a known kernel: your sharp picture is blurred with it, shrunk, and then restored",
        title="Kernel lab",
        choices=("off", "random blur", "gaussian", "file"),
        changes_input=True,
    )

    def __post_init__(self) -> None:
        if self.relu and not self.deep:
            raise OptionError("ReLUs stand between layers: with them the generator must be deep")

    @property
    def matches_edges(self) -> bool:
        """Whether the learned kernel is stretched."""
        return self.match_edges and not self.paper


PRESETS: Mapping[str, Mapping[str, object]] = {
    "Quick": {"iterations": 1500, "zssr_iterations": 200, "crop": 64},
    "Careful": {"iterations": 3000, "seeds": 3, "zssr_iterations": 1000, "crop": 96},
    "Paper": {"iterations": 3000, "zssr_iterations": 3000, "crop": 128, "paper": True},
    "Kernel only": {"mode": "kernel only", "iterations": 3000},
}


def kernel_weights(options: Options) -> Weights:
    """The weights of the constraints on the kernel."""
    return Weights(options.sum_weight, options.boundary_weight, options.centre_weight, options.sparse_weight)


def estimates_kernel(options: Options) -> bool:
    """Whether KernelGAN is trained: always, but for ZSSR alone outside the kernel lab."""
    return options.mode != "ZSSR only" or options.lab != "off"


def trains_zssr(options: Options) -> bool:
    return options.mode != "kernel only"


def kernelgan_steps(options: Options) -> int:
    """Iterations of KernelGAN, over all random starts."""
    return options.iterations * options.seeds if estimates_kernel(options) else 0


def total_steps(options: Options) -> int:
    """Iterations of KernelGAN and steps of one ZSSR together, outside the kernel lab."""
    return kernelgan_steps(options) + (options.zssr_iterations if trains_zssr(options) else 0)


def smaller_options(options: Options) -> Options | None:
    """Options that need less memory: smaller training crops; None when they are as small as they can be."""
    return dataclasses.replace(options, crop=32) if options.crop > 32 and not options.paper else None
