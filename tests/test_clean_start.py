"""A tree started with what its requirements name and nothing else; failures are told with the last lines said."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gansr import clean_start
from tests.test_requirements import wheel

PAGE = """
import http.server, json, os, sys, tempfile
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(os.path.join(tempfile.gettempdir(), "written"), "w").close()
        said = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["GRADIO_SERVER_PORT"])), Page)
print("x" * 200_000, file=sys.stderr)
print("* Running on", server.server_address)
print("y" * 200_000, flush=True)
server.serve_forever()
"""


def test_an_environment_has_what_the_requirements_name_and_nothing_else(tmp_path):
    wheel(tmp_path, "ours = 1")
    (tmp_path / "requirements.txt").write_text(
        f"tiny @ {(tmp_path / 'tiny-1.0-py3-none-any.whl').as_uri()}\n"
    )
    python = clean_start.environment(tmp_path / "environment", tmp_path / "requirements.txt")
    asked = "import tiny, importlib.util; print(tiny.ours, importlib.util.find_spec('torch'))"
    said = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1", "None"]


def test_requirements_that_cannot_be_installed_are_told(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        f"tiny @ {(tmp_path / 'tiny-1.0-py3-none-any.whl').as_uri()}\n"
    )
    with pytest.raises(clean_start.StartError, match=r"cannot be installed: .*tiny-1\.0-py3-none-any\.whl"):
        clean_start.environment(tmp_path / "environment", tmp_path / "requirements.txt")


def test_a_page_runs_with_empty_caches_of_its_own_and_without_this_machines_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    (tmp_path / "app.py").write_text(PAGE)
    data = tmp_path / "data"
    with clean_start.started(tmp_path, data, Path(sys.executable)) as host:
        with urllib.request.urlopen(host) as page:
            seen = eval(page.read(), {"null": None})
        for name in ("GANSR_CACHE", "HF_HOME", "GRADIO_TEMP_DIR", "TMPDIR", "XDG_CACHE_HOME"):
            assert Path(seen[name]).is_relative_to(data), name
        assert "HF_TOKEN" not in seen and "PYTHONPATH" not in seen
        assert seen["PIP_INDEX_URL"] == "http://127.0.0.1:1/simple", "where packages are stays known"
        assert (data / "tmp" / "written").exists()
    with pytest.raises(OSError):
        urllib.request.urlopen(host)


def test_a_page_that_does_not_start_is_told_with_its_last_lines(tmp_path):
    (tmp_path / "app.py").write_text("import nothing_like_this\n")
    with (
        pytest.raises(clean_start.StartError, match=r"did not start: .*No module named 'nothing_like_this'"),
        clean_start.started(tmp_path, tmp_path / "data", Path(sys.executable)),
    ):
        pass


def test_a_command_may_stand_before_the_page(tmp_path):
    (tmp_path / "app.py").write_text(PAGE)
    before = [
        sys.executable,
        "-c",
        "import os, sys; os.environ['BEFORE'] = '1'; os.execv(sys.argv[1], sys.argv[1:])",
    ]
    with clean_start.started(tmp_path, tmp_path / "data", Path(sys.executable), before, os.environ) as host:
        assert b'"BEFORE": "1"' in urllib.request.urlopen(host).read()
