"""How DIP works, for its tab."""

from __future__ import annotations

from gansr.method import How

HOW = How(
    paragraphs=(
        "No network is trained in advance and no other picture is seen. A network with random weights f gets random "
        "noise z, which stays the same, and draws a picture. Its weights are changed, step by step, until this picture "
        "agrees with yours where that is known: shrunk (enlarging), outside the hole (filling), everywhere "
        "(removing noise).",
        "Many pictures would agree. The network finds natural ones first: its convolutions treat all places alike, "
        "and it draws from coarse to fine. So surfaces and edges that repeat come early, and noise late. Where there "
        "is noise, the steps must end before it comes back: their number is the control.",
        "What is not known has only one source, the rest of your own picture: a texture goes on into a hole, but no "
        "eye is drawn that is not there.",
    ),
    formula="result = f(z; θ*),   θ* = argmin over θ of  ‖known(f(z; θ)) − input‖²",
    code=("gansr.papers.dip.search:Fit", "gansr.papers.dip.network:Hourglass"),
    animation="A run: the result so far on the left; on the right the same shrunk again, beside the input.",
)
