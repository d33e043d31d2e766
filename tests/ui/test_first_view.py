"""What stands in the page's HTML before Gradio has drawn it."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from gansr.gallery import GALLERY
from gansr.ui import first_view, gallery
from gansr.ui.middleware.headers import headers

PAGE = b"""<html><script>gradio-app "compare-viewer"</script><body><gradio-app></gradio-app></body></html>"""


@pytest.fixture(autouse=True)
def _fresh():
    first_view._html.cache_clear()
    yield
    first_view._html.cache_clear()


def test_the_pictures_of_the_first_example_come_before_gradio():
    page = first_view.added(PAGE).decode()
    sources = re.findall(r'<img alt="[^"]+" src="gradio_api/file=([^"]+)"', page)
    assert len(sources) == 7
    assert all((GALLERY / unquote(source).rpartition("/")[2]).is_file() for source in sources)
    assert page.index("first-view") < page.index("<gradio-app>")
    assert page.count('id="first-view"') == 1


def test_without_a_computed_example_the_page_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(gallery, "read", lambda name: None)
    assert first_view.added(PAGE) == PAGE


def test_a_page_without_the_comparison_stays_as_it_is():
    other = PAGE.replace(b"compare-viewer", b"rate-pictures")
    assert first_view.added(other) == other


def test_the_policy_allows_its_script():
    page = first_view.added(PAGE)
    policy = dict(headers("/", 200, [], page))[b"content-security-policy"]
    assert policy.count(b"'sha256-") == 2  # the page's own, and this one


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        (f"/gradio_api/file={GALLERY}/astronaut-truth.webp", 200, True),
        (f"/gradio_api/file={GALLERY}/astronaut-truth.webp", 404, False),
        (f"/gradio_api/file={GALLERY}/../examples/astronaut.png", 200, False),
        (f"/gradio_api/file={GALLERY}-other/a.webp", 200, False),
    ],
)
def test_only_pictures_of_the_gallery_may_be_kept_by_caches(path, status, kept):
    value = dict(headers(path, status, []))[b"cache-control"]
    assert value == (b"public, max-age=3600" if kept else b"private, no-store")
