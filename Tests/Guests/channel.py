#!/usr/bin/env python3
"""channel in Python with asyncio: a task for each producer and each consumer, and one asyncio.Queue."""

import asyncio
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, main, mix

CLOSED = None  # the mark behind the last item


class Channel(InProcess):
    workload = "channel"
    idiom = "asyncio: a task for each producer and consumer, an asyncio.Queue between them"
    counts = (
        "unitsStarted", "unitsFinished", "itemsSent", "itemsReceived", "itemsOutOfOrder", "checksum",
        "itemsAdmittedWhileStopped",
    )

    async def start(self):
        self.producers = self.parameters["producers"]
        self.consumers = self.parameters["consumers"]
        self.queue = self.make_queue(self.parameters["capacity"])
        self.put_by = [0] * self.producers
        self.taken_by = [0] * self.consumers
        self.gate = asyncio.Event()
        if not self.is_gated:
            self.gate.set()
        self.producing = [self.start_unit(self.produce(producer)) for producer in range(self.producers)]
        self.consuming = [self.start_unit(self.consume(consumer)) for consumer in range(self.consumers)]
        self.opening = asyncio.create_task(self.open_gate())

    def make_queue(self, capacity):
        return asyncio.Queue(capacity)

    def start_unit(self, work):
        self.ledger["unitsStarted"] += 1
        return asyncio.create_task(work)

    async def produce(self, producer):
        while self.put_by[producer] == 0 or not (self.is_stopping and self.gate.is_set()):
            sequence = self.put_by[producer]
            await self.put((producer, sequence, mix((producer << 48) + sequence & MASK)))
            self.put_by[producer] += 1
            self.ledger["itemsSent"] += 1
            if sequence % 64 == 63:
                await asyncio.sleep(0)

    async def put(self, item):
        await self.queue.put(item)

    async def consume(self, consumer):
        last = {}
        await self.gate.wait()
        while (item := await self.queue.get()) is not CLOSED:
            producer, sequence, value = item
            self.taken_by[consumer] += 1
            self.ledger["itemsReceived"] += 1
            if sequence <= last.get(producer, -1):
                self.ledger["itemsOutOfOrder"] += 1
            last[producer] = sequence
            self.ledger["checksum"] += value
            if self.taken_by[consumer] % 64 == 0:
                await asyncio.sleep(0)
        self.queue.put_nowait(CLOSED)  # for the next consumer

    async def open_gate(self):
        """Gated: lets the consumers begin when the producers have been stopped for a while."""
        if not self.gate.is_set():
            while self.ledger["itemsSent"] < self.parameters["capacity"]:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            self.ledger["itemsAdmittedWhileStopped"] = self.ledger["itemsSent"]
            self.gate.set()

    def done(self):
        return self.ledger["itemsReceived"]

    async def drain(self):
        self.is_stopping = True
        await self.opening
        await self.join(self.producing)
        await self.queue.put(CLOSED)
        await self.join(self.consuming)
        self.ledger |= {f"producer{producer}Items": count for producer, count in enumerate(self.put_by)}
        self.ledger |= {f"consumer{consumer}Items": count for consumer, count in enumerate(self.taken_by)}

    async def join(self, units):
        await asyncio.gather(*units)
        self.ledger["unitsFinished"] += len(units)


class LosesItem(Channel):
    """An item that finds the queue full is thrown away now and then."""

    async def put(self, item):
        if not (self.queue.full() and item[1] % 10 == 9):
            await super().put(item)


class ExceedsCapacity(Channel):
    def make_queue(self, capacity):
        return asyncio.Queue(capacity + 1)


class FallsShortOfCapacity(Channel):
    def make_queue(self, capacity):
        return asyncio.Queue(max(1, capacity // 2))


class KeepsItemsAside(Channel):
    """Each producer collects eight items before it goes to the queue."""

    async def start(self):
        self.aside = [[] for _ in range(self.parameters["producers"])]
        await super().start()

    async def put(self, item):
        aside = self.aside[item[0]]
        aside.append(item)
        if len(aside) == 8 or self.is_stopping:
            while aside:
                await super().put(aside.pop(0))


class ReversesOrder(Channel):
    """Last in, first out."""

    def make_queue(self, capacity):
        return asyncio.LifoQueue(max(capacity, 2))


class RepeatsItem(Channel):
    """Now and then an item comes with the value of the one before."""

    async def put(self, item):
        producer, sequence, value = item
        if sequence % 10 == 9:
            value = mix((producer << 48) + sequence - 1 & MASK)
        await super().put((producer, sequence, value))


class DeliversTwice(Channel):
    """An item goes into the queue twice now and then, but not while the consumers stand still: they would for ever."""

    async def put(self, item):
        await super().put(item)
        if item[1] % 10 == 9 and self.gate.is_set() and not self.queue.full():
            self.queue.put_nowait(item)


class StarvesProducer(Channel):
    """The first producer never gets to put anything."""

    async def produce(self, producer):
        if producer > 0:
            await super().produce(producer)


class StartsFewerUnits(Channel):
    """One consumer less; the others take its share."""

    async def start(self):
        await super().start()
        self.consuming.pop().cancel()
        self.ledger["unitsStarted"] -= 1


if __name__ == "__main__":
    main(
        Channel, LosesItem, ExceedsCapacity, FallsShortOfCapacity, KeepsItemsAside, ReversesOrder, RepeatsItem,
        DeliversTwice, StarvesProducer, StartsFewerUnits)
