"""The example pictures: each has an author, a source and a licence."""

from __future__ import annotations

import pytest

from gansr.papers import METHODS
from gansr.picture import open_picture
from gansr.ui import examples
from gansr.ui.examples import EXAMPLES


def test_every_example_picture_has_one_credit():
    files = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix != ".md")
    assert sorted(credit.file for credit in examples.credits()) == files


def test_a_credit_names_author_source_and_licence_and_the_true_size():
    for credit in examples.credits():
        assert credit.author and credit.source and credit.licence, credit
        assert credit.url.startswith("https://"), credit
        height, width = open_picture(EXAMPLES / credit.file).rgb.shape[-2:]
        assert credit.size == f"{width}×{height}", credit


def test_a_row_without_a_link_to_its_source_is_refused(tmp_path, monkeypatch):
    row = "| a.png | 1×1 | a dot | Nobody | no link | CC0 |"
    (tmp_path / "README.md").write_text(f"| file | … |\n|---|\n{row}\n")
    monkeypatch.setattr(examples, "EXAMPLES", tmp_path)
    with pytest.raises(ValueError, match=r"the source of a\.png is not a link"):
        examples.credits()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_tab_offers_examples_that_are_large_enough(method):
    offered = examples.examples_for(method)
    assert offered
    sides = [min(open_picture(path).rgb.shape[-2:]) for path in offered]
    assert min(sides) >= method.accepts.min_side
