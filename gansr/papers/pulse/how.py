"""How PULSE works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "PULSE does not sharpen your picture. It asks a generator of faces, G, for a face that becomes your "
        "picture when it is shrunk. Many faces do, so each seed gives another one.",
        "The search changes the latent z by gradient descent. In a high dimension nearly all samples of a "
        "Gaussian lie near a sphere of radius √d. So z is put back on that sphere after each step, and G "
        "keeps drawing faces.",
        "G takes a latent in each of its rows. GEOCROSS, the sum of the squared angles between the rows, "
        "keeps them together: rows that drift apart fit better and look worse.",
    ),
    formula="min over z of  ‖shrink(G(z)) − input‖² + λ · GEOCROSS(z),   with ‖z‖ = √d",
    code=(
        "gansr.papers.pulse.search:Search",
        "gansr.ops.sphere:SphericalOptimiser",
        "gansr.ops.sphere:geocross",
    ),
    animation="A search: the face on the left; on the right the face shrunk again, beside the input.",
)
