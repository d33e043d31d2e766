"""How KernelGAN and ZSSR work, for their tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "A picture repeats itself: small patches look alike at every size. If you shrink a picture with the "
        "blur that made it, its patches look like those of the picture itself. KernelGAN searches for this "
        "blur.",
        "The generator G shrinks your picture by 2. It has only linear layers, so the whole of it is one "
        "convolution: the kernel. The discriminator D looks at patches of 7×7 px and tells those of the "
        "picture from those of G. When D can no longer tell them apart, G has the right kernel. R keeps the "
        "kernel compact, centred and of sum 1.",
        "The learned kernels are much alike in width. So ours is stretched at the end, which the paper does not, until "
        "your picture, shrunk by it, has edges as strong as before.",
        "ZSSR then trains a small network on your picture alone: it shrinks the picture with the kernel and "
        "learns to undo that. What it has learned, it applies to the picture.",
    ),
    formula="min over G, max over D of  Σ |D(p) − 1| + |D(G(p))|  + R(kernel of G),   p: patches",
    code=(
        "gansr.papers.kernelgan.trainer:Trainer",
        "gansr.papers.kernelgan.networks:ComposeKernel",
        "gansr.papers.kernelgan.zssr:Zssr",
    ),
    animation="The kernel while it is estimated, and your picture shrunk with it.",
)
