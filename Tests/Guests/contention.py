#!/usr/bin/env python3
"""contention in Python with threads: a thread for each unit, a threading.Lock for each counter."""

import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, burn, main


class Contention(InProcess):
    workload = "contention"
    idiom = "threads: a thread for each unit, a threading.Lock for each counter"
    counts = ("unitsStarted", "unitsFinished", "sections", "unitsWithSections", "checksum", "sectionsGivenWay")

    async def start(self):
        self.units, self.locks = self.parameters["units"], self.parameters["locks"]
        self.work = self.iterations(self.parameters["hold"] * 1000)
        self.guards = [threading.Lock() for _ in range(self.locks)]
        self.counters = [0] * self.locks
        self.checksums = [0] * self.locks
        self.sections = [0] * self.units
        self.given_way = [0] * self.units
        self.threads = [threading.Thread(target=self.run, args=(unit,), daemon=True) for unit in range(self.units)]
        for thread in self.threads:
            self.ledger["unitsStarted"] += 1
            thread.start()

    def run(self, unit):
        while not self.is_stopping or self.sections[unit] == 0:
            self.section(unit, (unit + self.sections[unit]) % self.locks)
            self.sections[unit] += 1

    def section(self, unit, lock):
        with self.guards[lock]:
            self.add(unit, lock)

    def add(self, unit, lock):
        counter = self.counters[lock]
        self.checksums[lock] = self.checksums[lock] + burn(counter % 64, self.work) & MASK
        if self.is_gated:
            time.sleep(1e-5)
            self.given_way[unit] += 1
        self.counters[lock] = counter + 1

    def done(self):
        return sum(self.sections)

    def open(self):
        self.at_open = list(self.sections)
        super().open()

    def close(self):
        super().close()
        ran = [now - before for now, before in zip(self.sections, self.at_open)]
        mean = statistics.fmean(ran)
        variation = statistics.pstdev(ran) / mean if mean else 0
        self.measures = [
            {"name": "sectionsPerUnitLeast", "unit": "sections", "value": min(ran)},
            {"name": "sectionsPerUnitMost", "unit": "sections", "value": max(ran)},
            {"name": "sectionsPerUnitVariation", "unit": "ratio", "value": variation},
        ]

    async def drain(self):
        self.is_stopping = True
        for thread in self.threads:
            thread.join()
            self.ledger["unitsFinished"] += 1
        self.ledger["sections"] = sum(self.sections)
        self.ledger["unitsWithSections"] = sum(1 for ran in self.sections if ran)
        self.ledger["sectionsGivenWay"] = sum(self.given_way)
        self.ledger["checksum"] = sum(self.checksums)
        for lock, counter in enumerate(self.counters):
            self.ledger[f"lock{lock}Sections"] = counter


class DoesNotLock(Contention):
    def section(self, unit, lock):
        self.add(unit, lock)


class TakesWrongLock(Contention):
    """Each unit takes its own lock, whatever counter it is about."""

    def section(self, unit, lock):
        with self.guards[unit % self.locks]:
            self.add(unit, lock)


class WritesAfterUnlock(Contention):
    """The counter is read under its lock and written back without."""

    def section(self, unit, lock):
        with self.guards[lock]:
            counter = self.counters[lock]
        self.add(unit, lock)
        self.counters[lock] = counter + 1


class CountsTwice(Contention):
    """Some sections are done twice."""

    def section(self, unit, lock):
        super().section(unit, lock)
        if self.sections[unit] % 10 == 9:
            super().section(unit, lock)


class SkipsWork(Contention):
    """Nothing is burnt within the lock."""

    async def start(self):
        self.parameters["hold"] = 0
        await super().start()


class NeverGivesWay(Contention):
    """No unit rests with the lock held, as if no check were gated."""

    async def start(self):
        self.is_gated = False
        await super().start()


class StarvesUnit(Contention):
    """The first unit never gets the lock."""

    def run(self, unit):
        if unit > 0:
            super().run(unit)


class StartsFewerUnits(Contention):
    """The last unit's sections are run by nobody."""

    async def start(self):
        self.parameters["units"] -= 1
        await super().start()


if __name__ == "__main__":
    main(
        Contention, DoesNotLock, TakesWrongLock, WritesAfterUnlock, CountsTwice, SkipsWork, NeverGivesWay, StarvesUnit,
        StartsFewerUnits)
