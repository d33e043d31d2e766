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
from gansr.ui.restore_button import read
from gansr.ui.retouch import RETOUCHED
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


def test_a_result_of_a_painted_picture_asks_for_that_picture(monkeypatch):
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    given = MethodInput(torch.zeros(3, 8, 8), notices=(RETOUCHED,))
    png = receipt.result_png(decode(FAKE, {}), given, Frame(torch.zeros(3, 16, 16), 5, 5))
    assert "Now give it the painted picture, input.png of its files." in read(png).restored()
    other = receipt.result_png(
        decode(FAKE, {}), MethodInput(torch.zeros(3, 8, 8)), Frame(torch.zeros(3, 16, 16), 5, 5)
    )
    assert "the picture it was made from" in read(other).restored()


@pytest.mark.parametrize("noticed", [None, 7, "retouched by hand", {"a": 1}, [["retouched by hand"], 7]])
def test_notices_that_anybody_wrote_are_left_out(noticed):
    assert receipt.notices_of({"input": {"notices": noticed}}) == () == receipt.notices_of({"input": noticed})


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
