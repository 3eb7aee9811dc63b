#!/usr/bin/env python3
"""pipeline in Python with asyncio: a task for each source, stage and sink, and an asyncio.Queue between two."""

import asyncio
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, burn, clock, main, mix, sleep_until

END = None  # follows the last item


class Pipeline(InProcess):
    """An item is (lane, sequence number, value, moment at which it was due)."""

    workload = "pipeline"
    idiom = "asyncio: a task for each source, stage and sink, an asyncio.Queue between two"
    counts = (
        "unitsStarted", "unitsFinished", "itemsSent", "itemsReceived", "itemsOutOfOrder", "checksum",
        "leastAdmittedWhileStopped", "mostAdmittedWhileStopped",
    )

    async def start(self):
        self.stages, self.capacity = self.parameters["stages"], self.parameters["capacity"]
        self.lanes = self.parameters["lanes"]
        self.is_paced = self.parameters["load"] == "paced"
        self.work = self.iterations(self.parameters["work"] * 1000)
        self.sent = [0] * self.lanes
        self.received = [0] * self.lanes
        self.gates = [asyncio.Event() for _ in range(self.lanes)]
        self.admitted = [0] * self.lanes
        self.has_started = asyncio.Event()
        self.units = []
        self.queues = [[self.make_queue() for _ in range(self.stages + 1)] for _ in range(self.lanes)]
        for lane in range(self.lanes):
            self.build(lane)
        self.began = clock()
        self.has_started.set()

    def make_queue(self):
        return asyncio.Queue(self.capacity)

    def build(self, lane):
        queues = self.queues[lane]
        self.start_unit(self.source(lane, queues[0]))
        for stage in range(1, self.stages + 1):
            self.start_unit(self.stage(stage, queues[stage - 1], queues[stage]))
        self.start_unit(self.sink(lane, queues[-1]))

    def start_unit(self, work):
        self.ledger["unitsStarted"] += 1
        self.units.append(asyncio.create_task(work))

    async def source(self, lane, queue):
        await self.has_started.wait()
        while not (self.is_stopping and (not self.is_gated or all(gate.is_set() for gate in self.gates))):
            sequence, due = self.sent[lane], None
            if self.is_paced:
                due = self.began + int((sequence * self.lanes + lane) * 1e9 / self.parameters["rate"])
                await sleep_until(due)
            await queue.put((lane, sequence, mix((lane << 48) + sequence & MASK), due))
            self.sent[lane] += 1
            self.ledger["itemsSent"] += 1
        await queue.put(END)

    async def stage(self, stage, inlet, outlet):
        while (item := await inlet.get()) is not END:
            await self.pass_on(stage, self.process(stage, item), outlet)
        await outlet.put(END)

    async def pass_on(self, stage, item, outlet):
        await outlet.put(item)

    def process(self, stage, item):
        lane, sequence, value, due = item
        burnt = burn(sequence % 64, self.work) if self.work else sequence % 64
        return lane, sequence, mix(value + stage + burnt & MASK), due

    async def sink(self, lane, queue):
        if self.is_gated:
            await self.stand_still(lane)
        expected = 0
        while (item := await queue.get()) is not END:
            found_lane, sequence, value, due = item
            if self.is_paced:
                self.record(clock() - due)
            self.received[lane] += 1
            self.ledger["itemsReceived"] += 1
            if (found_lane, sequence) != (lane, expected):
                self.ledger["itemsOutOfOrder"] += 1
            expected = sequence + 1
            self.ledger["checksum"] += value

    async def stand_still(self, lane):
        """Takes nothing until the lane has been full for a while."""
        while self.sent[lane] < (self.stages + 1) * self.capacity:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        self.admitted[lane] = self.sent[lane]
        self.gates[lane].set()

    def done(self):
        return self.ledger["itemsReceived"]

    async def drain(self):
        self.is_stopping = True
        await asyncio.gather(*self.units)
        self.ledger["unitsFinished"] = len(self.units)
        self.ledger["leastAdmittedWhileStopped"] = min(self.admitted)
        self.ledger["mostAdmittedWhileStopped"] = max(self.admitted)
        self.ledger |= {f"lane{lane}Items": count for lane, count in enumerate(self.received)}


class LosesItem(Pipeline):
    """The first stage drops an item now and then."""

    async def pass_on(self, stage, item, outlet):
        if stage > 1 or item[1] % 20 != 19:
            await super().pass_on(stage, item, outlet)


class DeliversTwice(Pipeline):
    """The first stage passes an item on twice now and then."""

    async def pass_on(self, stage, item, outlet):
        for _ in range(2 if stage == 1 and item[1] % 20 == 19 else 1):
            await super().pass_on(stage, item, outlet)


class SwapsNeighbours(Pipeline):
    """The first stage lets an item overtake another now and then."""

    async def start(self):
        self.overtaken = {}
        await super().start()

    async def pass_on(self, stage, item, outlet):
        if stage == 1 and item[1] % 20 == 9:
            self.overtaken[item[0]] = item
            return
        await super().pass_on(stage, item, outlet)
        if stage == 1 and item[0] in self.overtaken:
            await super().pass_on(stage, self.overtaken.pop(item[0]), outlet)


class CrossesLanes(Pipeline):
    """The last queues belong to the wrong sinks."""

    async def sink(self, lane, queue):
        await super().sink((lane + 1) % self.lanes, queue)


class SkipsStage(Pipeline):
    """The second stage hands on what it gets."""

    def process(self, stage, item):
        return item if stage == 2 else super().process(stage, item)


class SkipsWork(Pipeline):
    """No stage burns anything."""

    def iterations(self, nanoseconds):
        return 0


class ExceedsCapacity(Pipeline):
    """A queue takes one item more than it has room for."""

    def make_queue(self):
        return asyncio.Queue(self.capacity + 1)


class RunsInline(Pipeline):
    """The first stage does the work of all and puts into the last queue; the others never get anything."""

    def build(self, lane):
        first, last = self.queues[lane][0], self.queues[lane][-1]
        self.start_unit(self.source(lane, first))
        self.start_unit(self.stage(1, first, last))
        for _ in range(1, self.stages):
            self.start_unit(asyncio.sleep(0))
        self.start_unit(self.sink(lane, last))

    def process(self, stage, item):
        for stage in range(1, self.stages + 1):
            item = super().process(stage, item)
        return item


class MergesStages(Pipeline):
    """The last two stages are one unit with one queue less before it."""

    def build(self, lane):
        if self.is_gated:  # the lane would hold less
            return super().build(lane)
        self.queues[lane].pop()
        self.stages -= 1
        super().build(lane)
        self.stages += 1

    def process(self, stage, item):
        item = super().process(stage, item)
        return super().process(stage + 1, item) if stage == self.stages - 1 and not self.is_gated else item


class ForgetsLatency(Pipeline):
    """Records one item in ten."""

    def record(self, latency):
        if self.ledger["itemsReceived"] % 10 == 0:
            super().record(latency)


if __name__ == "__main__":
    main(
        Pipeline, LosesItem, DeliversTwice, SwapsNeighbours, CrossesLanes, SkipsStage, SkipsWork, ExceedsCapacity,
        RunsInline, MergesStages, ForgetsLatency)
