"""What is measured: the rows, and the figures that the tables take from each."""

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Figure:
    """One line of the tables: a number taken from a row's result. Smaller is better in all of them."""

    title: str
    unit: str
    value: Callable[[dict], float]


@dataclass(frozen=True)
class Row:
    name: str
    figures: tuple
    connections: int = 0  # served rows: how many the client opens
    round_trips: int = 0
    all_processors: bool = False  # instead of one worker on one
    seconds: float = 1.0  # that one execution typically takes, for the first estimate of the whole


def per_operation(clock):
    return lambda result: result[clock] / result["operations"]


def wall(title):
    return (Figure(title, "ns", per_operation("nanoseconds")),)


def cpu(title):
    return (Figure(title, "CPU ns", per_operation("cpuNanoseconds")),)


def member(title, unit, name, divisor=1):
    return Figure(title, unit, lambda result: result[name] / divisor)


def echo(what):
    return (
        Figure(f"socket echo, {what}: round trip", "ns", per_operation("nanoseconds")),
        Figure(f"socket echo, {what}: server's CPU per round trip", "CPU ns", per_operation("cpuNanoseconds")),
    )


def tree(what):
    return (
        member(f"tree of 10^6 leaves{what}: time", "ms", "nanoseconds", 1e6),
        member(f"tree of 10^6 leaves{what}: peak memory", "MiB", "peakRSSBytes", 2**20),
    )


ROWS = (
    Row("switch", wall("context switch, one loop")),
    Row("switch-mixed", wall("context switch, mixed call chains")),
    Row("continuation-switch", wall("continuation switch")),
    Row("yield-2", wall("yield, 2 units")),
    Row("yield-1k", wall("yield, 1,000 units")),
    Row("yield-100k", wall("yield, 100,000 units")),
    Row("spawn-join", wall("spawn and join, one at a time")),
    Row("spawn-join-batch", wall("spawn and join, batches of 1,000")),
    Row("channel", wall("channel round trip, capacity 1")),
    Row("channel-unbuffered", wall("channel round trip, unbuffered")),
    Row("mutex", wall("mutex hand-over")),
    Row("timeout", wall("channel round trip, two timeouts armed and cancelled, 10^6 asleep")),
    Row("sleep-cancel", wall("sleeping unit cancelled and replaced, 10^6 asleep")),
    Row("timer-cancel", wall("timer cancelled and another armed, 10^6 armed")),
    Row("sleep-fire", cpu("unit started, sleeps, ends, 10^6 asleep")),
    Row("timer-fire", cpu("timer armed and fired, 10^6 armed")),
    Row("timer-sleep", cpu("sleep of 1 ms, 1,000 units")),
    Row(
        "sleep-overshoot",
        (
            member("idle sleep of 1 ms: late, median", "ns", "p50Nanoseconds"),
            member("idle sleep of 1 ms: late, 99th percentile", "ns", "p99Nanoseconds"),
        ),
    ),
    Row("tree", tree("")),
    Row("tree-all", tree(", all processors"), all_processors=True),
    Row(
        "parked",
        (
            member("parked unit: resident", "bytes", "bytesPerUnit"),
            member("parked unit: page tables", "bytes", "pageTableBytesPerUnit"),
        ),
    ),
    Row("echo-pair", echo("1 connection"), connections=1, round_trips=100_000),
    Row("echo-1k", echo("1,000 connections"), connections=1000, round_trips=300_000),
)
