"""How SRGAN works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "A network that is trained for the least squared error learns the mean of all pictures that your "
        "picture could come from. The mean is blurred. That network is SRResNet.",
        "SRGAN is the same network, trained on with two other losses. The content loss compares features of a "
        "network that recognises objects, VGG, instead of pixels: similar texture counts as similar. The "
        "adversarial loss is the opinion of a discriminator D, which learns to tell results from photographs.",
        "So SRGAN draws one sharp picture that could be true. Its pixels are further from the original than "
        "the mean is. The blend takes weights between those of both.",
        "The paper compares five losses, of the result x and the original y. φ: features of VGG19 after its "
        "second (22) or fifth (54) convolution group; TV is the total variation (2·10⁻⁸ in the paper).",
    ),
    formula=(
        "SRResNet-MSE    ‖x − y‖²\n"
        "SRResNet-VGG22  ‖φ₂₂(x) − φ₂₂(y)‖² / 12.75² + 10⁻⁶ TV(x)\n"
        "SRGAN-MSE       ‖x − y‖² − 10⁻³ log D(x)\n"
        "SRGAN-VGG22     ‖φ₂₂(x) − φ₂₂(y)‖² / 12.75² + 10⁻⁶ TV(x) − 10⁻³ log D(x)\n"
        "SRGAN-VGG54     ‖φ₅₄(x) − φ₅₄(y)‖² / 12.75² − 10⁻³ log D(x)"
    ),
    code=(
        "gansr.papers.srgan.network:SRResNet",
        "gansr.papers.srgan.losses:content_loss",
        "gansr.papers.srgan.losses:adversarial_loss",
    ),
    animation="From SRResNet, trained for squared error, to SRGAN, with the share of SRGAN rising.",
)
