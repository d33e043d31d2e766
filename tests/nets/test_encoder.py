"""Where a search may begin: at the rows of an encoder."""

from __future__ import annotations

import torch

from gansr.nets.encoder import encoded_rows
from tests.support.encoder import Encoder


def test_the_encoder_sees_minus_one_to_one_and_finer_layers_get_the_mean_of_its_rows():
    encoder = Encoder(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]]))
    low = torch.full((3, 32, 32), 0.25)
    assert encoded_rows(encoder, low, 4).tolist() == [[[1, 2], [3, 6], [2, 4], [2, 4]]]
    assert encoder.given.shape == (1, 3, 32, 32) and encoder.given.unique().tolist() == [-0.5]
    assert encoded_rows(encoder, low, 2).tolist() == [[[1, 2], [3, 6]]]
