"""How long `/` takes to answer while runs are on: `python -m tests.attack.first_byte --count 300`.

The promise: 99 of 100 answers begin within 300 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

import httpx

from tests.support.page_session import Refused, Site, Visitor
from tests.support.watch import ROOT, first_byte, percentile, server

PROMISE = 0.3  # seconds
FACE = ROOT / "assets" / "examples" / "astronaut.png"
RUNS = (
    ("pulse", {"steps": 300}),
    ("kernelgan", {"iterations": 3000}),
    ("mganprior", {"iterations": 200}),
    ("glean", {}),
    ("srgan", {}),
)


async def measured(url: str, count: int) -> tuple[list[float], list[float]]:
    """Seconds to the first byte of `count` requests: with nothing to do, and while runs are on."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        visitor = Visitor(client, await Site.read(client))
        picture = await visitor.upload(FACE.name, FACE.read_bytes())
        idle = [await asyncio.to_thread(first_byte, url) for _ in range(min(count, 50))]
        busy: list[float] = []

        async def compute() -> None:
            while True:
                for name, options in RUNS:
                    try:
                        await visitor.call(name, picture=picture, **options)
                    except Refused as error:
                        print(f"{name}: {error.text[:200]}")

        computing = asyncio.create_task(compute())
        await asyncio.sleep(2)
        for _ in range(count):
            busy.append(await asyncio.to_thread(first_byte, url))
            await asyncio.sleep(0.1)
        computing.cancel()
        await asyncio.gather(computing, return_exceptions=True)
    return idle, busy


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    count = parser.parse_args(arguments).count
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as page:
        idle, busy = asyncio.run(measured(page.url, count))
    for title, seconds in (("idle", idle), ("busy", busy)):
        shares = ", ".join(f"p{100 * s:.0f} {1e3 * percentile(seconds, s):.0f} ms" for s in (0.5, 0.9, 0.99))
        print(f"{title}: {shares}, longest {1e3 * max(seconds):.0f} ms ({len(seconds)} requests)")
    return int(percentile(busy, 0.99) > PROMISE)


if __name__ == "__main__":
    raise SystemExit(main())
