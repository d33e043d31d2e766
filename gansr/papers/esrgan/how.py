"""How ESRGAN works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "ESRGAN is SRGAN's successor. Its blocks are dense: each convolution sees the results of all before it in the "
        "block. Batch norm is left out, because it makes spots in the picture.",
        "Its discriminator is relativistic: it does not say whether a picture is real, but whether a photograph looks "
        "more real than the result. The content loss compares VGG's features before their activation.",
        "Real-ESRGAN trains the same network on photographs that were blurred, shrunk, made noisy and compressed, "
        "twice in a row with random strengths. So it takes pictures as they are found, and removes what it takes for a "
        "fault. Fine texture is often among it.",
    ),
    formula="D(photograph, result) = σ(C(photograph) − mean C(result))",
    code=(
        "gansr.papers.esrgan.network:RRDBNet",
        "gansr.nets.rrdb:DenseBlock",
    ),
    animation="The same small picture with more and more noise and JPEG, and what Real-ESRGAN makes of it.",
)
