"""Who the visitor is: `X-Forwarded-*` headers count only where a trusted proxy has sent them.

`GANSR_TRUSTED_PROXY` lists the addresses or networks of proxies in front of the page, with commas. On a Space (where
`SPACE_ID` is set) the platform's proxy is trusted: it reaches the page from a private address. Elsewhere no proxy is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from gansr.ui.middleware.asgi import App, Receive, Scope, Send

TRUSTED = "GANSR_TRUSTED_PROXY"
PRIVATE = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)
# Gradio builds addresses of the page from these.
FORWARDED = (b"x-forwarded-", b"forwarded", b"x-real-ip")
ALWAYS_DROPPED = (b"x-gradio-server",)  # sent by Gradio's own front server only, which is not used here

Network = IPv4Network | IPv6Network


def trusted_networks(environment: Mapping[str, str] = os.environ) -> tuple[Network, ...]:
    """The networks of trusted proxies. Raises ValueError where the variable lists something else."""
    listed = environment.get(TRUSTED, "")
    names = (
        PRIVATE if not listed and environment.get("SPACE_ID") else [n for n in listed.split(",") if n.strip()]
    )
    return tuple(ip_network(name.strip()) for name in names)


def switch_off_uvicorns() -> None:
    """uvicorn believes `X-Forwarded-For` of 127.0.0.1 by default, before this layer sees the request. Call it before
    the server starts."""
    os.environ["FORWARDED_ALLOW_IPS"] = "none"


class Proxy:
    """ASGI middleware: drops forwarded headers that no trusted proxy has sent; behind one, `scope["client"]` is the
    right-most forwarded address that is not a trusted proxy's. What a visitor writes stands to the left of it."""

    def __init__(self, app: App, trusted: tuple[Network, ...] | None = None) -> None:
        self.app, self.trusted = app, trusted_networks() if trusted is None else trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            client = scope.get("client")
            dropped = ALWAYS_DROPPED
            if client is not None and self._trusts(client[0]):
                scope["client"] = (self._visitor(scope) or client[0], client[1])
            else:
                dropped += FORWARDED
            scope["headers"] = [(n, v) for n, v in scope["headers"] if not n.lower().startswith(dropped)]
        return await self.app(scope, receive, send)

    def _visitor(self, scope: Scope) -> str | None:
        values = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
        hosts = [host.strip() for host in b",".join(values).decode("latin-1").split(",")]
        addresses = [host for host in hosts if _address(host) is not None]
        others = [host for host in addresses if not self._trusts(host)]
        return next(iter([*reversed(others), *addresses]), None)

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self.trusted)


def _address(host: str):
    try:
        return ip_address(host)
    except ValueError:
        return None
