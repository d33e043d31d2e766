"""Judging the pictures of a viewer blindly: all pairs, no names, a tally that is kept nowhere."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser
SAME_SIZE = "[...document.querySelectorAll('.gv-both canvas')].map(c => `${c.width}x${c.height}`)"


def test_all_pairs_are_judged_by_keyboard_and_the_tally_adds_up(small_viewer):
    page = small_viewer()
    page.keyboard.press("b")
    dialog = page.locator(".gv-blind")
    dialog.wait_for()
    text = dialog.inner_text()
    assert "1 of 10" in text and not any(
        name in text for name in ("Base", "Noisy", "Bright", "Dark", "Moved")
    )
    assert len(set(page.evaluate(SAME_SIZE))) == 1
    for number in range(10):
        page.keyboard.press(("ArrowLeft", "ArrowRight", "ArrowDown")[number % 3])
    rows = dialog.locator("tr").all_inner_texts()
    assert len(rows) == 5
    scores = [row.split("\t")[1].split(" / ") for row in rows]
    assert sum(float(wins) for wins, _ in scores) == 10 and {pairs for _, pairs in scores} == {"4"}
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_each_run_has_another_order(small_viewer):
    page = small_viewer()
    seen = set()
    for _ in range(8):
        page.keyboard.press("b")
        seen.add(page.evaluate("document.querySelector('[data-el=blindleft]').toDataURL()"))
        page.keyboard.press("Escape")
    assert len(seen) > 1
