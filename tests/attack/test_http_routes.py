"""The attack on the routes runs, and tells our exceptions from Gradio's."""

from __future__ import annotations

from tests.attack import http_routes

LOG = """
OddError in gansr/ui/tab.py:7 run < gansr/ui/run_state.py:8 until_stopped
KeyError in gradio/routes.py:2 predict < gansr/ui/middleware/uploads.py:3 __call__ < gansr/ui/listeners.py:3 __call__
ValueError in gradio/blocks.py:2 process < gansr/ui/tab.py:7 run < gansr/ui/handlers.py:9 process_api
Exception in ASGI application: OSError in gansr/ui/middleware/uploads.py:8 _served
Traceback (most recent call last):
"""


def test_an_exception_is_ours_where_it_passed_through_our_code_behind_gradio():
    assert http_routes.exceptions(LOG) == [
        (True, "a traceback in the log"),
        (True, "OddError in gansr/ui/tab.py:7 run"),
        (False, "KeyError in gradio/routes.py:2 predict"),
        (True, "ValueError in gradio/blocks.py:2 process"),
        (True, "OSError in gansr/ui/middleware/uploads.py:8 _served"),
    ]


def test_the_same_seed_makes_the_same_requests():
    import random

    config = {"dependencies": [{"id": 0, "backend_fn": True, "inputs": [1], "queue": True, "api_name": "a"}]}
    config |= {"components": [{"id": 1, "props": {}}]}
    one, other = (
        http_routes.Requests(["/", "/gradio_api/file={path}"], config, {"path": "/a"}, random.Random(3))
        for _ in range(2)
    )
    assert [str(one.odd()) for _ in range(50)] == [str(other.odd()) for _ in range(50)]


def test_the_attack_runs(capsys):
    assert http_routes.main(["--count", "20", "--seed", "1"]) in (0, 1)
    assert "exceptions of our code" in capsys.readouterr().out
