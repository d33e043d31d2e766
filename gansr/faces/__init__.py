"""Faces: find five landmarks, align as FFHQ does, put a face back where it came from.

`detect` finds the faces of a picture, `align` cuts one out as FFHQ's pictures are, `paste_back` is its inverse.

Pictures are RGB float32 (3,H,W) in [0,1]. Points are (x, y) in pixels; the centre of the first pixel is (0, 0).
"""

from gansr.faces.alignment import Aligned, FaceError, align, quad_of
from gansr.faces.detection import Face, detect
from gansr.faces.pasting import paste_back, thumbnail
from gansr.faces.sampling import inverse, moved, scaled, warp

__all__ = [
    "Aligned",
    "Face",
    "FaceError",
    "align",
    "detect",
    "inverse",
    "moved",
    "paste_back",
    "quad_of",
    "scaled",
    "thumbnail",
    "warp",
]
