"""What a container may use: memory and processors, from its cgroup's limits (Linux, version 2 or 1).

Inside a container /proc/meminfo and os.cpu_count() tell of the whole host. The kernel's limits stand in files below
/sys/fs/cgroup: memory.max and cpu.max (version 2), memory.limit_in_bytes and cpu.cfs_quota_us (version 1). A limit of a
folder holds for all below it, so the smallest on the way up counts. Source: the kernel's Documentation/admin-guide,
cgroup-v2.rst and cgroup-v1/memory.rst; cgroup(7) for /proc/self/cgroup.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
UNLIMITED = 1 << 60  # bytes: version 1 writes a number near 2^63 where there is no limit


def memory_left(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes that this process may still take by its cgroups' limits, at least 0; None where there is no limit. Cached
    files that the kernel would give up do not count as taken."""
    left: list[int] = []
    for folder in _folders(mount, membership, "memory"):
        limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
        taken = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
        if limit is not None and limit < UNLIMITED:
            left.append(max(0, limit - max(0, (taken or 0) - _inactive(folder))))
    return min(left, default=None)


def processors(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """The whole number of processors that the cgroups' limits allow, rounded up, at least 1; None where there is no
    limit."""
    allowed = [
        share for folder in _folders(mount, membership, "cpu") if (share := _share(folder)) is not None
    ]
    return max(1, math.ceil(min(allowed))) if allowed else None


def _share(folder: Path) -> float | None:
    """The processor time that one cgroup may take, in processors."""
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _folders(mount: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of those above it. Where the container does not show the path that it
    has on the host, only the mounted folder itself is there."""
    for row in _text(membership).split("\n"):
        _, _, rest = row.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            root = next((mount / name for name in (controller, controllers) if (mount / name).is_dir()), None)
        else:
            root = mount if row.startswith("0::") else None
        if root is not None:
            own = root / path.strip("/")
            yield from (
                folder for folder in (own, *own.parents) if folder.is_relative_to(root) and folder.is_dir()
            )


def _inactive(folder: Path) -> int:
    """Bytes of cached files that are not in use; of the whole tree below `folder`."""
    rows = (row.split() for row in _text(folder / "memory.stat").split("\n"))
    found = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}
    return found.get("total_inactive_file", found.get("inactive_file", 0))


def _number(*paths: Path) -> int | None:
    """The whole number in the first of these files that has one."""
    return next((int(text) for path in paths if (text := _text(path)).isdecimal()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
