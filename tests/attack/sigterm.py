"""The end of the server: `python -m tests.attack.sigterm --count 50 --seed 0`.

Each time a page starts; one run computes and three wait, two through the page and two through the API; SIGTERM comes
at a random moment. The promises: exit status 0 within 20 s; the running visitor has a result or is told; each waiting
visitor is told that the server restarts; no file is half-written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gansr import weights
from gansr.pipeline import CUT_SHORT, RESTARTS
from tests.support.page_session import Refused, Site, Visitor
from tests.support.watch import ROOT, Server, server

LIMIT = 20.0  # seconds
PICTURE = ROOT / "assets" / "examples" / "coffee-small-x4.png"
LONG = {"iterations": 6000, "zssr_iterations": 6000}
UNFINISHED = ("*.tmp", "*.part", "*.incomplete", "attempt-*")


@dataclass
class Ended:
    """One end of a server."""

    status: int = -1
    seconds: float = 0.0
    results: int = 0  # runs that ended with their best so far
    told: int = 0  # visitors who were told that the server restarts
    wrong: list[str] = field(default_factory=list[str])  # promises that were broken


async def through_the_api(visitor: Visitor, picture: dict[str, Any], seen: asyncio.Event) -> str:
    """The report, or the error, of a run."""
    seen.set()
    try:
        return json.dumps(await visitor.call("kernelgan", picture=picture, **LONG))
    except Refused as error:
        return error.text


async def through_the_page(visitor: Visitor, picture: dict[str, Any], seen: asyncio.Event) -> str:
    """The last status of a run, or its error."""
    event, last = visitor.site.event("kernelgan-run", "click"), ""
    try:
        async for message in visitor.run(event, visitor.site.values(event, picture)):
            seen.set()
            last = json.dumps(message)
    except Refused as error:
        return error.text
    return last


async def one_end(page: Server, chance: random.Random) -> Ended:
    """One run, three that wait, and SIGTERM."""
    ended = Ended()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=page.url, timeout=60, limits=limits) as client:
        site = await Site.read(client)
        visitors = [Visitor(client, site) for _ in range(4)]
        picture = await visitors[0].upload(PICTURE.name, PICTURE.read_bytes())
        ways = [through_the_page, through_the_api] * 2
        tasks: list[asyncio.Task[str]] = []
        for way, visitor in zip(ways, visitors, strict=True):
            seen = asyncio.Event()
            tasks.append(asyncio.create_task(way(visitor, picture, seen)))
            await seen.wait()
        await asyncio.sleep(chance.uniform(0, 4))
        began = time.monotonic()
        page.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        while page.process.poll() is None and time.monotonic() - began < 2 * LIMIT:
            await asyncio.sleep(0.05)
        ended.seconds = time.monotonic() - began
    ended.status = page.process.poll() if page.process.poll() is not None else -1  # type: ignore[assignment]
    texts = [str(answer) for answer in answers]
    ended.results = sum(CUT_SHORT in text for text in texts)
    ended.told = sum(RESTARTS in text for text in texts)
    if ended.status != 0:
        ended.wrong.append(f"exit status {ended.status}")
    if ended.seconds > LIMIT:
        ended.wrong.append(f"{ended.seconds:.1f} s")
    if ended.results + ended.told != len(texts):
        ended.wrong.append("not told: " + " | ".join(text[:200] for text in texts))
    ended.wrong += [f"half-written: {path}" for path in half_written(page.folder)]
    log = page.log.read_text(errors="replace")
    if fault := re.search(r"Traceback|\w+ in \S+\.py:\d+", log):
        ended.wrong.append(log[fault.start() :][:1500])
    return ended


def half_written(folder: Path) -> Iterator[Path]:
    """Files that somebody began to write and left: pictures without their end, and names of unfinished files."""
    for path in folder.rglob("*.png"):
        if not path.read_bytes().endswith(b"IEND\xaeB\x60\x82"):
            yield path
    for place in (folder, weights.cache.folder()):
        for pattern in UNFINISHED:
            yield from (path for path in place.glob(f"**/{pattern}") if "compiled" not in path.parts)


def ends(count: int, seed: int) -> list[Ended]:
    """`count` ends of a server."""
    made: list[Ended] = []
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        with (
            tempfile.TemporaryDirectory() as folder,
            server(Path(folder), GANSR_COMPILE="0", GANSR_RUNS_PER_ADDRESS="8") as page,
        ):
            made.append(asyncio.run(one_end(page, chance)))
        for wrong in made[-1].wrong:
            print(f"{number}: {wrong}", flush=True)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    made = ends(given.count, given.seed)
    seconds = sorted(end.seconds for end in made)
    print(f"ends                      {len(made)}")
    print(f"exit status 0             {sum(end.status == 0 for end in made)}")
    print(f"seconds: median, longest  {seconds[len(seconds) // 2]:.2f}, {seconds[-1]:.2f}")
    print(f"best-so-far results        {sum(end.results for end in made)}")
    print(f"visitors told             {sum(end.told for end in made)}")
    broken = sum(bool(end.wrong) for end in made)
    print(f"broken promises           {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
