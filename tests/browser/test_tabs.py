"""The five method tabs in a real browser, with methods that compute in a moment."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from gansr.papers import METHODS
from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
EXAMPLES = ROOT / "assets" / "examples"
TABS = [method.name for method in METHODS]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit("srgan", width=1280, dark=False) → the page at this tab."""
    with visits(chromium, address) as open_page:

        def opened(tab: str, width: int = 1280, dark: bool = False, **settings: str) -> Any:
            page = open_page(urlencode({"tab": tab} | settings), width, dark)
            page.set_viewport_size({"width": width, "height": 800 if width > 500 else 844})
            page.locator(f"#{tab}-run").wait_for()
            return page

        yield opened


@pytest.fixture(scope="module")
def cat(tmp_path_factory) -> Path:
    """A square picture with texture, edges and colour."""
    with Image.open(EXAMPLES / "chelsea.png") as picture:
        path = tmp_path_factory.mktemp("tabs") / "cat.png"
        picture.convert("RGB").crop((100, 20, 356, 276)).save(path)
    return path


def choose(page: Any, tab: str, picture: Path) -> None:
    page.set_input_files(f"#{tab}-picture input[type=file]", str(picture))
    page.locator(f"#{tab}-seen", has_text="Input used").wait_for()


def run(page: Any, tab: str) -> None:
    page.locator(f"#{tab}-run").click()
    page.locator(f"#{tab}-status", has_text="Done").wait_for()
    page.wait_for_function(
        "id => { const t = document.querySelector(id).innerText; return t && !t.includes('easuring') }",
        arg=f"#{tab}-measures",
    )


def options(page: Any, tab: str) -> None:
    page.locator(f"#{tab}-options > button").click()


def table(page: Any, tab: str) -> dict[str, list[str]]:
    """The metric's name, or "Metric" for the heads → its cells."""
    rows = page.locator(f"#{tab}-measures tr").all()
    return {
        (cells := row.locator("th, td").all_inner_texts())[0].split("\n")[0].split(" ")[0]: cells[1:]
        for row in rows
    }


# ------------------------------------------------------------------------------------------- what goes in


def job(page: Any, name: str) -> None:
    page.locator("#mganprior-job").get_by_text(name, exact=True).click()


@pytest.mark.parametrize("name, title", [("Colour", "Grey"), ("Denoise", "Noisy"), ("Invert", "Input")])
def test_a_result_is_compared_with_what_went_in_never_with_the_truth(visit, cat, name, title):
    page = visit("mganprior")
    job(page, name)
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    page.locator("#mganprior-task").get_by_text("Test quality").click()
    choose(page, "mganprior", cat)
    run(page, "mganprior")
    rows = table(page, "mganprior")
    assert rows["Metric"] == ["Result", title]
    assert not any("∞" in cell for cells in rows.values() for cell in cells), rows
    if name != "Invert":
        assert float(rows["PSNR-Y"][1].split()[0]) > 5 or name == "Colour"
        sentence = page.locator("#mganprior-verdict").inner_text()
        assert f"Closer to the original than “{title}” in " in sentence and sentence.endswith(".")
        viewer = page.locator("#mganprior-pictures")
        assert viewer.locator("[data-el=namea]").inner_text() == title


def test_the_kernel_lab_compares_with_the_enlargement_of_the_small_picture(visit, cat):
    page = visit("kernelgan")
    options(page, "kernelgan")
    page.locator("#kernelgan-options fieldset", has_text="Kernel lab").get_by_text("gaussian").click()
    choose(page, "kernelgan", cat)
    run(page, "kernelgan")
    rows = table(page, "kernelgan")
    assert rows["Metric"] == ["Result", "Bicubic"]
    assert 15 < float(rows["PSNR-RGB"][1].split()[0]) < 45


# ------------------------------------------------------------------------------------------- the page leads


def box(page: Any, selector: str) -> dict[str, float]:
    """x, y, width and height on the page, px, without scrolling."""
    page.evaluate("scrollTo(0, 0)")
    return page.locator(selector).bounding_box()


@pytest.mark.parametrize("tab", TABS)
def test_picture_run_and_viewer_are_on_the_first_screen(visit, tab):
    page = visit(tab)
    picture = EXAMPLES / ("chelsea-small-x4.png" if tab == "dip" else "coffee.png")  # what DIP can take
    page.set_input_files(f"#{tab}-picture input[type=file]", str(picture))
    page.locator(f"#{tab}-seen", has_text="px").or_(page.locator(f"#{tab}-seen", has_text="face")).wait_for()
    for _ in ("as it opens", "options open", "known answer"):
        above, run, viewer = (box(page, f"#{tab}-{part}") for part in ("picture", "run", "pictures"))
        assert above["y"] < run["y"] and run["y"] + run["height"] <= 800
        assert viewer["y"] <= 400, "the viewer's pictures must be seen, too"
        assert box(page, f"#{tab}-task")["y"] < run["y"]
        if not page.get_by_label("Seed").filter(visible=True).count():
            options(page, tab)
            page.get_by_label("Seed").filter(visible=True).first.wait_for()
        else:
            page.locator(f"#{tab}-task").get_by_text("Test quality").click()
            page.get_by_role("button", name="how the input is made").filter(visible=True).wait_for()


@pytest.mark.parametrize("tab", TABS)
def test_on_a_phone_the_result_is_directly_under_run(visit, tab):
    page = visit(tab, width=390)
    picture, run, status = (box(page, f"#{tab}-{part}") for part in ("picture", "run", "status"))
    settings = box(page, f"#{tab}-preset")
    assert picture["y"] < run["y"] < status["y"] < box(page, f"#{tab}-pictures")["y"] < settings["y"]
    assert status["y"] - (run["y"] + run["height"]) < 40
    assert run["y"] + run["height"] <= 844
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_every_tab_can_be_seen_and_chosen(visit):
    page = visit("srgan", width=390)
    tabs = page.get_by_role("tab")
    assert tabs.count() == len(TABS) + 4
    for tab in tabs.all():
        place = tab.bounding_box()
        assert place["x"] >= 0 and place["x"] + place["width"] <= 390 and place["height"] >= 24
        tab.click()
        page.wait_for_function(
            "tab => tab.getAttribute('aria-selected') === 'true'", arg=tab.element_handle()
        )


def test_what_a_job_does_not_need_is_not_shown(visit):
    page = visit("mganprior")
    options(page, "mganprior")
    needs = {
        "Enlarge": {"Enlargement (×)", "Assumed downscaling"},
        "Inpaint": {"Working size (px)", "Keep the known pixels"},
        "Edit": {"Working size (px)", "Editing direction", "Edit amount (σ)", "Animation range (±σ)"},
    }
    for name, wanted in needs.items():
        job(page, name)
        for label in set().union(*needs.values()):
            shown = page.locator("#mganprior-options").get_by_text(label, exact=True)
            shown.wait_for(state="visible" if label in wanted else "hidden")


def test_a_test_of_denoising_adds_noise_which_the_user_may_change(visit, cat):
    page = visit("mganprior")
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    choose(page, "mganprior", cat)
    job(page, "Denoise")
    page.locator("#mganprior-task").get_by_text("Test quality").click()
    page.get_by_role("button", name="how the input is made").filter(visible=True).click()
    page.get_by_role("button", name="Its parameters").filter(visible=True).click()
    noise = page.get_by_label("number input for Noise (1/255)").filter(visible=True)
    page.wait_for_function("input => input.value === '25'", arg=noise.element_handle())
    noise.fill("10")
    noise.press("Tab")
    run(page, "mganprior")
    assert noise.input_value() == "10"
    assert 26 < float(table(page, "mganprior")["PSNR-RGB"][1].split()[0]) < 30
    job(page, "Colour")
    page.wait_for_function("input => input.value === '0'", arg=noise.element_handle())


# ------------------------------------------------------------------------------------------- the mask


def test_the_degradation_named_is_the_one_that_is_set(visit):
    page = visit("srgan")
    page.locator("#srgan-task label", has_text="Test quality").click()
    page.get_by_text("Test quality: how the input is made").filter(visible=True).click()
    named = page.get_by_label("Degradation", exact=True).filter(visible=True)
    assert named.input_value() == "bicubic"
    page.get_by_text("Its parameters").filter(visible=True).click()
    noise = page.get_by_label("number input for Noise (1/255)").filter(visible=True)
    for value, name in (("7", "as set below"), ("10", "noise"), ("0", "bicubic")):
        noise.fill(value)
        noise.press("Tab")
        page.wait_for_function("([one, name]) => one.value === name", arg=[named.element_handle(), name])
    named.click()
    page.get_by_role("option", name="motion blur").click()
    page.wait_for_function(
        "one => one.value === '5'",
        arg=page.get_by_label("number input for Motion blur (px)").filter(visible=True).element_handle(),
    )
    assert named.input_value() == "motion blur"


def test_inpainting_by_the_natural_route(visit, cat):
    page = visit("mganprior")
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    choose(page, "mganprior", cat)
    page.locator("#mganprior-seen", has_text="64×64 px").wait_for()
    with page.expect_response(lambda response: "input.png" in response.url) as sent:
        job(page, "Inpaint")
    assert size_of(page, sent.value.url) == (256, 256)
    page.get_by_text("Paint the hole, then press Run").filter(visible=True).wait_for()
    assert "mask" not in page.locator("#mganprior-status").inner_text()
    canvas = page.locator("#mganprior-mask canvas").first
    paint(page, canvas)
    run(page, "mganprior")
    assert table(page, "mganprior")["Metric"] == ["Result", "With the hole"]


def test_a_mask_of_another_size_goes_with_the_picture_it_was_painted_on(visit, cat):
    page = visit("mganprior")
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    job(page, "Inpaint")
    with page.expect_response(lambda response: "input.png" in response.url):
        choose(page, "mganprior", cat)
    canvas = page.locator("#mganprior-mask canvas").first
    paint(page, canvas)
    options(page, "mganprior")
    with page.expect_response(lambda response: "input.png" in response.url) as sent:
        page.locator("#mganprior-options").get_by_text("512", exact=True).click()
    assert size_of(page, sent.value.url) == (512, 512)
    page.locator("#mganprior-run").click()
    page.locator("#mganprior-status", has_text="needs a mask").wait_for()
    paint(page, canvas)
    run(page, "mganprior")


def test_no_label_lies_over_the_tools_of_the_mask(visit, cat):
    page = visit("mganprior")
    job(page, "Inpaint")
    page.locator("#mganprior-mask canvas").first.wait_for()
    tools = page.locator("#mganprior-mask button").filter(visible=True)
    assert tools.count() > 3
    covered = tools.evaluate_all(
        """buttons => buttons.filter(button => {
            const box = button.getBoundingClientRect()
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
            return !button.contains(top) }).map(button => button.ariaLabel || button.title)"""
    )
    assert covered == []


def size_of(page: Any, url: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(page.request.get(url).body())) as picture:
        return picture.size


def paint(page: Any, canvas: Any) -> None:
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    y = place["y"] + place["height"] / 2
    page.mouse.move(place["x"] + 0.45 * place["width"], y)
    page.mouse.down()
    page.mouse.move(place["x"] + 0.55 * place["width"], y, steps=8)
    page.mouse.up()


# ------------------------------------------------------------------------------------------- what comes in


@pytest.mark.parametrize("way, told", [("shrink", "shrunk to 1024×1024"), ("crop", "its middle")])
def test_a_picture_that_is_too_large_is_made_to_fit_by_one_click(visit, cat, tmp_path, way, told):
    with Image.open(cat) as picture:
        picture.resize((1100, 1100)).save(tmp_path / "large.png")
    page = visit("srgan")
    page.set_input_files("#srgan-picture input[type=file]", str(tmp_path / "large.png"))
    page.locator("#srgan-seen", has_text="at most 1.0 megapixels").wait_for()
    page.locator(f"#srgan-{way}").click()
    page.locator("#srgan-seen", has_text="Input used: 1024×1024 px").wait_for()
    assert told in page.locator("#srgan-seen").inner_text()
    page.locator(f"#srgan-{way}").wait_for(state="hidden")


def test_where_no_face_is_found_the_other_ways_to_make_a_picture_fit_stay(visit, cat, tmp_path):
    with Image.open(cat) as picture:
        picture.resize((1100, 1100)).save(tmp_path / "large.png")
    page = visit("srgan", large="crop face")
    page.set_input_files("#srgan-picture input[type=file]", str(tmp_path / "large.png"))
    page.locator("#srgan-seen", has_text="no face was found").wait_for()
    page.locator("#srgan-shrink").click()
    page.locator("#srgan-seen", has_text="shrunk to 1024×1024").wait_for()


def test_the_camera_is_asked_for_by_a_click_and_its_picture_comes_in_as_a_file(visit):
    page = visit("srgan")
    page.evaluate(
        """() => { window.asked = 0; const devices = navigator.mediaDevices, real = devices.getUserMedia;
        devices.getUserMedia = (...given) => { window.asked++; return real.apply(devices, given) } }"""
    )
    picture = page.locator("#srgan-picture")
    picture.get_by_label("Capture from camera").click()
    start = picture.get_by_text("Click to Access Webcam")
    start.wait_for()
    assert page.evaluate("window.asked") == 0
    start.click()
    page.wait_for_function("document.querySelector('#srgan-picture video')?.videoWidth > 0")
    with page.expect_response(lambda response: "/gradio_api/upload" in response.url):
        picture.get_by_label("capture photo").click()
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    assert page.evaluate("window.asked") == 1


# ------------------------------------------------------------------------------------------- small things


def test_an_error_is_told_once_on_screen_and_goes_with_its_file(visit, cat, tmp_path):
    bad = tmp_path / "cut.png"
    bad.write_bytes(cat.read_bytes()[:800])
    page = visit("srgan")
    page.set_input_files("#srgan-picture input[type=file]", str(bad))
    seen = page.locator("#srgan-seen", has_text="the file is damaged")
    seen.wait_for()
    place = seen.bounding_box()
    assert place["y"] >= 0 and place["y"] + place["height"] <= 800
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="the file is damaged").wait_for()
    assert page.locator(".toast-body").count() == 0
    choose(page, "srgan", cat)
    page.locator("#srgan-status", has_text="Press Run").wait_for()


def test_examples_have_names_and_show_each_subject_once(visit):
    page = visit("srgan")
    names = page.locator("#srgan-examples button").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert names == ["Example: Cat, small", "Example: Coffee", "Example: Rocket", "Example: Portrait"]
    page.get_by_role("button", name="Example: Coffee").filter(visible=True).click()
    page.locator("#srgan-seen", has_text="384×400").wait_for()


def test_help_is_reached_by_the_keyboard(visit):
    page = visit("mganprior")
    help = page.locator("#mganprior-job .info-text")
    assert help.evaluate("node => getComputedStyle(node).opacity") == "0"
    page.locator("#mganprior-job input").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("node => getComputedStyle(node).opacity === '1'", arg=help.element_handle())
    more = page.locator("details.summary").filter(visible=True)
    more.locator("summary").focus()
    page.keyboard.press("Enter")
    more.get_by_text("Good for:").wait_for()


def test_a_heic_keeps_its_notices_when_it_is_shown_as_a_png(visit, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6  # a phone held upright
    with Image.open(EXAMPLES / "chelsea-small-x4.png") as picture:
        pillow_heif.from_pillow(picture.convert("RGB")).save(tmp_path / "photo.heic", exif=exif.tobytes())
    page = visit("srgan")
    page.set_input_files("#srgan-picture input[type=file]", str(tmp_path / "photo.heic"))
    page.locator("#srgan-picture img[src$='photo.png']").wait_for()
    page.locator("#srgan-seen", has_text="turned upright").wait_for()
