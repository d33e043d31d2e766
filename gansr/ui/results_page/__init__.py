"""The tab Results: means of the records, as a plane of perception against distortion and as a table.

The records are read once, when the page is built. The script draws; gansr.results.contents makes what it gets.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr

from gansr.results import records
from gansr.results.contents import contents
from gansr.ui.component import component

HERE = Path(__file__).parent
FOLDER = Path(__file__).resolve().parents[3] / "results"  # of the checkout


def recorded(folder: Path = FOLDER) -> dict[str, Any]:
    """The value of the component from the records of a folder. Records that are refused are left out, all of them, and
    the log says why: the page works without."""
    try:
        return contents(records.read_folder(folder))
    except records.RecordError as error:
        logging.getLogger(__name__).warning("the records are not shown: %s", error)
        return contents(())


def results_page(value: dict[str, Any] | None = None, *, elem_id: str = "results") -> gr.HTML:
    """The component. Pressing a dot, or Enter on it, raises `select` with `{"picture": "001", "dataset": "Set5",
    "method": "srgan", "variant": "srresnet"}`; picture is "" for the dot of a mean."""
    shown = recorded() if value is None else value
    return component(shown, HERE / "results", ("results.js",), elem_id)
