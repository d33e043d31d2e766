"""Keys, commands, states and files of the viewer, on small pictures whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support.viewer_page import BASE, BRIGHT, NATIVE, PICTURES, H, W, found, shown, view

pytestmark = pytest.mark.browser
SHOTS = ROOT / "screenshots"


# ------------------------------------------------------------------------------------------------- keys


def test_a_digit_shows_one_tile_alone_and_the_same_digit_all_again(small_viewer):
    page = small_viewer()
    page.keyboard.press("3")
    assert shown(page) == ["Dark"]
    assert view(page, "Dark").bounding_box()["width"] > 700
    page.keyboard.press("4")
    assert shown(page) == ["Noisy"]
    page.keyboard.press("4")
    assert shown(page) == list(PICTURES)
    page.keyboard.press("1")
    page.keyboard.press("f")  # A alone: B takes its place
    assert shown(page) == ["Bright"]
    page.keyboard.press("f")
    assert shown(page) == ["Base"]
    page.keyboard.press("9")  # there is no ninth
    assert shown(page) == ["Base"]


def test_keys_act_only_over_the_viewer_or_with_its_focus_and_never_while_typing(small_viewer):
    page = small_viewer()
    viewer = page.locator(".gv")
    page.mouse.move(1, 1)
    page.keyboard.press("w")
    assert viewer.get_attribute("data-mode") == "grid"
    view(page, "Dark").focus()
    page.keyboard.press("w")
    assert viewer.get_attribute("data-mode") == "wipe"
    box = page.locator("#chosen textarea, #chosen input")
    box.focus()
    page.locator(".gv-wipe .gv-view").hover()
    page.keyboard.type("g3ds?")
    assert box.input_value() == "g3ds?"
    assert viewer.get_attribute("data-mode") == "wipe"
    assert viewer.get_attribute("data-map") == ""
    box.evaluate("node => node.blur()")
    page.keyboard.press("g")
    assert viewer.get_attribute("data-mode") == "grid"


def test_the_keys_are_listed_in_a_dialog_that_escape_closes(small_viewer):
    page = small_viewer()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and gestures")
    for key, title in (
        ("1–9", "Show one picture alone"),
        ("R", "reference"),
        ("Shift ←", "1 px"),
        ("Ctrl K", ""),
    ):
        assert title in dialog.locator("dl div", has=page.get_by_text(key, exact=True)).inner_text()
    page.keyboard.press("w")  # the viewer behind it does not listen
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert page.locator(".gv").get_attribute("data-mode") == "grid"
    page.get_by_role("button", name="Keys").focus()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Close").click()
    assert dialog.count() == 0


def test_the_command_palette_lists_every_action_filters_and_runs(small_viewer):
    page = small_viewer()
    page.keyboard.press("Control+k")
    options = page.get_by_role("dialog", name="Commands").get_by_role("option")
    everything = options.all_inner_texts()
    named = page.locator(".gv [data-do]").evaluate_all("nodes => nodes.map(n => n.dataset.do)")
    assert len(everything) > len(named)
    for words in ("Grid", "Wipe", "Flicker", "Zoom in", "Signed difference", "SSIM map", "Save comparison image",
                  "1 px up", "Full screen", "Show Noisy alone", "Picture B: Dark"):  # fmt: skip
        assert any(words in option for option in everything), words
    page.keyboard.type("alone noisy")
    assert [option.split("\n")[0] for option in options.all_inner_texts()] == ["Show Noisy alone"]
    page.keyboard.press("Enter")
    assert shown(page) == ["Noisy"]
    page.keyboard.press("Control+k")
    page.keyboard.type("picture")
    chosen = page.locator(".gv [role=option][aria-selected=true]")
    first = chosen.inner_text()
    page.keyboard.press("ArrowDown")
    assert chosen.inner_text() != first
    page.keyboard.type(" of nothing")
    assert page.get_by_text("No command has these words.").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


# ------------------------------------------------------------------------------------------------ states


def test_nothing_can_be_pressed_before_there_is_a_picture(waiting_viewer):
    page = waiting_viewer()
    live = page.locator(".gv-bar").locator("button:enabled, select:enabled, input:enabled")
    assert live.evaluate_all("nodes => nodes.map(n => n.dataset.do)") == ["more", "keys"]
    view(page, "SRGAN").hover()
    for key in ("w", "f", "d", "s"):
        page.keyboard.press(key)
    assert page.locator(".gv").get_attribute("data-mode") == "grid"
    assert page.locator(".gv").get_attribute("data-map") == ""
    page.locator("#next").click()
    page.locator(".gv button[data-do=wipe]:enabled").wait_for()


def test_a_waiting_tile_is_not_labelled_as_a_result_and_says_so_in_its_middle(waiting_viewer):
    page = waiting_viewer()
    for following in range(2):  # none has a picture; then one of two
        tile = page.locator(".gv-tile[data-tile='SRGAN']")
        assert tile.locator(".gv-head i").inner_text() == ""
        assert tile.locator(".gv-head b").evaluate("n => +getComputedStyle(n).fontWeight") < 600
        text = tile.get_by_text("waiting for its turn").bounding_box()
        box = view(page, "SRGAN").bounding_box()
        for side, length in (("x", "width"), ("y", "height")):
            middle = box[side] + box[length] / 2
            assert text[side] + text[length] / 2 == pytest.approx(middle, abs=2)
        if not following:
            page.locator("#next").click()
            page.locator(".gv-tile[data-tile='Noisy']").wait_for()
            page.locator("#next").click()
            page.locator(".gv-tile[data-tile='Noisy']").wait_for(state="detached")
            page.locator(".gv-tile[data-tile='Base'][data-pictured='1']").wait_for()
    assert page.get_by_label("Picture B").locator("option").all_inner_texts() == ["Base"]
    assert page.locator("button[data-do=wipe]").is_disabled()


@pytest.mark.parametrize("key", ["g", "w"])
def test_names_stand_above_the_pictures(small_viewer, key):
    page = small_viewer()
    page.keyboard.press(key)
    pairs = page.evaluate(
        """() => [...document.querySelectorAll('.gv-head, .gv-names')].filter(n => n.offsetParent).map(n =>
            [n.getBoundingClientRect().bottom, n.parentNode.querySelector('.gv-view').getBoundingClientRect().top])"""
    )
    assert len(pairs) == (5 if key == "g" else 1)
    assert all(bottom <= top for bottom, top in pairs), pairs


# ------------------------------------------------------------------------------------------------- files


def save_flicker(page: Any) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save flicker").click()
    assert download.value.suggested_filename == "gansr-flicker-Base-Bright.webp"
    return Path(download.value.path())


def test_the_flicker_is_a_lossless_animation_of_a_and_b(small_viewer):
    page = small_viewer()
    with Image.open(save_flicker(page)) as flicker:
        assert (flicker.format, flicker.size, getattr(flicker, "n_frames", 1)) == ("WEBP", (W, H), 2)
        assert flicker.info["loop"] == 0
        for index, wanted in enumerate((BASE, BRIGHT)):
            flicker.seek(index)
            assert (np.asarray(flicker.convert("RGB")) == wanted).all()
            assert flicker.info["duration"] == 500
    page.get_by_text("Flicker saved, lossless.").wait_for()


def test_the_flicker_has_the_size_of_the_larger_picture(small_viewer):
    page = small_viewer()
    page.get_by_role("button", name="128×96 as the method gave it").click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 128")
    with Image.open(save_flicker(page)) as flicker:
        assert (flicker.size, getattr(flicker, "n_frames", 1)) == ((2 * W, 2 * H), 2)
        assert (np.asarray(flicker.convert("RGB")) == NATIVE).all()


def test_a_browser_that_cannot_write_webp_says_so(small_viewer):
    page = small_viewer()
    page.evaluate(
        "() => { const write = HTMLCanvasElement.prototype.toBlob;"
        " HTMLCanvasElement.prototype.toBlob = function (done) { write.call(this, done, 'image/png'); }; }"
    )
    page.get_by_role("button", name="Save flicker").click()
    page.get_by_text("This browser cannot write WebP.").wait_for()


# ------------------------------------------------------------------------------------- looks, accessibility


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_maps_and_dialogs_fit_and_have_no_serious_accessibility_finding(small_viewer, width, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = small_viewer(width, dark)
    SHOTS.mkdir(exist_ok=True)
    states = {"maps": ("d",), "wipe": ("w",), "solo": ("2",), "keys": ("?",), "palette": ("Control+k",)}
    for name, keys in states.items():
        for key in keys:
            page.keyboard.press(key)
        if name == "maps":
            found(page, "Moved", "difference")
        page.screenshot(path=SHOTS / f"viewer-{name}-{width}-{'dark' if dark else 'light'}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        report = axe.Axe().run(page, ".gv").response["violations"]
        serious = [
            (rule["id"], [node["html"][:160] for node in rule["nodes"]][:4])
            for rule in report
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], name
        if name in ("keys", "palette"):
            page.keyboard.press("Escape")


def test_few_controls_are_shown_in_a_narrow_viewer_until_more_is_pressed(small_viewer):
    page = small_viewer(700)
    more = page.get_by_role("button", name="More …")
    flicker = page.get_by_role("button", name="Save flicker")
    assert not flicker.is_visible()
    more.click()
    assert flicker.is_visible()
    assert more.get_attribute("aria-expanded") == "true"
