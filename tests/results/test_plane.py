"""The plane: the Pareto front by hand, the points, the drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from gansr.results import plane
from gansr.results.plane import colour, pareto, points, radius, svg, ticks
from gansr.results.records import RecordError
from tests.support.results_data import small_set

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_the_front_where_more_is_better_in_x():
    """a: best y; b: between; c: best x; d: worse than b in both; e: the y of c, and worse in x."""
    values = [(26.0, 0.1), (28.0, 0.2), (30.0, 0.3), (27.0, 0.25), (29.0, 0.3)]
    assert pareto(values, x_higher=True) == {0, 1, 2}


def test_the_front_where_less_is_better_in_both():
    assert pareto([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (3.0, 3.0)], x_higher=False) == {0, 1, 2}


def test_equal_points_are_both_on_the_front_and_one_alone_is():
    assert pareto([(1.0, 1.0), (1.0, 1.0)], x_higher=True) == {0, 1}
    assert pareto([(5.0, 5.0)], x_higher=True) == {0}


def test_the_points_are_means_with_their_pictures():
    found = {p.name: p for p in points(small_set(), "Set5", 4, "psnr_y", "lpips_alex").points}
    assert set(found) == {"Bicubic", "SRGAN (srgan)", "SRGAN (srresnet)"}
    dot = found["SRGAN (srgan)"]
    assert (dot.x.value, dot.y.value, dot.seconds) == (29.5, pytest.approx(0.09), 0.5)
    assert dot.pictures == (("001", 29.0, 0.08), ("002", 30.0, 0.10))
    assert {name for name, p in found.items() if p.on_front} == {"SRGAN (srgan)", "SRGAN (srresnet)"}


def test_rmse_turns_the_axis_but_not_the_front():
    found = points(small_set(), "Set5", 4, "rmse_y", "lpips_alex")
    assert {p.name for p in found.points if p.on_front} == {"SRGAN (srgan)", "SRGAN (srresnet)"}


def test_a_plane_without_records_is_refused():
    for arguments in (("Set14", 4, "psnr_y", "lpips_alex"), ("Set5", 2, "psnr_y", "lpips_alex"),
                      ("Set5", 4, "psnr_y", "niqe")):  # fmt: skip
        with pytest.raises(RecordError, match="there are no records of"):
            points(small_set(), *arguments)


def test_colours_go_from_orange_to_blue_and_stay_there():
    assert colour(25.0) == colour(3.0) == "rgb(194,65,12)"
    assert colour(37.5) == "rgb(124,111,130)"
    assert colour(50.0) == colour(90.0) == "rgb(29,78,216)"
    assert colour(None) == "rgb(128,128,128)"


def test_sizes_grow_with_the_time_up_to_an_end():
    assert radius(0) == 4 and radius(0.9) == pytest.approx(6.5) and radius(1e9) == 14


def test_ticks_are_round():
    assert ticks(0.02, 0.41) == [0.1, 0.2, 0.3, 0.4]
    assert ticks(26.5, 33.2) == [28, 30, 32]


def test_the_drawing_is_svg_with_a_dot_and_a_name_for_each_method():
    made = points(small_set(), "Set5", 4, "psnr_y", "lpips_alex")
    for each, pictures in ((False, 0), (True, 6)):
        tree = ET.fromstring(svg(made, per_picture=each))
        circles = [node.get("class") for node in tree.iter(f"{NAMESPACE}circle")]
        assert (circles.count("mean"), circles.count("picture")) == (3, pictures)
        texts = [node.text for node in tree.iter(f"{NAMESPACE}text")]
        assert {"Bicubic", "SRGAN (srgan)", "PSNR-Y (dB) → better", "LPIPS-Alex ← better"} <= set(texts)


def test_more_psnr_is_further_right_and_more_lpips_is_higher():
    tree = ET.fromstring(svg(points(small_set(), "Set5", 4, "psnr_y", "lpips_alex")))
    dots = [node for node in tree.iter(f"{NAMESPACE}circle") if node.get("class") == "mean"]
    bicubic, srgan, srresnet = ((float(n.get("cx", 0)), float(n.get("cy", 0))) for n in dots)
    assert srresnet[0] > srgan[0] > bicubic[0]
    assert bicubic[1] < srresnet[1] < srgan[1]


def test_one_picture_alone_can_be_drawn():
    one = [record for record in small_set() if record.picture == "001" and record.method == "bicubic"]
    ET.fromstring(svg(points(one, "Set5", 4, "psnr_y", "lpips_alex")))


def test_names_are_escaped():
    made = points(small_set(), "Set5", 4, "psnr_y", "lpips_alex")
    hostile = plane.Plane("<script>", made.x, made.y, made.points)
    assert "<script>" not in svg(hostile)
