"""Colour spaces against MATLAB's known values, BasicSR's numbers and Pillow itself."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from gansr.ops.colour import luma, matlab_y, pillow_ycbcr
from tests.support.golden import Golden


def test_matlab_y_is_basicsr_s():
    golden = Golden("metrics_basicsr")
    golden.check("y", matlab_y(golden.tensor("a").permute(2, 0, 1).float() / 255))


def test_black_and_white_are_16_and_235():
    ends = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    torch.testing.assert_close(matlab_y(ends)[:, 0, 0], torch.tensor([16.0, 235.0]))
    torch.testing.assert_close(luma(ends)[:, 0, 0], torch.tensor([0.0, 1.0]))


def test_ycbcr_is_pillow_s_bit_for_bit():
    values = np.r_[np.arange(0, 256, 7), 255].astype(np.uint8)
    cube = np.stack(np.meshgrid(values, values, values, indexing="ij"), -1).reshape(values.size, -1, 3)
    expected = np.array(Image.fromarray(cube).convert("YCbCr"))
    got = pillow_ycbcr(torch.from_numpy(cube).permute(2, 0, 1).float() / 255)
    np.testing.assert_array_equal(got.permute(1, 2, 0).numpy(), expected)
