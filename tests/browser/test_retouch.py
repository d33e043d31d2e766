"""Retouching in a real browser, with methods that compute in a moment: each result is its input with some noise."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.browser.test_tabs import EXAMPLES
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
RED = (255, 0, 0)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit(width=1280, touch=False) → GLEAN's tab with the small picture open."""
    with visits(chromium, address) as open_page:

        def opened(width: int = 1280, touch: bool = False) -> Any:
            page = open_page("tab=glean&align=false", width, touch=touch)
            page.set_viewport_size({"width": width, "height": 844})
            page.locator("#glean-run").wait_for()
            page.set_input_files("#glean-picture input[type=file]", str(EXAMPLES / "coffee.png"))
            page.locator("#glean-seen", has_text="Input used").wait_for()
            page.locator("#glean-retouch").click()
            page.locator("#glean-retouching canvas[width='32']").wait_for()
            page.locator("#glean-retouching canvas").scroll_into_view_if_needed()
            page.locator("#glean-retouching [data-el=colour]").fill("#ff0000")
            return page

        yield opened


def small(page: Any) -> Image.Image:
    """The picture that is painted on, as it can be downloaded."""
    url = page.locator("#glean-retouching [data-el=save]").get_attribute("href")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def place(page: Any, x: int, y: int) -> tuple[float, float]:
    """The middle of a pixel of the small picture, on the screen."""
    box = page.locator("#glean-retouching canvas").bounding_box()
    return box["x"] + box["width"] * (x + 0.5) / 32, box["y"] + box["height"] * (y + 0.5) / 32


def stroke(page: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    page.locator("#glean-retouching canvas").scroll_into_view_if_needed()
    page.mouse.move(*place(page, *start))
    page.mouse.down()
    page.mouse.move(*place(page, *end), steps=4)
    page.mouse.up()


def result(page: Any, before: str = "") -> tuple[str, Image.Image]:
    """The address of the result that a run has left which began by itself, another than `before`, and its picture."""
    page.wait_for_function(
        """before => { const link = document.querySelector('#glean-download')?.href
        const done = document.querySelector('#glean-status').innerText.includes('Done')
        return done && link && link !== before }""",
        arg=before,
    )
    url = page.locator("#glean-download").evaluate("link => link.href")
    return url, Image.open(io.BytesIO(page.request.get(url).body())).convert("RGB")


def shrunk(picture: Image.Image) -> Image.Image:
    """A result of 256² as small as its input: the methods here repeat each pixel, and make it darker by at most 0.1."""
    return picture.resize((32, 32), Image.Resampling.BOX)


def near(one: Any, other: Any) -> bool:
    return all(abs(a - b) <= 26 for a, b in zip(one, other, strict=True))


def test_a_stroke_changes_its_pixels_and_the_result_follows_by_itself(visit):
    page = visit()
    before = small(page)
    stroke(page, (4, 6), (9, 6))
    painted = small(page)
    line = [(x, 6) for x in range(4, 10)]
    for x in range(32):
        for y in range(32):
            wanted = RED if (x, y) in line else before.getpixel((x, y))
            assert painted.getpixel((x, y)) == wanted, (x, y)
    first, picture = result(page)
    made = shrunk(picture)
    assert all(near(made.getpixel(at), painted.getpixel(at)) for at in [*line, (20, 20), (2, 30)])
    assert "retouched by hand" in page.locator("#glean-status").inner_text()
    with Image.open(io.BytesIO(page.request.get(first).body())) as written:
        assert "retouched by hand" in written.text["gansr"]  # type: ignore[attr-defined]

    page.locator("#glean-retouching [data-tool=erase]").click()
    stroke(page, (4, 6), (6, 6))
    second, picture = result(page, first)
    assert small(page).getpixel((5, 6)) == before.getpixel((5, 6)) and small(page).getpixel((8, 6)) == RED
    assert near(shrunk(picture).getpixel((5, 6)), before.getpixel((5, 6)))

    page.locator("#glean-retouching [data-el=back]").click()
    _, picture = result(page, second)
    assert near(shrunk(picture).getpixel((8, 6)), before.getpixel((8, 6)))
    assert "retouched" not in page.locator("#glean-status").inner_text()
    assert small(page).tobytes() == before.tobytes()


def test_a_painted_picture_has_no_truth_and_its_original_has_one_again(visit):
    page = visit()
    page.locator("#glean-task").get_by_text("Test quality").click()
    page.locator("#glean-run").click()
    first, _ = result(page)
    page.locator("#glean-measures", has_text="PSNR-RGB").wait_for()
    page.locator("#glean-retouch").click()
    stroke(page, (10, 10), (10, 12))
    second, _ = result(page, first)
    page.locator("#glean-measures", has_text="LR-consistency").wait_for()
    assert "PSNR-RGB" not in "".join(page.locator("#glean-measures tr").all_inner_texts())
    assert page.get_by_label("Run on my picture").filter(visible=True).is_checked()
    page.locator("#glean-retouching [data-el=back]").click()
    result(page, second)
    page.locator("#glean-measures", has_text="PSNR-RGB").wait_for()
    assert page.get_by_label("Test quality").filter(visible=True).is_checked()


def test_the_colour_of_a_pixel_is_picked_and_painted_elsewhere(visit):
    page = visit()
    before = small(page)
    page.locator("#glean-retouching [data-tool=pick]").click()
    page.mouse.click(*place(page, 25, 4))
    stroke(page, (12, 20), (12, 20))
    assert small(page).getpixel((12, 20)) == before.getpixel((25, 4)) and before.getpixel((12, 20)) != RED
    result(page)


def test_a_finger_paints_on_a_phone_and_does_not_scroll_the_page(visit):
    page = visit(width=390, touch=True)
    before, top = small(page), page.evaluate("scrollY")
    touch = page.context.new_cdp_session(page)
    for kind, at in (
        ("touchStart", (8, 8)),
        ("touchMove", (8, 12)),
        ("touchMove", (8, 16)),
        ("touchEnd", None),
    ):
        x, y = place(page, *(at or (0, 0)))
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if at is None else [{"x": x, "y": y}]},
        )
    assert [small(page).getpixel((8, y)) for y in range(8, 17)] == [RED] * 9
    assert small(page).getpixel((9, 12)) == before.getpixel((9, 12)) and page.evaluate("scrollY") == top
    box = page.locator("#glean-retouching canvas").bounding_box()
    assert box["width"] / 32 > 9 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    result(page)


def test_it_closes_when_another_picture_is_chosen(visit):
    page = visit()
    page.locator("#glean-picture").get_by_label("Clear").or_(
        page.locator("#glean-picture [aria-label='Remove Image']")
    ).first.click()
    page.locator("#glean-retouching").wait_for(state="hidden")
    page.locator("#glean-retouch").wait_for(state="hidden")
