"""The verdict: does a result agree with its input, and where does it not?"""

from __future__ import annotations

import pytest
import torch

from gansr.compare.verdict import verdict


def test_the_verdict_says_how_much_and_where():
    low = torch.full((3, 32, 32), 0.5)
    assert verdict(low, low).sentence == "agrees with your picture exactly"
    other = low.clone()
    other[:, 21:25, 12:20] += 0.5
    found = verdict(other, low, face=True)
    assert found.sentence == "departs from your picture: 20 dB, mostly around the mouth".replace(
        "20", f"{found.consistency:.0f}"
    )
    assert found.consistency < 27
    assert float(found.heat.values.max()) == pytest.approx(127, abs=1)
    other = low.clone()
    other[:, :8, :8] += 0.1
    assert "stays close" in verdict(other, low).sentence
    assert "the upper left" in verdict(other, low).sentence
    even = low + 0.1 * (torch.arange(32) % 2)
    assert verdict(even, low).sentence.endswith("all over it")
