"""Ways between tabs: which file's settings are restored."""

from __future__ import annotations

import gradio as gr
import pytest
import torch

from gansr import papers, receipt
from gansr.inputs import MethodInput
from gansr.method import Frame
from gansr.request import decode
from gansr.ui import files
from gansr.ui.tab_links import _uploaded
from tests.support.fakes import FAKE


@pytest.fixture
def png(monkeypatch) -> bytes:
    """A result with its receipt."""
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    low = torch.zeros(3, 8, 8)
    return receipt.result_png(
        decode(FAKE, {"seed": 7}), MethodInput(low), Frame(torch.zeros(3, 16, 16), 5, 5)
    )


def test_a_result_that_the_browser_has_uploaded_is_read(png):
    found = _uploaded(gr.EventData(None, {"path": files.save(png, "result.png")}))
    assert found is not None and (found.request.method, found.request.seed) == (FAKE, 7)


def test_no_other_file_of_the_server_is_read(png, tmp_path):
    (tmp_path / "result.png").write_bytes(png)
    inside = files.save(png, "result.png")
    for path in (
        str(tmp_path / "result.png"),
        f"{inside}/../../../../etc/passwd",
        "",
        "\0",
        "\ud800",
        "/etc/passwd",
        7,
        None,
    ):
        assert _uploaded(gr.EventData(None, {"path": path})) is None, path
