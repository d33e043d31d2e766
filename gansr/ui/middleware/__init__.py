"""ASGI layers in front of Gradio's app. `launch(app_kwargs={"middleware": middleware()})` installs them.

From the outside in: addresses of visitors, the page from memory, headers of replies, health, routes, sizes of bodies,
uploads, the page's language.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware import Middleware

from gansr.ui.middleware.body_size import BODY_LIMIT, UPLOAD_LIMIT, BodySize
from gansr.ui.middleware.headers import Headers
from gansr.ui.middleware.health import Health
from gansr.ui.middleware.language import Language
from gansr.ui.middleware.page_cache import PageCache
from gansr.ui.middleware.proxy import Proxy
from gansr.ui.middleware.routes import Routes
from gansr.ui.middleware.uploads import Uploads


def middleware(
    upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT, problems: Callable[[], list[str]] = list
) -> list[Middleware]:
    """The value for `launch(app_kwargs={"middleware": …})`. Limits in bytes; `problems` as `Health` takes them."""
    return [
        Middleware(Proxy),
        Middleware(PageCache),
        Middleware(Headers),
        Middleware(Health, problems=problems),
        Middleware(Routes),
        Middleware(BodySize, upload_limit=upload_limit, body_limit=body_limit),
        Middleware(Uploads),
        Middleware(Language),
    ]
