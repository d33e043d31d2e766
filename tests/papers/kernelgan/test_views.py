"""What KernelGAN shows beside its result."""

from __future__ import annotations

import itertools

from gansr.papers.kernelgan.views import MAX_POINTS, History


def test_a_history_never_holds_more_than_its_points_and_keeps_the_order():
    history = History("a", "b")
    for i in range(5000):
        history.add(i, -i)
    a, b = history.curve().lines["a"], history.curve().lines["b"]
    assert MAX_POINTS // 2 - 1 <= len(a) == len(b) <= MAX_POINTS
    assert list(a) == sorted(a) and a[0] == 0 and a[-1] > 4900 and [-x for x in b] == list(a)
    gaps = {y - x for x, y in itertools.pairwise(a)}
    assert len(gaps) == 1
