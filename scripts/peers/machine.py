"""What the figures were measured on and with, and how much of the machine others took meanwhile."""

import datetime
import hashlib
import os
import platform
import resource
import subprocess
from pathlib import Path


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def memory_gib():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def revision(root):
    """The commit, and whether the tree had changes on top of it."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "Sources", "scripts/peers", "Package.swift")
        return git("rev-parse", "--short=12", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def facts(chosen, toolchains, rows, peers, root):
    return {
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memoryGiB": memory_gib(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": revision(root),
        "versions": toolchains.versions,
        "programs": {
            name: hashlib.sha256(Path(program[0]).read_bytes()).hexdigest()[:16]
            for name, program in sorted(toolchains.programs.items())
        },
        "rounds": chosen.rounds,
        "scale": chosen.scale,
        "seed": chosen.seed,
        "rows": [row.name for row in rows],
        "peers": [peer.name for peer in peers],
    }


class Others:
    """The share of the machine's processor time that went neither to this program nor to what it started."""

    def __init__(self):
        self.begun = self.read()

    @staticmethod
    def read():
        ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]]
        user, nice, system, idle, waiting, irq, softirq, steal = ticks
        busy = user + nice + system + irq + softirq + steal
        own = sum(
            usage.ru_utime + usage.ru_stime
            for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))
        return busy + idle + waiting, busy, own * os.sysconf("SC_CLK_TCK")

    def share(self):
        total, busy, own = (now - then for now, then in zip(self.read(), self.begun))
        return max(0.0, (busy - own) / total) if total > 0 else 0.0
