"""ASGI layers in front of Gradio's app. `launch(app_kwargs={"middleware": middleware()})` installs them.

From the outside in: addresses of visitors, the page from memory, headers of replies, routes, sizes of bodies, uploads,
the page's language.
"""

from __future__ import annotations

from starlette.middleware import Middleware

from gansr.ui.middleware.body_size import BODY_LIMIT, UPLOAD_LIMIT, BodySize
from gansr.ui.middleware.headers import Headers
from gansr.ui.middleware.language import Language
from gansr.ui.middleware.page_cache import PageCache
from gansr.ui.middleware.proxy import Proxy
from gansr.ui.middleware.routes import Routes
from gansr.ui.middleware.uploads import Uploads


def middleware(upload_limit: int = UPLOAD_LIMIT, body_limit: int = BODY_LIMIT) -> list[Middleware]:
    """The value for `launch(app_kwargs={"middleware": …})`. Limits in bytes."""
    return [
        Middleware(Proxy),
        Middleware(PageCache),
        Middleware(Headers),
        Middleware(Routes),
        Middleware(BodySize, upload_limit=upload_limit, body_limit=body_limit),
        Middleware(Uploads),
        Middleware(Language),
    ]
