"""Maps, alignment and native pictures of the viewer, on small pictures whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.viewer_page import BASE, MOVED, NOISY, PICTURES, W, found, number_in, pixels, view

pytestmark = pytest.mark.browser


# ------------------------------------------------------------------------------------------------- maps


def test_the_signed_difference_is_blue_where_darker_and_red_where_brighter(small_viewer):
    page = small_viewer()
    view(page, "Base").hover()
    page.keyboard.press("r")
    page.keyboard.press("d")
    assert found(page, "Base", "reference") == "reference"
    assert number_in(found(page, "Bright", "difference")) == 16
    assert number_in(found(page, "Dark", "difference")) == -32
    assert (pixels(page, "Bright") == pixels(page, "Bright")[0, 0]).all()
    red, blue = pixels(page, "Bright")[0, 0], pixels(page, "Dark")[0, 0]
    np.testing.assert_allclose(red, [245, 166, 130], atol=2)  # 16 of 32: half-way to the end
    np.testing.assert_allclose(blue, [33, 102, 171], atol=2)
    legend = page.locator(".gv-legend")
    assert "−32" in legend.inner_text()
    assert "+32 of 255" in legend.inner_text()
    assert "Signed difference to Base" in legend.inner_text()
    page.get_by_label("Scale of the difference").fill("8")
    page.wait_for_function("document.querySelectorAll('.gv-tile canvas[data-scale=\"255\"]').length === 4")
    assert "+255 of 255" in legend.inner_text()
    assert (pixels(page, "Dark")[0, 0] > blue).any()
    page.keyboard.press("d")
    page.wait_for_function("document.querySelectorAll('.gv-tile canvas').length === 0")
    assert not legend.is_visible()


def test_the_absolute_difference_is_that_of_the_pixels(small_viewer):
    page = small_viewer()
    page.get_by_label("Show").select_option("absolute")
    wanted = np.abs(NOISY.astype(int) - BASE.astype(int)).mean()
    assert number_in(found(page, "Noisy", "difference")) == pytest.approx(wanted, abs=0.006)
    assert number_in(found(page, "Dark", "difference")) == 32


def test_the_ssim_map_is_computed_in_a_worker_and_its_mean_is_that_of_the_metric(small_viewer):
    from gansr.metrics.ssim import ssim_y

    page = small_viewer()
    workers: list[Any] = []
    page.on("worker", lambda worker: workers.append(worker.url))
    page.keyboard.press("s")
    for name in ("Noisy", "Dark", "Moved"):
        a, b = (torch.tensor(picture).permute(2, 0, 1) / 255 for picture in (PICTURES[name], BASE))
        assert number_in(found(page, name, "SSIM").replace("-", "−")) == pytest.approx(ssim_y(a, b), abs=1e-4)
    assert len(workers) >= 4  # one for each tile but the reference
    legend = page.locator(".gv-legend").inner_text()
    assert "SSIM to Base" in legend
    assert "0" in legend.split("\n")
    assert pixels(page, "Noisy").std() > 5


# -------------------------------------------------------------------------------------- alignment, native


def test_a_tile_is_moved_against_the_others_by_its_own_pixels(small_viewer, tmp_path):
    page = small_viewer()
    moved = page.locator(".gv-tile[data-tile='Moved']")
    caption = moved.locator("[data-is=moved]")
    page.keyboard.press("d")  # to the first picture
    assert abs(number_in(found(page, "Moved", "difference"))) < 10
    page.get_by_label("Show").select_option("absolute")
    assert number_in(found(page, "Moved", "absolute")) > 30
    view(page, "Moved").hover()
    page.mouse.move(*(view(page, "Moved").bounding_box()[side] + 30 for side in ("x", "y")))
    page.evaluate("document.activeElement.blur()")
    before = moved.locator(".gv-layer").bounding_box()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowUp")
    assert caption.inner_text() == "moved 1, −2 px"
    found(page, "Moved", "0.00")  # it now lies on the first, where both are
    edge = pixels(page, "Moved")
    assert (edge[:, -1] == 128).all()  # its last column lies beside the first picture
    assert (edge[:2] == 128).all()
    after = moved.locator(".gv-layer").bounding_box()
    pixel = before["width"] / W
    assert after["x"] - before["x"] == pytest.approx(pixel, abs=0.1)
    assert after["y"] - before["y"] == pytest.approx(-2 * pixel, abs=0.1)
    with page.expect_download() as download:
        moved.get_by_role("link").click()
    with Image.open(Path(download.value.path())) as file:
        assert (np.asarray(file) == MOVED).all()  # the file is not changed
    page.mouse.move(*(view(page, "Moved").bounding_box()[side] + 30 for side in ("x", "y")))
    page.keyboard.press("Shift+Digit0")
    assert caption.inner_text() == ""
    assert number_in(found(page, "Moved", "absolute")) > 30


def test_the_native_picture_is_one_click_away_and_shows_the_same_field(small_viewer):
    page = small_viewer()
    tile = page.locator(".gv-tile[data-tile='Base']")
    image = tile.locator(".gv-layer img")
    width = "i => i.naturalWidth"
    view(page, "Base").hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function("document.querySelector('.gv').dataset.zoom > 1.5")
    before = image.bounding_box()
    button = tile.get_by_role("button", name="128×96 as the method gave it")
    button.click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 128")
    assert button.get_attribute("aria-pressed") == "true"
    after = image.bounding_box()
    assert [after[side] for side in after] == pytest.approx([before[side] for side in before], abs=0.5)
    assert page.locator(".gv-tile[data-tile='Bright'] .gv-layer img").evaluate(width) == W
    button.click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 64")
