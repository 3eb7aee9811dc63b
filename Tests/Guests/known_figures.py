#!/usr/bin/env python3
"""A model of timer-storm that arms no timer and reports the figures that it was told to. Python 3.11, standard library
alone.

    known_figures.py FIGURES

FIGURES is a file with a JSON array that has an object for each trial of the run, in order: `operations`, the `window`
in nanoseconds, the `latencies` as [nanoseconds, count], and in `usage` by how much the counters grow within the window.
The length of FIGURES.trials is how many there have been; trials beyond the array begin it again. The one thing that is
done is `calls` times sched_getscheduler within the window.
"""

import json
import os
import sys
import time

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import reply, usage


def next_figures(path):
    with open(path) as file, open(path + ".trials", "a+b") as trials:
        trials.write(b".")
        trials.flush()
        figures = json.load(file)
        return figures[(os.fstat(trials.fileno()).st_size - 1) % len(figures)]


def edge(name, counters):
    reply("edge", edge=name, ledger={}, usage=counters)


def main(path):
    figures, outstanding = None, 0
    for line in sys.stdin:
        command = json.loads(line)
        match command["command"]:
            case "describe":
                support = {"workload": "timer-storm", "variants": []}
                reply("description", protocol=1, description={
                    "model": "known-figures", "idiom": "says what it was told to say", "allocator": None,
                    "workloads": [support]})
            case "trial":
                figures, outstanding = next_figures(path), command["trial"]["parameters"]["outstanding"]
                reply("ready")
            case "begin":
                before = usage() | {"heapAllocatedBytes": 0, "heapAllocations": 0}
                edge("open", before)
                time.sleep(0.02)  # the harness looks at both edges
                for _ in range(figures.get("calls", 0)):
                    os.sched_getscheduler(0)
                    time.sleep(0.0005)  # over half a second: some follow the harness's look at the edge, however late
                after = {name: count + figures["usage"].get(name, 0) for name, count in before.items()}
                edge("close", after | {"monotonicNanoseconds": before["monotonicNanoseconds"] + figures["window"]})
            case "drain":
                operations = figures["operations"]
                ledger = dict.fromkeys(
                    ("timersCancelled", "timersLeft", "firedEarly", "firedAfterCancel", "cancelsTried",
                     "cancelsMissed", "armedChecksum", "endedChecksum"), 0)
                ledger |= dict.fromkeys(("unitsStarted", "unitsFinished", "slotsArmedAtStart"), outstanding)
                ledger |= dict.fromkeys(("timersArmed", "timersFired"), operations)
                reply(
                    "result", ledger=ledger, operations=operations, latencies={"all": figures["latencies"]}, measures=[])


if __name__ == "__main__":
    main(sys.argv[1])
