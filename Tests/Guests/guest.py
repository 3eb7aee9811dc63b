"""What the guests share: PROTOCOL.md's conversation, its clock and its CPU work. Python 3.11, standard library alone.

A guest's file has a class that keeps its workload's contract, and below it classes that break it on purpose, to prove
that the oracle notices. `main` takes the one that the program's name asks for: Tests/Guests/broken/WORKLOAD/ holds a
symbolic link for each that breaks something. These alter what is done, not what is told, wherever the oracle can see
it.

The conversation runs on asyncio in all guests. Those whose units are threads block its loop, on which nothing else
runs.
"""

import asyncio
import collections
import json
import os
import resource
import sys
import threading
import time
import traceback

MASK = 2**64 - 1


def mix(value):
    """One step of SplitMix64."""
    return burn(value, 1)


def burn(value, iterations):
    """CPU work: `mix` so many times."""
    for _ in range(iterations):  # without a call for each it takes half the time
        value = value + 0x9E3779B97F4A7C15 & MASK
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
        value ^= value >> 31
    return value


def clock():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


async def sleep_until(moment):
    """Returns at that reading of the clock at the earliest."""
    while (left := moment - clock()) > 0:
        await asyncio.sleep(left / 1e9)


def usage():
    """What this process has used so far, read together with the clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "monotonicNanoseconds": clock(),
        "userNanoseconds": round(used.ru_utime * 1e9), "systemNanoseconds": round(used.ru_stime * 1e9),
        "voluntarySwitches": used.ru_nvcsw, "involuntarySwitches": used.ru_nivcsw,
        "minorFaults": used.ru_minflt, "majorFaults": used.ru_majflt,
        "heapAllocatedBytes": None, "heapAllocations": None,
    }


def reply(kind, **rest):
    print(json.dumps({"reply": kind, **rest}, separators=(",", ":")), flush=True)


def fail(state, reason, **more):
    reply("failure", failure={"state": state, "reason": reason, **more})
    os._exit(1)  # a thread may be waiting for standard input


def signed(count):
    """As a ledger has it: 64 bits with a sign, which checksums need not fit into."""
    return (count + 2**63 & MASK) - 2**63


class Guest:
    """One trial. A subclass says which workload it does, and how."""

    workload = idiom = None
    counts = ()
    needs_begin = False

    def __init__(self, trial):
        self.trial = trial
        self.parameters = trial["parameters"]
        self.ledger = dict.fromkeys(self.counts, 0)

    def edge(self, name):
        reply("edge", edge=name, ledger=self.settled(), usage=usage())

    def settled(self):
        return {name: signed(count) for name, count in self.ledger.items()}

    async def ready(self):
        """Promises what `ready` promises; a served guest tells its port."""
        reply("ready")

    async def drain(self):
        """Stops the work and joins everything."""

    def result(self):
        reply("result", ledger=self.settled())


class InProcess(Guest):
    """A guest that drives itself from `begin` on."""

    needs_begin = True

    def __init__(self, trial):
        super().__init__(trial)
        self.seed, self.workers, self.is_gated = trial["seed"], trial["workers"], trial["isGated"]
        self.is_open = False  # within the window
        self.is_stopping = False
        self.operations = 0
        self.samples = collections.Counter()
        self.measures = []
        self.lock = threading.Lock()

    def count(self, *names):
        """For units that are threads."""
        with self.lock:
            for name in names:
                self.ledger[name] += 1

    def iterations(self, nanoseconds):
        """Of CPU work, halves up."""
        return int(nanoseconds * self.trial["iterationsPerMillisecond"] / 1e6 + 0.5) if nanoseconds else 0

    def record(self, latency):
        """Three digits, so that the result stays a line."""
        if self.is_open:
            digits = max(0, latency.bit_length() - 11)
            self.samples[((latency >> digits) + 1 << digits) - 1] += 1

    async def start(self):
        """Builds what the case needs, and sets to work."""

    def done(self):
        """Operations so far."""

    async def conduct(self):
        """From `begin` to the end of the window."""
        await self.start()
        await sleep_until(clock() + self.trial["warmUpNanoseconds"])
        self.open()
        await sleep_until(clock() + self.trial["windowNanoseconds"])
        self.close()

    def open(self):
        self.edge("open")
        self.is_open, self.operations = True, self.done()

    def close(self):
        self.is_open, self.operations = False, self.done() - self.operations
        self.edge("close")

    def result(self):
        samples = {"all": sorted(self.samples.items())} if self.samples else {}
        reply(
            "result", ledger=self.settled(), operations=self.operations, latencies=samples, measures=self.measures)


class LeavesOutCount(InProcess):
    """Breaks any workload's contract: the result lacks a count."""

    def result(self):
        self.ledger.popitem()
        super().result()


class ClaimsMore(InProcess):
    """Breaks any workload's contract: the window has had more operations than the ledger bears out."""

    def close(self):
        super().close()
        self.operations += 10**15


async def crash_on_error(work):
    """An error ends the process at once: asyncio would wait first for the thread that reads standard input."""
    try:
        await work
    except Exception:
        traceback.print_exc()
        os._exit(1)


async def converse(implementation):
    """The conversation with the harness, to its end."""
    guest, work, is_drained = None, None, False
    support = {"workload": implementation.workload, "variants": []}
    description = {"model": "python", "idiom": implementation.idiom, "allocator": None, "workloads": [support]}

    async def finish():
        if work and not work.done():  # the harness has gone
            work.cancel()
            await asyncio.wait([work])
        if work or not guest.needs_begin:
            await guest.drain()
        guest.result()

    # On a thread, since standard input may be something that no event loop can watch.
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        command = json.loads(line)
        match command["command"]:
            case "describe" | "trial" if command.get("protocol") != 1:
                fail("unsupported", f"protocol {command.get('protocol')} is not spoken here: expected 1")
            case "describe":
                reply("description", protocol=1, description=description)
            case "trial":
                trial = command["trial"]
                if trial["workload"] != implementation.workload or trial.get("variant") is not None:
                    fail("unsupported", f"{trial['workload']}, variant {trial.get('variant')}: not implemented")
                guest = implementation(trial)
                await guest.ready()
            case "begin":
                work = asyncio.create_task(crash_on_error(guest.conduct()))
            case "edge":
                guest.edge(command["edge"])
            case "drain" if not is_drained:
                is_drained = True
                await finish()
    if guest and not is_drained:
        await finish()


def tell_where():
    """Who is stuck says where, on the standard error that checks keep."""
    for frame in sys._current_frames().values():
        traceback.print_stack(frame)


def kebab_case(name):
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def main(good, *broken):
    """Runs the one whose name this program has, else the good one."""
    if issubclass(good, InProcess):
        broken += tuple(type(breach.__name__, (breach, good), {}) for breach in (LeavesOutCount, ClaimsMore))
    chosen = {kebab_case(guest.__name__): guest for guest in broken}.get(os.path.basename(sys.argv[0]), good)
    watch = threading.Timer(60, tell_where)
    watch.daemon = True
    watch.start()
    asyncio.run(crash_on_error(converse(chosen)))
