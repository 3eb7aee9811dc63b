#!/usr/bin/env python3
"""spawn-tree in Python with asyncio: a task for each unit, gathered by its parent's."""

import asyncio
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import InProcess, clock, main

WIDTH = 10


class Gate:
    """Opens when all children of a node have arrived."""

    def __init__(self):
        self.arrived = 0
        self.is_open = asyncio.Event()


class SpawnTree(InProcess):
    workload = "spawn-tree"
    idiom = "asyncio: a task for each unit"
    counts = ("treesFinished", "unitsStarted", "unitsFinished", "checksum", "gatesOpened", "returnedEarly")

    async def conduct(self):
        leaves = self.parameters["leaves"]
        opens = clock() + self.trial["warmUpNanoseconds"]
        closes = opens + self.trial["windowNanoseconds"]
        while True:
            now = clock()
            if not self.is_open and now >= opens:
                self.open()
            elif self.is_open and now >= closes:
                return self.close()
            self.ledger["checksum"] += await self.start_unit(0, leaves)
            self.ledger["treesFinished"] += 1

    def done(self):
        return self.ledger["unitsFinished"]

    def start_unit(self, first, leaves, gate=None):
        return asyncio.create_task(self.unit(first, leaves, gate))

    async def unit(self, first, leaves, gate):
        self.ledger["unitsStarted"] += 1
        if gate:
            await self.arrive(gate)
        value = first if leaves == 1 else await self.add_up(first, leaves)
        if gate and gate.arrived < WIDTH:
            self.ledger["returnedEarly"] += 1
        self.ledger["unitsFinished"] += 1
        return value

    async def arrive(self, gate):
        gate.arrived += 1
        if gate.arrived == WIDTH:
            self.ledger["gatesOpened"] += 1
            gate.is_open.set()
        await gate.is_open.wait()

    async def add_up(self, first, leaves):
        """The values of ten children."""
        gate = Gate() if self.is_gated else None
        share = leaves // WIDTH
        return await self.join([(first + child * share, share, gate) for child in range(WIDTH)])

    async def join(self, children):
        return sum(await asyncio.gather(*[self.start_unit(*child) for child in children]))


class RunsInline(SpawnTree):
    """Each child runs in its parent, the next when the last has returned."""

    async def join(self, children):
        return sum([await self.unit(*child) for child in children])


class IgnoresGate(RunsInline):
    """The same, and nobody waits for siblings that do not come."""

    async def arrive(self, gate):
        gate.is_open.set()
        await super().arrive(gate)


class CreatesFewerUnits(SpawnTree):
    """The lowest inner units add up their leaves themselves."""

    async def join(self, children):
        if children[0][1] == 1 and not self.is_gated:
            return sum(first for first, *_ in children)
        return await super().join(children)


class LosesLeaf(SpawnTree):
    """A leaf's value gets lost on its way up."""

    async def join(self, children):
        values = await asyncio.gather(*[self.start_unit(*child) for child in children])
        return sum(values[1:] if children[0][1] == 1 and values[0] == 10 else values)


class CountsTwice(SpawnTree):
    """The last child of a root is added twice."""

    async def join(self, children):
        return await super().join(children) + (children[-1][0] if children[0][0] == 0 else 0)


class AbandonsChild(SpawnTree):
    """The parent knows what the last child will return, and does not wait for it."""

    async def join(self, children):
        if self.is_gated:
            return await super().join(children)
        first, leaves, gate = children[-1]
        value = await super().join(children[:-1])
        self.start_unit(first, leaves, gate).cancel()
        return value + leaves * first + leaves * (leaves - 1) // 2


class ClosesMidTree(SpawnTree):
    """The edges come at their times, whatever is under way."""

    async def conduct(self):
        await InProcess.conduct(self)

    async def start(self):
        self.trees = asyncio.create_task(self.grow())

    async def grow(self):
        while True:
            self.ledger["checksum"] += await self.start_unit(0, self.parameters["leaves"])
            self.ledger["treesFinished"] += 1

    async def drain(self):
        self.trees.cancel()


if __name__ == "__main__":
    main(SpawnTree, RunsInline, IgnoresGate, CreatesFewerUnits, LosesLeaf, CountsTwice, AbandonsChild, ClosesMidTree)
