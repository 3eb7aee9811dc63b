#!/usr/bin/env python3
"""timer-storm in Python with asyncio: a task for each slot, which waits for a future that the loop's timer ends."""

import asyncio
import math
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, clock, main, mix, sleep_until

HOUR = 3600 * 10**9
TICK = 10**6
BATCH = 64


class Timer:
    """Ends once: `ended` says whether by its deadline."""

    def __init__(self, delay, deadline):
        loop = asyncio.get_running_loop()
        self.deadline = deadline
        self.ended = loop.create_future()
        self.is_claimed = False  # by a cancel
        self.handle = loop.call_later(delay / 1e9, self.fire)

    def fire(self):
        if not self.ended.done():
            self.ended.set_result(True)

    def cancel(self):
        """Returns whether it came in time."""
        if self.ended.done() or self.is_claimed:
            return False
        self.is_claimed = True
        self.disarm()
        return True

    def disarm(self):
        self.handle.cancel()
        self.ended.set_result(False)


class Batch:
    """Slots whose timers a canceller has cancelled, until all have their next."""

    def __init__(self, slots):
        self.left = slots
        self.is_armed = asyncio.Event()

    def arm(self):
        self.left -= 1
        if self.left == 0:
            self.is_armed.set()


class TimerStorm(InProcess):
    workload = "timer-storm"
    idiom = "asyncio: a task for each slot waits for a future, which call_later or a cancel ends"
    counts = (
        "unitsStarted", "unitsFinished", "slotsArmedAtStart", "timersArmed", "timersFired", "timersCancelled",
        "timersLeft", "firedEarly", "firedAfterCancel", "cancelsTried", "cancelsMissed", "armedChecksum",
        "endedChecksum",
    )
    Timer = Timer

    async def start(self):
        self.outstanding = self.parameters["outstanding"]
        self.is_paced = self.parameters["load"] == "paced"
        self.rate, self.share = self.parameters["rate"], self.parameters["cancelShare"]
        self.timers = [None] * self.outstanding
        self.batches = {}  # by slot: the batch whose canceller waits for it
        self.slots_armed = 0
        self.units = []
        self.start_units()
        await self.wait_for_slots()
        work = self.cancellers() if not self.is_paced else [self.pace()] if self.share else []
        self.storm = [asyncio.create_task(activity) for activity in work]

    def start_units(self):
        for slot in range(self.outstanding):
            self.ledger["unitsStarted"] += 1
            self.units.append(asyncio.create_task(self.unit(slot)))

    async def wait_for_slots(self):
        """The storm begins when all have their first timer."""
        while self.slots_armed < self.outstanding:
            await asyncio.sleep(0)

    # Slots

    async def unit(self, slot):
        round, now = 0, clock()
        while not self.is_stopping:
            self.arm(slot, round, now)
            await self.wait(slot)
            now = self.go_on(slot, round)
            round += 1

    async def wait(self, slot):
        """Returns whether the timer ended by its deadline."""
        return await self.timers[slot].ended

    def arm(self, slot, round, now):
        delay = self.delay(slot, round)
        self.timers[slot] = self.Timer(delay, now + delay)
        self.slots_armed += round == 0
        self.ledger["timersArmed"] += 1
        self.ledger["armedChecksum"] += mix((slot << 32) + round & MASK)
        if batch := self.batches.pop(slot, None):
            batch.arm()

    def go_on(self, slot, round):
        """The timer has ended. Returns the clock's reading."""
        timer, now = self.timers[slot], clock()
        self.timers[slot] = None
        self.ledger["endedChecksum"] += mix((slot << 32) + round & MASK)
        if timer.ended.result():
            self.ledger["timersFired"] += 1
            self.ledger["firedEarly"] += now < timer.deadline
            self.ledger["firedAfterCancel"] += timer.is_claimed
            if self.is_paced:
                self.record(max(0, now - timer.deadline))
        return now

    def delay(self, slot, round):
        word = mix(mix(mix(self.seed) + slot & MASK) + round & MASK)
        if not self.is_paced:
            return 60 * 10**9 + word % (60 * 10**9)
        if self.share == 1 or self.is_gated and round == 0:
            return HOUR
        mean = self.outstanding * 1e9 / (self.rate * (1 - self.share))
        return min(HOUR, int(-math.log(1 - (word >> 11) * 2.0**-53) * mean))

    # The storm

    def cancel(self, slot):
        """Returns whether the slot had a timer."""
        if self.ledger["cancelsTried"] == 0:
            self.ledger["slotsArmedAtStart"] = self.slots_armed
        self.ledger["cancelsTried"] += 1
        timer = self.timers[slot]
        if timer and timer.cancel():
            self.ledger["timersCancelled"] += 1
            return True
        self.ledger["cancelsMissed"] += 1
        return False

    async def pace(self):
        seed = mix(self.seed) ^ MASK
        began, tick, tried = clock(), 0, 0
        while True:
            tick += 1
            await sleep_until(began + tick * TICK)
            due = int((clock() - began) * self.rate * self.share / 1e9)
            while tried < due:
                self.cancel(mix(seed + tried & MASK) % self.outstanding)
                tried += 1
                if tried % BATCH == 0:
                    await asyncio.sleep(0)

    def cancellers(self):
        return [self.canceller(range(first, self.outstanding, self.workers)) for first in range(self.workers)]

    async def canceller(self, slots):
        while slots:
            for first in range(0, len(slots), BATCH):
                part = slots[first:first + BATCH]
                batch = Batch(len(part))
                for slot in part:
                    if self.cancel(slot):
                        self.batches[slot] = batch
                    else:
                        batch.arm()
                await batch.is_armed.wait()

    def done(self):
        return self.ledger["timersFired"] + self.ledger["timersCancelled"]

    async def drain(self):
        for activity in self.storm:
            activity.cancel()
        await asyncio.gather(*self.storm, return_exceptions=True)
        if self.ledger["cancelsTried"] == 0:
            self.ledger["slotsArmedAtStart"] = self.slots_armed
        self.is_stopping = True
        for timer in self.timers:
            if timer and timer.cancel():
                self.ledger["timersLeft"] += 1
        await asyncio.gather(*self.units)
        self.ledger["unitsFinished"] = self.ledger["unitsStarted"]


class FiresEarly(TimerStorm):
    """Timers fire after nine tenths of their time."""

    class Timer(Timer):
        def __init__(self, delay, deadline):
            super().__init__(delay * 0.9, deadline)


class FiresAfterCancel(TimerStorm):
    """A cancel leaves the timer armed, and its unit waits for that."""

    class Timer(Timer):
        def disarm(self):
            pass

    async def drain(self):
        self.is_stopping = True
        for timer in self.timers:
            if timer:
                asyncio.get_running_loop().call_soon(timer.fire)
        await super().drain()


class ArmsTwice(TimerStorm):
    """A slot arms a second timer over the first now and then, and forgets that."""

    def arm(self, slot, round, now):
        super().arm(slot, round, now)
        if round % 2:
            self.timers[slot].handle.cancel()
            super().arm(slot, round, now)


class MistakesTimers(TimerStorm):
    """A slot takes the end of a timer for that of the one before, which has ended already."""

    def go_on(self, slot, round):
        return super().go_on(slot, max(0, round - 1))


class ServesInTurn(TimerStorm):
    """A pool of 64: a slot has a timer when another has let go."""

    async def start(self):
        self.pool = asyncio.Semaphore(64)
        await super().start()

    async def wait_for_slots(self):
        while self.slots_armed < 64:
            await asyncio.sleep(0)

    async def unit(self, slot):
        async with self.pool:
            await super().unit(slot)


class NotesDeadlines(TimerStorm):
    """A timer is only noted: nobody ends it but a cancel."""

    class Timer(Timer):
        def fire(self):
            pass


class DropsWakeUps(TimerStorm):
    """A slot whose timer is cancelled is not woken before the drain."""

    async def start(self):
        self.at_drain = asyncio.Event()
        await super().start()

    async def wait(self, slot):
        if not await super().wait(slot):
            await self.at_drain.wait()

    async def drain(self):
        self.is_stopping = True
        self.at_drain.set()
        await super().drain()


class UsesCallbacks(TimerStorm):
    """No unit waits: the end of a timer arms the next."""

    def start_units(self):
        for slot in range(self.outstanding):
            self.chain(slot, 0, clock())

    def chain(self, slot, round, now):
        def end(future):
            now = self.go_on(slot, round)
            if not self.is_stopping:
                self.chain(slot, round + 1, now)

        self.arm(slot, round, now)
        self.timers[slot].ended.add_done_callback(end)

    async def drain(self):
        await super().drain()
        while any(self.timers):
            await asyncio.sleep(0)


class ForgetsLateness(TimerStorm):
    """Records nothing."""

    def record(self, latency):
        pass


if __name__ == "__main__":
    main(
        TimerStorm, FiresEarly, FiresAfterCancel, ArmsTwice, MistakesTimers, ServesInTurn, NotesDeadlines,
        DropsWakeUps, UsesCallbacks, ForgetsLateness)
