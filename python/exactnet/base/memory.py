"""How much memory this process may still take."""

from __future__ import annotations

import os
import re
import resource


def available_memory(root: str = "/") -> int:
    """Return the bytes that this process may still take, as far as the system tells.

    The least of what the machine has to spare, what the control groups of the process (version 1
    or 2, with all groups above them) have left, and what RLIMIT_AS and RLIMIT_DATA allow.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    limits = [os.sysconf("SC_PHYS_PAGES") * page]
    found = re.search(r"^MemAvailable: +([0-9]+) kB", _read(root, "proc/meminfo"), re.MULTILINE)
    if found:
        limits.append(int(found[1]) * 1024)
    limits += _control_groups(root)
    # pages mapped, and those of them that are data; elsewhere than on Linux not known
    mapped = (_read(root, "proc/self/statm").split() + ["0"] * 6)[0:6:5]
    for kind, pages in zip((resource.RLIMIT_AS, resource.RLIMIT_DATA), mapped, strict=True):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            limits.append(limit - int(pages) * page)
    return max(0, min(limits))


def _control_groups(root: str) -> list[int]:
    """Return what each group of this process has left."""
    left = []
    for line in _read(root, "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder = "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside a container the path may be one of the host: what exists of it counts.
        groups = [name for name in path.split("/") if name]
        for depth in range(len(groups), -1, -1):
            part = "/".join(groups[:depth])
            limit, used = (_read(root, folder, part, name).strip() for name in names[:2])
            if limit.isdecimal() and used.isdecimal():
                # copies of files that the kernel drops when memory is short
                files = re.search(
                    rf"^{names[2]} ([0-9]+)$",
                    _read(root, folder, part, "memory.stat"),
                    re.MULTILINE,
                )
                left.append(int(limit) - int(used) + (int(files[1]) if files else 0))
    return left


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="ascii") as file:  # pathlib is slow to import
            return file.read()
    except (OSError, ValueError):
        return ""
