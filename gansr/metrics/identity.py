"""Identity: does the result show the same person as the truth? The cosine of two ArcFace embeddings:

    identity(x, y) = e(x) · e(y) / (‖e(x)‖ ‖e(y)‖)        in [−1,1], 1 for equal pictures

ArcFace: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019; the network is
InsightFace's MobileFaceNet trained on WebFace600K (non-commercial research). Both faces are aligned to the 112 px
template by the similarity transform of Umeyama, "Least-squares estimation of transformation parameters", 1991.

How we differ from InsightFace: the truth's landmarks serve both pictures, so that errors of the detector on the result
do not enter, and the face is shrunk with antialiasing, where a plain bilinear warp would skip pixels. Published values
depend on the network; compare only values of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.metric import Metric

TEMPLATE = torch.tensor(  # (x, y) in the 112 px picture: eyes, nose, corners of the mouth
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=torch.float64,
)
SIDE = 112
# Of the same person in another resolution: a face shrunk to 64 px and enlarged by bicubic has 0.92 to 0.97, from 32 px
# 0.49 to 0.79 (19 real faces). Of two people: 0.03 on average, at most 0.23 (171 pairs).
SAME, RESEMBLES = 0.7, 0.5


def person(value: float) -> str:
    """An identity in words."""
    if value >= SAME:
        return "the same person"
    return "resembles the person" if value >= RESEMBLES else "another person"


def similarity(source: Tensor, target: Tensor) -> Tensor:
    """The rotation, scale and translation (2,3), float64, that takes points (n,2) to points (n,2) with the least
    squared error (Umeyama's eq. 40–42). Raises ValueError if the source points coincide."""
    source, target = source.double(), target.double()
    mean_x, mean_y = source.mean(0), target.mean(0)
    x, y = source - mean_x, target - mean_y
    variance = x.square().sum() / len(x)
    if not torch.isfinite(variance) or variance < 1e-12:
        raise ValueError("the landmarks lie on one point")
    U, D, Vt = torch.linalg.svd(y.T @ x / len(x))
    S = torch.tensor(
        [1.0, float(torch.sign(torch.linalg.det(U) * torch.linalg.det(Vt)))], dtype=torch.float64
    )
    R, c = U @ S.diag() @ Vt, (D * S).sum() / variance
    return torch.cat([c * R, (mean_y - c * R @ mean_x)[:, None]], 1)


def embed(image: Tensor, points: Tensor, session: Any) -> Tensor:
    """The ArcFace embedding (512,), of length 1, of the face in a picture (3,H,W) in [0,1].

    points: its five landmarks (5,2), (x, y) in px. session: an onnxruntime session of w600k_mbf.
    """
    from gansr import faces  # loads scipy, which no other metric needs

    back = faces.inverse(similarity(points, TEMPLATE))
    aligned = faces.warp(image.float(), back, SIDE, SIDE)
    blob = ((aligned * 255 - 127.5) / 127.5)[None].numpy(force=True)
    (embedding,) = session.run(None, {session.get_inputs()[0].name: blob})
    return F.normalize(torch.from_numpy(embedding[0]), dim=0)


def identity(a: Tensor, b: Tensor, nets: Mapping[str, Any]) -> float:
    """The cosine between the face in a result `a` and the face in the truth `b`, both (3,H,W) in [0,1], of one size.

    nets: the onnxruntime sessions "detector" and "arcface". Above about 0.3 two photographs mostly show one person.
    Raises ValueError if the sizes differ, or if the truth shows no face (a fixed crop would measure something else).
    """
    if a.shape != b.shape:
        raise ValueError(f"the pictures differ in size: {tuple(a.shape[1:])} and {tuple(b.shape[1:])}")
    return identity_prepared(a, face_of(b, nets), nets)


def face_of(b: Tensor, nets: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """The landmarks (5,2) and the embedding (512,) of the face in the truth (3,H,W) in [0,1]; None if there is none."""
    from gansr import faces

    detected = faces.detect(b, nets["detector"])
    return (detected[0].points, embed(b, detected[0].points, nets["arcface"])) if detected else None


def identity_prepared(a: Tensor, face: tuple[Tensor, Tensor] | None, nets: Mapping[str, Any]) -> float:
    """`identity` of a result (3,H,W) and of what `face_of` found in a truth of its size."""
    if face is None:
        raise ValueError("no face was found in the true picture, so identity is not defined")
    points, embedding = face
    return float(embed(a, points, nets["arcface"]) @ embedding)


IDENTITY = Metric(
    name="identity",
    title="Identity",
    unit="cosine",
    better="higher",
    against="truth",
    explain="How alike a face recognition network finds the two faces: 1 the same, around 0 two strangers.",
    measure=identity,
    prepare=face_of,
    measure_prepared=identity_prepared,
    weights={"detector": "scrfd-500m", "arcface": "arcface-mbf"},
    min_side=32,
    faces=True,
)
