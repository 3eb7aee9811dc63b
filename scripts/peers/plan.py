"""Which execution is next, how long all of it takes, and what an interrupted run has done already."""

import json
import random
from dataclasses import dataclass
from statistics import median

# What must agree before a run is carried on. More rounds than before may be asked for: the order of the earlier ones
# does not depend on it.
SAME = ("processor", "processors", "kernel", "seed", "scale", "rows", "peers", "programs")


class Different(Exception):
    """The folder holds another run; the text says what differs."""


@dataclass(frozen=True)
class Group:
    """One row in one round: all its peers, back to back."""

    round: int
    row: object
    peers: tuple


def groups(rows, peers, has_row, rounds, seed):
    """Everything to execute, in order. `has_row(peer, row)`; what it leaves out does not change the order of the rest."""
    order = random.Random(seed)
    result = []
    for index in range(1, rounds + 1):
        for row in order.sample(rows, len(rows)):
            chosen = tuple(peer for peer in order.sample(peers, len(peers)) if has_row(peer, row))
            if chosen:
                result.append(Group(index, row, chosen))
    return result


class Expectation:
    """How long executions take: as long as the same one took in earlier rounds, else as it typically does."""

    def __init__(self, scale, samples=()):
        self.scale = scale
        self.taken = {}
        for sample in samples:
            self.add(sample)

    def add(self, sample):
        self.taken.setdefault((sample["row"], sample["peer"]), []).append(sample["seconds"])

    def seconds(self, row, peer):
        taken = self.taken.get((row.name, peer.name))
        return median(taken) if taken else max(0.1, row.seconds * self.scale)

    def of(self, remaining):
        return sum(self.seconds(group.row, peer) for group in remaining for peer in group.peers)


def minutes(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def resume(path, facts):
    """The samples of an earlier, interrupted run of the same programs; none if there was no run."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        earlier, samples = record["machine"], record["samples"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise Different(f"{path} is not a run's record ({error!r}): remove it, or name another folder") from error
    for name in SAME:
        if earlier.get(name) != facts[name]:
            raise Different(
                f"{path} is of another run, which cannot be carried on: its {name} was {earlier.get(name)!r}, and now is "
                f"{facts[name]!r}. Name another folder, or remove that one")
    if earlier.get("rounds", 0) > facts["rounds"]:
        raise Different(f"{path} is of a run of {earlier['rounds']} rounds, and --rounds is {facts['rounds']}: ask for more")
    return samples


def split(everything, samples):
    """The groups that are still to do, and the samples of those that are done: a row that was cut short is done again."""
    counts = {}
    for sample in samples:
        key = (sample["round"], sample["row"])
        counts[key] = counts.get(key, 0) + 1
    done = {(g.round, g.row.name) for g in everything if counts.get((g.round, g.row.name)) == len(g.peers)}
    remaining = [group for group in everything if (group.round, group.row.name) not in done]
    return remaining, [sample for sample in samples if (sample["round"], sample["row"]) in done]
