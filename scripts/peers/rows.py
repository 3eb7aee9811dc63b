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
    Row("switch", wall("context switch, one loop"), seconds=0.25),
    Row("switch-mixed", wall("context switch, mixed call chains"), seconds=0.25),
    Row("continuation-switch", wall("continuation switch"), seconds=0.4),
    Row("yield-2", wall("yield, 2 units"), seconds=0.5),
    Row("yield-1k", wall("yield, 1,000 units"), seconds=0.6),
    Row("yield-100k", wall("yield, 100,000 units"), seconds=1.5),
    Row("spawn-join", wall("spawn and join, one at a time"), seconds=0.4),
    Row("spawn-join-batch", wall("spawn and join, batches of 1,000"), seconds=0.5),
    Row("channel", wall("channel round trip, capacity 1"), seconds=0.6),
    Row("channel-unbuffered", wall("channel round trip, unbuffered"), seconds=0.6),
    Row("mutex", wall("mutex hand-over"), seconds=0.6),
    Row("timeout", wall("channel round trip, two timeouts armed and cancelled, 10^6 asleep"), seconds=4),
    Row("sleep-cancel", wall("sleeping unit cancelled and replaced, 10^6 asleep"), seconds=6),
    Row("timer-cancel", wall("timer cancelled and another armed, 10^6 armed"), seconds=3.5),
    Row("sleep-fire", cpu("unit started, sleeps 1 to 2 s, ends; 10^6 in a row"), seconds=9),
    Row("timer-fire", cpu("timer armed and fired, 10^6 armed"), seconds=4),
    Row("timer-sleep", cpu("sleep of 1 ms, 1,000 units"), seconds=0.6),
    Row(
        "sleep-overshoot",
        (
            member("idle sleep of 1 ms: late, median", "ns", "p50Nanoseconds"),
            member("idle sleep of 1 ms: late, 99th percentile", "ns", "p99Nanoseconds"),
        ),
        seconds=1.1,
    ),
    Row("tree", tree(""), seconds=2),
    Row("tree-all", tree(", all processors"), all_processors=True, seconds=1.5),
    Row(
        "continuation-switch-all",
        wall("continuation switch, all processors"),
        all_processors=True,
        seconds=0.6,
    ),
    Row("yield-2-all", wall("yield, 2 units, all processors"), all_processors=True, seconds=0.8),
    Row("spawn-join-all", wall("spawn and join, one at a time, all processors"), all_processors=True, seconds=0.8),
    Row(
        "parked",
        (
            member("parked unit: resident", "bytes", "bytesPerUnit"),
            member("parked unit: page tables", "bytes", "pageTableBytesPerUnit"),
        ),
        seconds=2.8,
    ),
    Row("echo-pair", echo("1 connection"), connections=1, round_trips=100_000, seconds=1.4),
    Row("echo-1k", echo("1,000 connections"), connections=1000, round_trips=300_000, seconds=1.8),
)
