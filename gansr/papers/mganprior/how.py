"""How mGANprior works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "One latent code of a generator is too little to draw your picture: it finds something similar. "
        "mGANprior takes N codes. Each is drawn up to a layer in the middle, the composing layer, and gives "
        "features F.",
        "Each code has weights α, one for each channel: so one code can be responsible for the eyes and "
        "another for the background. The weighted sum of the features goes through the rest of the generator.",
        "Codes and weights are searched together, so that the result is equal to your picture where it is "
        "known: shrunk (enlarging), in brightness (colouring), outside the hole (filling). The generator "
        "supplies the rest.",
    ),
    formula=(
        "result = G₂( Σₙ αₙ ⊙ Fₙ ),   Fₙ = G₁(zₙ);   min over z, α of  ‖known(result) − input‖² + perceptual "
        "loss"
    ),
    code=("gansr.papers.mganprior.search:Search", "gansr.papers.mganprior.composition:compose"),
    animation="A search: the result on the left; on the right the result shrunk again, beside the input.",
)
