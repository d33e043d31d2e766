"""The inputs of pictures and masks: nothing is opened before our own checks, and a mask has limits of its own."""

from __future__ import annotations

import asyncio
import base64
import io
import zlib
from struct import pack
from typing import Any

import gradio as gr
import pytest
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData, ImageData
from gradio.state_holder import SessionState
from PIL import Image

from gansr.options import OptionError
from gansr.picture import mask
from gansr.ui import controls


def png(width: int, height: int, alpha: int = 255) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (width, height), (255, 255, 255, alpha)).save(file, "PNG")
    return file.getvalue()


def announced(width: int, height: int) -> bytes:
    """A PNG of a header alone."""
    head = b"IHDR" + pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + head + pack(">I", zlib.crc32(head))


def url_of(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def page() -> tuple[gr.Blocks, gr.Image, gr.ImageEditor]:
    """A page with a handler that changes both inputs."""

    async def made() -> Any:  # in a running loop, or Gradio makes loops and leaves them open
        with gr.Blocks(analytics_enabled=False) as blocks:
            picture = controls.picture_input("Picture", 100, "picture")
            painted = controls.painted("Mask")
            gr.Button().click(
                lambda: [gr.update(label="Another"), gr.update(label="Another")], None, [picture, painted]
            )
        return blocks, picture, painted

    return asyncio.run(made())


def test_no_layer_is_opened_before_it_is_checked(page, monkeypatch, tmp_path):
    def opened(*_: Any, **__: Any) -> Any:
        raise AssertionError("Pillow opened an upload")

    monkeypatch.setattr("PIL.Image.open", opened)
    _, _, editor = page
    bomb = tmp_path / "layer.png"
    bomb.write_bytes(announced(13_000, 13_000))
    file = FileData(path=str(bomb))
    given = EditorData(background=file, layers=[file, file], composite=file)
    assert editor.preprocess(given) == {"layers": [str(bomb), str(bomb)]}
    assert editor.preprocess(None) is None


def test_a_mask_has_few_layers(page):
    _, _, editor = page
    file = FileData(path="layer.png")
    with pytest.raises(gr.Error, match="at most 2 layers"):
        editor.preprocess(EditorData(layers=[file] * 3))
    with pytest.raises(OptionError, match="at most 2 layers"):
        controls.mask_of({"layers": [png(8, 8)] * 3})


@pytest.mark.parametrize("layer", [announced(13_000, 13_000), announced(4096, 1025), announced(2**31 - 1, 1)])
def test_a_layer_larger_than_any_input_is_refused_by_its_header(layer, monkeypatch):
    monkeypatch.setattr(mask, "open_picture", None)  # not called
    with pytest.raises(OptionError, match="the mask: too large"):
        controls.mask_of({"layers": [layer]})


@pytest.mark.parametrize(
    "layer", [b"", b"GIF89a", b"\xff\xd8\xff", announced(8, 8)[:20], "/no/such.png", 7, None]
)
def test_a_layer_that_is_no_png_is_refused_in_words(layer):
    with pytest.raises(OptionError, match="the mask: "):
        controls.mask_of({"layers": [layer]})


def test_layers_of_different_sizes_are_refused():
    with pytest.raises(OptionError, match="the same size"):
        controls.mask_of({"layers": [png(8, 8, 128), png(8, 9, 200)]})


@pytest.mark.parametrize("edited", [{}, {"layers": None}, {"layers": "ab"}, {"layers": {"a": 1}}])
def test_what_is_no_list_of_layers_is_refused(edited):
    with pytest.raises(OptionError, match="layers"):
        controls.mask_of(edited)


def test_what_is_painted_is_the_mask():
    file = io.BytesIO()
    layer = Image.new("RGBA", (16, 16))
    layer.paste((255, 255, 255, 255), (2, 3, 6, 8))
    layer.save(file, "PNG")
    hole = controls.mask_of({"layers": [file.getvalue()]})
    assert not isinstance(hole, str) and hole is not None
    assert hole.shape == (1, 16, 16) and float(hole.sum()) == float(hole[0, 3:8, 2:6].sum()) == 20
    assert controls.mask_of({"layers": [png(16, 16, 0)]}) is None
    assert controls.mask_of({"layers": []}) is None


def test_a_data_url_is_decoded_and_a_bad_one_refused_in_words(page, monkeypatch):
    _, picture, editor = page

    def both(url: str) -> tuple[Any, Any]:
        given = EditorData(layers=[FileData(path="", url=url)])
        return picture.preprocess(ImageData(path="", url=url)), editor.preprocess(given)

    assert both(url_of(png(4, 4))) == (png(4, 4), {"layers": [png(4, 4)]})
    for url, words in (
        ("data:text/plain,hello", "base64"),
        ("data:image/png;base64,???", "damaged"),
        ("data:image/png;base64,ééé", "damaged"),
    ):
        with pytest.raises(gr.Error, match=words) as refused:
            picture.preprocess(ImageData(path="", url=url))
        assert not refused.value.print_exception
    monkeypatch.setattr(controls, "MAX_BYTES", 30)
    monkeypatch.setattr("base64.b64decode", None)  # not called
    with pytest.raises(gr.Error, match="Too large"):
        both(url_of(png(4, 4)))


def test_the_inputs_stay_ours_when_gradio_makes_them_anew(page):
    blocks, picture, painted = page
    changing = next(event for event in blocks.fns.values() if len(event.outputs) == 2)

    async def changed() -> Any:
        state = SessionState(blocks)
        await blocks.process_api(changing, [], state=state)
        return state[picture._id], state[painted._id]

    for before, after in zip((picture, painted), asyncio.run(changed()), strict=True):
        assert after is not before and after.label == "Another"
        assert type(after) is type(before)
        assert after.get_block_name() == before.get_block_name() in ("image", "imageeditor")


def test_the_editor_has_no_store_of_blobs(page):
    _, _, editor = page
    assert editor.server_fns == [] and gr.ImageEditor.accept_blobs._is_server_fn  # type: ignore[attr-defined]
