"""What MCP tools take and give: the request's own fields, pictures as `data:` URLs or uploads, and nothing else."""

from __future__ import annotations

import base64
import io
import json

import gradio as gr
import numpy as np
import pytest
import torch
from mcp import types
from PIL import Image

from gansr import papers
from gansr.options import OptionError
from gansr.papers.kernelgan import KERNELGAN
from gansr.papers.mganprior import MGANPRIOR
from gansr.papers.srgan import SRGAN
from gansr.picture import to_png
from gansr.request import OF_FACES, fields_of
from gansr.ui import files, mcp_tools
from tests.support.mcp_client import data_url

PNG = to_png(torch.zeros(3, 8, 8))


@pytest.mark.parametrize("method", papers.METHODS, ids=lambda method: method.name)
def test_a_tool_has_the_fields_of_the_request_with_their_texts(method):
    (tool,) = (tool for tool in mcp_tools.tools() if tool.name == method.name)
    properties = tool.inputSchema["properties"]
    unused = () if method.accepts.face else OF_FACES
    assert list(properties) == ["picture", *(name for name in fields_of(method) if name not in unused)]
    assert tool.inputSchema["required"] == ["picture"]
    for name, (described, _) in fields_of(method).items():
        if name in properties:
            assert described.help.rstrip(".")[1:] in properties[name]["description"]
            assert properties[name].get("enum") == (list(described.choices) if described.choices else None)


def test_the_defaults_of_a_tool_are_a_request():
    for tool, method in zip(mcp_tools.tools(), papers.METHODS, strict=True):
        given = {
            name: one["default"] for name, one in tool.inputSchema["properties"].items() if "default" in one
        }
        picture, request = mcp_tools.asked(method, {**given, "picture": data_url(PNG)})
        assert picture == PNG and request == mcp_tools.asked(method, {"picture": data_url(PNG)})[1]


def test_an_upload_is_taken_by_its_path():
    path = files.save(PNG, "in.png")
    assert str(mcp_tools.asked(SRGAN, {"picture": path})[0]) == path


@pytest.mark.parametrize(
    "picture",
    [
        None,
        7,
        ["a"],
        "/etc/passwd",
        "../../etc/passwd",
        "https://example.org/cat.png",
        "file:///etc/passwd",
        "\0",
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    ],
    ids=repr,
)
def test_no_address_and_no_path_of_the_server_is_opened(picture):
    with pytest.raises(OptionError, match="picture must be a data: URL"):
        mcp_tools.asked(SRGAN, {"picture": picture})
    with pytest.raises(OptionError, match="mask must be a data: URL"):
        mcp_tools.asked(MGANPRIOR, {"picture": data_url(PNG), "mask": picture})


def test_a_file_of_an_option_is_a_data_url_of_any_of_its_kinds():
    white = io.BytesIO()
    half = Image.new("L", (256, 256))
    half.paste(255, (0, 0, 128, 256))
    half.save(white, "PNG")
    given = {"picture": data_url(PNG), "job": "inpaint", "mask": data_url(white.getvalue())}
    assert float(mcp_tools.asked(MGANPRIOR, given)[1].options.mask.mean()) == 0.5
    kernel = io.BytesIO()
    np.save(kernel, np.full((5, 5), 0.04, dtype=np.float32))
    numbers = "data:application/octet-stream;base64," + base64.b64encode(kernel.getvalue()).decode()
    found = mcp_tools.asked(KERNELGAN, {"picture": data_url(PNG), "kernel_file": numbers})[
        1
    ].options.kernel_file
    assert found.shape[-2:] == (5, 5)
    with pytest.raises(OptionError):
        mcp_tools.asked(KERNELGAN, {"picture": data_url(PNG), "kernel_file": data_url(b"nothing")})


def test_values_that_no_control_has_are_refused():
    for given in ({"model": "a" * 100_000}, {"seed": 2**70}, {"model": [[[[[[[[[[1]]]]]]]]]]}):
        with pytest.raises(gr.Error):
            mcp_tools.asked(SRGAN, {"picture": data_url(PNG), **given})
    with pytest.raises(OptionError, match="unknown option"):
        mcp_tools.asked(SRGAN, {"picture": data_url(PNG), "owner": "me"})
    with pytest.raises(gr.Error, match="damaged"):
        mcp_tools.asked(SRGAN, {"picture": "data:image/png;base64,???"})


def test_a_large_result_is_shown_small_and_linked_whole():
    path = files.save(to_png(torch.rand(3, 300, 1024, generator=torch.Generator().manual_seed(0))), "out.png")
    text, link, shown = mcp_tools.content(path, {"notices": [], "receipt": {"a": 1}}, "http://here")
    assert isinstance(text, types.TextContent) and isinstance(shown, types.ImageContent)
    assert json.loads(text.text) == {"width": 1024, "height": 300, "notices": []}
    assert isinstance(link, types.ResourceLink) and str(link.uri) == f"http://here/gradio_api/file={path}"
    with Image.open(io.BytesIO(base64.b64decode(shown.data))) as picture:
        assert picture.size == (512, 150)
