"""What we aim at: our figures against the others', row by row. Judged from the samples, at the end of the table."""

from dataclasses import dataclass
from statistics import median

GO_AND_BOOST = ("go-pypi", "go-debian", "boost-fiber")
GO = ("go-pypi", "go-debian")


@dataclass(frozen=True)
class AtLeast:
    """The other peer's figure divided by ours within a round is `bound` or more: ours is that much better."""

    row: str
    figure: int  # which of the row's
    ours: str
    other: str
    bound: float
    strict: bool = False  # more than the bound, not level with it


@dataclass(frozen=True)
class AtMost:
    """Our own figure is `bound` or less."""

    row: str
    figure: int
    ours: str
    bound: float


@dataclass(frozen=True)
class Holds:
    """Every execution of the row checks this itself, and fails if it is not so."""

    row: str
    ours: str
    claim: str


BARS = (
    *(
        AtLeast(row, 0, "green-threads", other, 2)
        for row in ("spawn-join", "spawn-join-batch", "channel", "channel-unbuffered", "mutex")
        for other in GO_AND_BOOST
    ),
    *(
        AtLeast(row, 0, ours, other, bound)
        for ours, bound in (("green-threads", 1.8), ("green-threads-no-handover", 2.5))
        for row in ("yield-2", "yield-1k", "yield-100k")
        for other in GO_AND_BOOST
    ),
    *(AtLeast("timer-cancel", 0, "green-threads", other, 5) for other in GO),
    *(AtLeast(row, 0, "green-threads", other, 1, strict=True) for row in ("tree", "tree-all") for other in GO),
    *(AtMost(row, 1, "green-threads", 256) for row in ("tree", "tree-all")),
    AtMost("parked", 0, "green-threads", 4400),
    *(
        AtLeast(row, 0, "event-loop", "default-executor", 2)
        for row in ("continuation-switch", "yield-2", "yield-1k", "yield-100k", "timer-sleep", "spawn-join")
        + ("continuation-switch-all", "yield-2-all", "spawn-join-all")
    ),
    *(AtLeast(row, 1, "event-loop", "swift-nio", 1) for row in ("echo-pair", "echo-1k")),
    Holds("sleep-cancel", "event-loop", "10^6 sleeps cancelled leave no timer in the loop"),
)


@dataclass(frozen=True)
class Verdict:
    """What came out: `values` one number a round, in the order of rounds; none where there is nothing to judge."""

    values: tuple
    word: str


def ratios(ours, other):
    """Other / ours, within each round that has both. `ours`, `other`: round -> figure."""
    return tuple(other[r] / ours[r] for r in sorted(ours) if ours[r] > 0 and r in other)


def judge(values, met, worst):
    """`met`: does a number satisfy the bar. `worst`: min or max, whichever number is the hardest to pass with."""
    if not values:
        return Verdict((), "not measured")
    if not met(median(values)):
        return Verdict(values, "**not reached**")
    return Verdict(values, "reached" if met(worst(values)) else "reached in the median, not in each round")


def at_least(bar, ours, other):
    beyond = (lambda value: value > bar.bound) if bar.strict else (lambda value: value >= bar.bound)
    return judge(ratios(ours, other), beyond, min)


def at_most(bar, ours):
    return judge(tuple(ours[r] for r in sorted(ours)), lambda value: value <= bar.bound, max)


def coverage(rounds):
    """How surely the true median lies between the least and the most of so many rounds: all of them on one side of it
    has probability 2 / 2^rounds (the sign test; Conover, Practical Nonparametric Statistics)."""
    return 1 - 2 / 2**rounds
