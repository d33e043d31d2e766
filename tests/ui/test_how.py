"""How each method works: short, and true about where the code is."""

from __future__ import annotations

import re

import pytest

from gansr.gallery import GALLERY
from gansr.papers import METHODS, by_name
from gansr.ui import how
from gansr.ui.viewer import address
from tests.conftest import ROOT

MOST = 200  # words
SRGAN = by_name("srgan").how
assert SRGAN is not None
SRGAN_HOW = SRGAN


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_explains_itself_in_few_words(method):
    assert method.how is not None
    words = " ".join((*method.how.paragraphs, method.how.formula, method.how.animation)).split()
    assert 60 <= len(words) <= MOST


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_lines_of_code_are_those_of_the_name(method):
    for path in method.how.code:
        file, first, last = how.place(path)
        lines = (ROOT / file).read_text("utf-8").splitlines()[first - 1 : last]
        name = path.partition(":")[2]
        assert any(re.match(rf"(class|def) {name}\b", line) for line in lines[:3]), (path, lines[:3])
        assert len(lines) > 2


def test_the_animation_of_the_gallery_is_shown():
    text = how.how_html("srgan", SRGAN_HOW)
    assert f'src="{address(GALLERY / "how-srgan.webp")}"' in text


def test_without_an_animation_the_text_stands_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(how, "GALLERY", tmp_path)
    assert "<img" not in how.how_html("srgan", SRGAN_HOW)


def test_on_a_space_the_code_is_a_link(monkeypatch):
    assert "<a" not in how.how_html("srgan", SRGAN_HOW)
    monkeypatch.setenv("SPACE_ID", "somebody/gansr")
    text = how.how_html("srgan", SRGAN_HOW)
    link = re.escape("https://huggingface.co/spaces/somebody/gansr/blob/main/gansr/papers/srgan/network.py#L")
    assert re.search(link + r"\d+-L\d+", text)
