#!/usr/bin/env python3
"""parked in Python with asyncio: a task for each unit, which waits for an event under asyncio.timeout."""

import array
import asyncio
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, clock, main, mix

STRIDE = 0x9E3779B97F4A7C15


def words(unit, count):
    first = mix(unit)
    return ((first + index * STRIDE) & MASK for index in range(count))


class Parked(InProcess):
    workload = "parked"
    idiom = "asyncio: a task for each unit, which waits for an event under asyncio.timeout"
    counts = (
        "unitsStarted", "unitsFinished", "unitsParked", "unitsWoken", "parkedAtClose", "wokenByTimer", "wokenEarly",
        "statesIntact", "checksum",
    )

    async def conduct(self):
        self.open()
        self.seconds = 0.1 if self.is_gated else 3600
        self.words = self.parameters["liveState"] // 8
        self.wakes = [asyncio.Event() for _ in range(self.parameters["units"])]
        self.units = [asyncio.create_task(self.unit(unit)) for unit in range(len(self.wakes))]
        while self.ledger["unitsParked"] < len(self.wakes):
            await asyncio.sleep(0.001)
        self.ledger["parkedAtClose"] = self.ledger["unitsParked"] - self.ledger["unitsWoken"]
        self.close()

    def done(self):
        return self.ledger["unitsParked"]

    async def unit(self, unit):
        self.ledger["unitsStarted"] += 1
        state = self.make_state(unit)
        armed = clock()
        is_late = await self.park(unit)
        self.ledger["unitsWoken"] += 1
        if is_late:
            self.ledger["wokenByTimer"] += 1
            self.ledger["wokenEarly"] += clock() < armed + (100_000_000 if self.is_gated else 3600 * 10**9)
        found = list(state)
        self.ledger["checksum"] += sum(found)
        self.ledger["statesIntact"] += found == list(words(unit, self.words))
        self.ledger["unitsFinished"] += 1

    def make_state(self, unit):
        return array.array("Q", words(unit, self.words))

    async def park(self, unit):
        """Waits for the end of the time, or to be woken before. Returns whether it was the former."""
        try:
            async with asyncio.timeout(self.seconds):
                self.ledger["unitsParked"] += 1
                await self.wakes[unit].wait()
                return False
        except TimeoutError:
            return True

    def wake_all(self):
        for wake in self.wakes:
            wake.set()

    async def drain(self):
        if not self.is_gated:
            self.wake_all()
        await asyncio.gather(*self.units)


class WakesEarly(Parked):
    """Timers end after half of their time."""

    async def park(self, unit):
        self.seconds = 0.05 if self.is_gated else 3600
        return await super().park(unit)


class WakesByHand(Parked):
    """There are no timers: when the time is over the model wakes all."""

    async def park(self, unit):
        if unit == 0 and self.is_gated:
            asyncio.get_running_loop().call_later(0.1, self.wake_all)
        self.ledger["unitsParked"] += 1
        await self.wakes[unit].wait()
        return False


class DoesNotWait(Parked):
    """A unit looks whether it has to wait, finds that it has not, and goes on."""

    async def park(self, unit):
        self.wakes[unit].set()
        return await super().park(unit)


class ParksInBatches(Parked):
    """Of the units a hundred wait at once; then the next have their turn."""

    async def park(self, unit):
        if unit % 100 == 99:
            for wake in self.wakes[unit - 99:unit]:
                wake.set()
        return await super().park(unit)


class DropsWakeUp(Parked):
    """One unit is not woken; nobody waits for it."""

    async def drain(self):
        self.wakes.pop()
        lost = self.units.pop()
        self.wake_all()
        await asyncio.gather(*self.units)
        lost.cancel()


class SharesState(Parked):
    """All units write to the same memory."""

    async def conduct(self):
        self.shared = array.array("Q", bytes(self.parameters["liveState"]))
        await super().conduct()

    def make_state(self, unit):
        for index, word in enumerate(words(unit, self.words)):
            self.shared[index] = word
        return self.shared


class KeepsNoState(Parked):
    """What a unit should read from memory it computes anew."""

    def make_state(self, unit):
        return words(unit, self.words)


class StartsFewerUnits(Parked):
    """One unit does without being."""

    async def conduct(self):
        self.parameters["units"] -= 1
        await super().conduct()


if __name__ == "__main__":
    main(
        Parked, WakesEarly, WakesByHand, DoesNotWait, ParksInBatches, DropsWakeUp, SharesState, KeepsNoState,
        StartsFewerUnits)
