#!/usr/bin/env python3
"""ping-pong in Python with asyncio: a task for each unit, an asyncio.Queue of one for its mailbox."""

import asyncio
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, main, mix

END = None  # wakes a unit that shall not get a token any more


class PingPong(InProcess):
    """Unit 2p is the ping of pair p, 2p + 1 its pong."""

    workload = "ping-pong"
    idiom = "asyncio: a task for each unit, an asyncio.Queue of one for its mailbox"
    counts = (
        "unitsStarted", "unitsFinished", "startedAtFirstToken", "handOversSent", "tokensReceived", "tokensOutOfTurn",
        "tokensKept", "checksum",
    )

    async def start(self):
        self.pairs = self.parameters["pairs"]
        self.mailboxes = [asyncio.Queue(1) for _ in range(2 * self.pairs)]
        self.units = [asyncio.create_task(self.unit(unit)) for unit in range(2 * self.pairs)]
        while self.ledger["unitsStarted"] < 2 * self.pairs:
            await asyncio.sleep(0)  # a task that starts goes on until it waits: those that have started wait
        self.ledger["startedAtFirstToken"] = self.ledger["unitsStarted"]
        for pair in range(self.pairs):
            await self.mailboxes[2 * pair].put(mix(pair))

    async def unit(self, unit):
        self.ledger["unitsStarted"] += 1
        expected = mix(unit // 2) + unit % 2 & MASK
        while (token := await self.mailboxes[unit].get()) is not END:
            self.ledger["tokensReceived"] += 1
            if token != expected:
                self.ledger["tokensOutOfTurn"] += 1
            if self.is_stopping:
                self.ledger["tokensKept"] += 1
                self.ledger["checksum"] += token
                await self.mailboxes[unit ^ 1].put(END)
                break
            token = self.next(token)
            expected = token + 1 & MASK
            await self.hand_over(unit, token)
            self.ledger["handOversSent"] += 1
        self.ledger["unitsFinished"] += 1

    def next(self, token):
        return token + 1 & MASK

    async def hand_over(self, unit, token):
        await self.mailboxes[unit ^ 1].put(token)

    def done(self):
        return self.ledger["handOversSent"]

    async def drain(self):
        self.is_stopping = True
        await asyncio.gather(*self.units)


class LosesToken(PingPong):
    """The hundredth hand-over of the first pair never arrives."""

    hand_overs = 0

    async def hand_over(self, unit, token):
        self.hand_overs += unit < 2
        if unit > 1 or self.hand_overs != 100:
            await super().hand_over(unit, token)

    async def drain(self):
        for unit in (0, 1):
            await self.mailboxes[unit].put(END)
        await super().drain()


class DoublesToken(PingPong):
    """The hundredth hand-over of the first pair arrives twice."""

    hand_overs = 0

    async def hand_over(self, unit, token):
        await super().hand_over(unit, token)
        self.hand_overs += unit < 2
        if unit < 2 and self.hand_overs == 100:
            await super().hand_over(unit, token)


class CrossesPairs(PingPong):
    """A pong's token goes to the ping of the next pair."""

    async def hand_over(self, unit, token):
        to = (unit + 1) % (2 * self.pairs) if unit % 2 else unit + 1
        await self.mailboxes[to].put(token)

    async def drain(self):
        """No unit knows which other gets no token any more: that shows when all are kept."""
        self.is_stopping = True
        while self.ledger["tokensKept"] < self.pairs:
            await asyncio.sleep(0.001)
        for unit in self.units:
            unit.cancel()
        await asyncio.gather(*self.units, return_exceptions=True)


class CountsInTwos(PingPong):
    """The token skips a number, as if it had been handed over once more."""

    def next(self, token):
        return token + 2 & MASK


class StartsEarly(PingPong):
    """Each pair gets its token as soon as it is there."""

    async def start(self):
        self.pairs = self.parameters["pairs"]
        self.mailboxes = [asyncio.Queue(1) for _ in range(2 * self.pairs)]
        self.units = []
        for pair in range(self.pairs):
            self.units += [asyncio.create_task(self.unit(unit)) for unit in (2 * pair, 2 * pair + 1)]
            while self.ledger["unitsStarted"] < len(self.units):
                await asyncio.sleep(0)
            if pair == 0:
                self.ledger["startedAtFirstToken"] = self.ledger["unitsStarted"]
            await self.mailboxes[2 * pair].put(mix(pair))


class PlaysBothSides(PingPong):
    """Each pair is one unit, which answers itself."""

    async def start(self):
        self.pairs = self.parameters["pairs"]
        self.units = [asyncio.create_task(self.pair(pair)) for pair in range(self.pairs)]
        while self.ledger["unitsStarted"] < self.pairs:
            await asyncio.sleep(0)
        self.ledger["startedAtFirstToken"] = self.ledger["unitsStarted"]

    async def pair(self, pair):
        self.ledger["unitsStarted"] += 1
        token = mix(pair)
        while not self.is_stopping:
            token = token + 1 & MASK
            self.ledger["handOversSent"] += 1
            self.ledger["tokensReceived"] += 1
            await asyncio.sleep(0)
        self.ledger["tokensReceived"] += 1
        self.ledger["tokensKept"] += 1
        self.ledger["checksum"] += token
        self.ledger["unitsFinished"] += 1


if __name__ == "__main__":
    main(PingPong, LosesToken, DoublesToken, CrossesPairs, CountsInTwos, StartsEarly, PlaysBothSides)
