"""The methods as tools of the Model Context Protocol: what they take and what they give.

Names, texts, ranges and checks are those of the request, as for the page, the API and the command. Pictures and files
come as `data:` URLs or as uploads, never from an address or a path of the server.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp import types

from gansr import papers
from gansr.choices import told, weight_choices
from gansr.method import Method
from gansr.ops.resize import imresize
from gansr.options import Option, OptionError
from gansr.picture import open_picture, to_png
from gansr.request import OF_FACES, Request, decode, fields_of
from gansr.ui import files, render
from gansr.ui.controls import bytes_of_data_url
from gansr.ui.handlers import check_value
from gansr.ui.middleware.body_size import BODY_LIMIT
from gansr.ui.viewer import address

PREVIEW = 512  # px: the longer side of the picture inside the answer; clients take about 1 MB
MEGABYTES = BODY_LIMIT * 3 // 4 // 2**20  # of a file inside a request, in base64
HOW = (
    f"a data: URL (data:image/png;base64,…) of at most {MEGABYTES} MB, or, for larger files, the path that the server "
    "answers to an upload: POST /gradio_api/upload with the form field “files”. Other addresses are not opened"
)


def tools() -> list[types.Tool]:
    """A tool for each method."""
    return [_tool(method) for method in papers.METHODS]


def _tool(method: Method) -> types.Tool:
    known = _fields(method)
    properties = {name: _schema(method, name, *described) for name, described in known.items()}
    picture = {"type": "string", "description": f"The picture: {HOW}."}
    paper = method.paper
    texts = (method.summary, f"Good for: {paper.good_for}", f"Not for: {paper.not_for}", method.caution)
    return types.Tool(
        name=method.name,
        title=method.title,
        description=" ".join(map(render.sentence, filter(None, texts))),
        inputSchema={
            "type": "object",
            "properties": {"picture": picture, **properties},
            "required": ["picture"],
            "additionalProperties": False,
        },
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=False),
    )


def _fields(method: Method) -> dict[str, tuple[Option, Any]]:
    return {
        name: described
        for name, described in fields_of(method).items()
        if name not in OF_FACES or method.accepts.face
    }


def _schema(method: Method, name: str, described: Option, default: Any) -> dict[str, Any]:
    text = render.sentence(render.sentence_case(described.help))
    if standing := told(weight_choices(method, name)):
        text += f" Weights {standing}."
    if described.read is not None:
        kinds = ", ".join(described.suffixes)
        return {"type": "string", "description": f"{text} A file ({kinds}): as for the picture."}
    schema: dict[str, Any] = {"description": text, "default": default}
    if isinstance(default, bool):
        return schema | {"type": "boolean"}
    if isinstance(default, (int, float)):
        limits = {"minimum": described.min, "maximum": described.max}
        kind = "integer" if isinstance(default, int) else "number"
        return schema | {"type": kind} | {key: value for key, value in limits.items() if value is not None}
    return schema | {"type": "string"} | ({"enum": [*described.choices]} if described.choices else {})


# ---------------------------------------------------------------------------------------------- a call


def asked(method: Method, arguments: Mapping[str, Any]) -> tuple[Path | bytes, Request]:
    """Untrusted arguments → (picture, request). Raises OptionError, PictureError or gr.Error."""
    known, values = _fields(method), dict(arguments)
    picture = values.pop("picture", None)
    given = {name: values.pop(name) for name, (one, _) in known.items() if one.read and name in values}
    check_value(values)
    read = {name: _read(name, known[name][0], value) for name, value in given.items()}
    return _source("picture", picture), decode(method, {**values, **read})


def _source(name: str, value: Any) -> Path | bytes:
    """The bytes of a `data:` URL, or the path of an upload. Raises OptionError or gr.Error."""
    if isinstance(value, str) and value.startswith("data:"):
        return bytes_of_data_url(value)
    if not isinstance(value, str) or "\0" in value or len(value) > 1000 or not files.is_upload(Path(value)):
        raise OptionError(f"{name} must be {HOW}")
    return Path(value)


def _read(name: str, described: Option, value: Any) -> Any:
    """The content of an option's file. That of a `data:` URL has no name: every kind is tried."""
    assert described.read is not None
    source = _source(name, value)
    if isinstance(source, Path):
        return described.read(source)
    refused = OptionError(f"{name} cannot be read")
    for suffix in described.suffixes:
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(source)
            file.flush()
            try:
                return described.read(Path(file.name))
            except OptionError as error:
                refused = error
    raise refused


def content(path: str, report: Mapping[str, Any], root: str) -> list[types.ContentBlock]:
    """The answer to a call: the report, a link to the result (a PNG that holds its settings), and the result as a
    picture of at most PREVIEW px. `root`: the page's address."""
    shown = {name: value for name, value in report.items() if name != "receipt"}
    picture = open_picture(path).rgb
    height, width = picture.shape[-2:]
    factor = PREVIEW / max(height, width)
    if factor < 1:
        small = (max(1, round(height * factor)), max(1, round(width * factor)))
        picture = imresize(picture, small).clamp(0, 1)
    return [
        types.TextContent(type="text", text=json.dumps({"width": width, "height": height, **shown})),
        types.ResourceLink(
            type="resource_link",
            uri=f"{root}/{address(path)}",  # type: ignore[arg-type]
            name=Path(path).name,
            mimeType="image/png",
            description=f"The result, {width}×{height} px, lossless. It is deleted after some hours.",
        ),
        types.ImageContent(
            type="image", data=base64.b64encode(to_png(picture)).decode(), mimeType="image/png"
        ),
    ]
