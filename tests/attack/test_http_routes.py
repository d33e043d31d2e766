"""The attack on the routes runs, and tells our exceptions from Gradio's."""

from __future__ import annotations

from tests.attack import http_routes

TRACE = """Traceback (most recent call last):
  File "/x/gansr/ui/middleware/headers.py", line 1, in __call__
    await self.app()
  File "/x/site-packages/gradio/routes.py", line 2, in predict
    await self.app()
{last}    f()
{error}
"""


def test_an_exception_is_ours_where_it_passed_through_our_code_behind_gradio():
    handler = '  File "/x/gansr/ui/tab.py", line 7, in run\n'
    layer = '  File "/x/gansr/ui/middleware/uploads.py", line 8, in _served\n'
    log = "said\n".join(TRACE.format(last=last, error="pkg.OddError: 5") for last in (handler, layer, ""))
    assert http_routes.exceptions(log) == [
        (True, "gansr/ui/tab.py:7 run: OddError"),
        (True, "gansr/ui/middleware/uploads.py:8 _served: OddError"),
        (False, "site-packages/gradio/routes.py:2 predict: OddError"),
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
