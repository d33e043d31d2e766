"""How GLEAN works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "GLEAN enlarges in one pass, without a search. An encoder reads your picture and gives two things: "
        "latents, which say what kind of face it is, and features, which say where things are.",
        "Both enter a generator of faces that was trained before and is frozen. It is the bank: its features "
        "hold the details of faces that an enlargement lacks. A decoder fuses the features of the bank with "
        "those of the encoder, from coarse to fine, and draws the result.",
        "Encoder and decoder are trained on pairs of small and large faces. So a pass is fast, but it works "
        "only for the kind of picture and the factor that it was trained for.",
    ),
    formula="result = decoder(features, bank(latents, features)),   with (latents, features) = encoder(input)",
    code=("gansr.papers.glean.own:GleanOwn", "gansr.papers.glean.own:Fusion"),
    animation="The same face without the bank, without the encoder's features in it, and with both.",
)
