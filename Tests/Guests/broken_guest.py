#!/usr/bin/env python3
"""Guests that break the contract on purpose, to prove that the harness notices.

Each is the good guest of fan_out_guest.py with one thing wrong, chosen by the name it is started under:
Tests/Guests/broken/fan-out/ holds a symbolic link for each. All but `one-after-another` are to be caught by ungated
cases too.

name                  what it does                                              state     rule or reason
sums-wrongly          every answer is off by one                                wrong     checksum
skips-sub-request     asks width - 1 backends, and says so                      wrong     sub-requests (and checksum, units, ...)
skips-and-pretends    the same, but its ledger claims all of them               wrong     sub-requests (and checksum, balance)
answers-twice         sends every tenth answer twice                            wrong     answered-once
answers-unknown       also answers ids that nobody asked                        wrong     answered-once
answers-early         answers before the last reply, and reads it later         wrong     sub-requests (and checksum)
never-answers         leaves the tenth request without an answer                wrong     answered-once
hangs-up              closes a client connection after its fifth answer         wrong     answered-once
wrong-frame           answers with 32 bytes instead of 24                       wrong     frames
fewer-units           scatter and gather in the request's unit, and says so     wrong     units
lies-in-ledger        counts one reply more than it got                         wrong     balance
leaves-open           closes all but one backend connection, claims all closed  wrong     left-open
too-many-connections  opens three backend connections too many                  wrong     one-outstanding
pipelines             sends two sub-requests at once on each connection         wrong     one-outstanding
one-after-another     starts the next child when the last has returned          wrong     gate, in a gated check only
alters-payload        flips a bit of the payload on its way to the backend      wrong     sub-requests
alters-token          adds one to the token on its way to the backend           wrong     sub-requests
prints-garbage        prints something that is no JSON instead of `ready`       wrong     protocol
prints-endless-line   prints a line without an end instead of `ready`           wrong     protocol
hangs-at-start        never gets ready, ignores end of file and SIGTERM         timeout   waiting for `ready`
hangs-in-drain        serves well, but never prints its result                  timeout   waiting for `result`
hangs-in-trial        stops answering after the tenth request                   wrong     answered-once
crashes               SIGSEGV at the tenth request                              crashed   signal 11
gets-killed           SIGKILL at the tenth request                              crashed   signal 9
exits-without-result  exits with status 0 instead of printing its result        crashed   no result
reports-limit         sends the failure `limit` instead of `ready`              limit     reached 7
floods-stderr         writes 200 MB to standard error, and does its work        ok
leaves-a-child        leaves a process behind that outlives it                  ok        and the process is gone as well
"""

import asyncio
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from fan_out_guest import FanOut, checksum
from guest import fail, main
from served import ANSWER, HEADER, SUB_REPLY, read_frame


class SumsWrongly(FanOut):
    async def send_answer(self, writer, id, value):
        await super().send_answer(writer, id, (value + 1) % 2**64)


class SkipsSubRequest(FanOut):
    async def ask_all(self, frame):
        return await asyncio.gather(*[self.unit(self.ask(index, frame)) for index in range(self.width - 1)])


class SkipsAndPretends(SkipsSubRequest):
    async def ask_all(self, frame):
        sums = await super().ask_all(frame)
        for count in ("subRequestsSent", "subRepliesReceived", "unitsStarted", "unitsFinished"):
            self.ledger[count] += 1
        return sums


class AnswersTwice(FanOut):
    turns = 0

    async def send_answer(self, writer, id, value):
        await super().send_answer(writer, id, value)
        self.turns += 1
        if self.turns % 10 == 0:
            await super().send_answer(writer, id, value)


class AnswersUnknown(FanOut):
    turns = 0

    async def send_answer(self, writer, id, value):
        self.turns += 1
        if self.turns % 10 == 0:
            await super().send_answer(writer, id ^ (1 << 63), value)
        await super().send_answer(writer, id, value)


class AnswersEarly(FanOut):
    async def answer(self, writer, frame):
        parts = [self.unit(self.ask(index, frame)) for index in range(self.width)]
        sums = await asyncio.gather(*parts[1:])
        while self.ledger["subRequestsSent"] < self.width * self.ledger["requestsReceived"]:
            await asyncio.sleep(0)
        await self.send_answer(writer, frame[1], sum(sums) % 2**64)
        await parts[0]

    async def ask(self, index, frame):
        if index == 0:
            await asyncio.sleep(0.002)
        return await super().ask(index, frame)


class NeverAnswers(FanOut):
    turns = 0

    async def send_answer(self, writer, id, value):
        self.turns += 1
        if self.turns != 10:
            await super().send_answer(writer, id, value)


class HangsUp(FanOut):
    async def send_answer(self, writer, id, value):
        await super().send_answer(writer, id, value)
        if self.ledger["requestsAnswered"] == 5:
            writer.close()


class WrongFrame(FanOut):
    async def send_answer(self, writer, id, value):
        writer.write(HEADER.pack(HEADER.size + 8, ANSWER, 0, id, value) + bytes(8))
        self.ledger["requestsAnswered"] += 1


class FewerUnits(FanOut):
    async def ask_all(self, frame):
        return await asyncio.gather(*[self.ask(index, frame) for index in range(self.width)])


class LiesInLedger(FanOut):
    async def drain(self):
        await super().drain()
        self.ledger["subRepliesReceived"] += 1


class LeavesOpen(FanOut):
    async def drain(self):
        self.kept = self.pool.get_nowait()
        await super().drain()
        self.ledger["backendConnectionsClosed"] += 1


class TooManyConnections(FanOut):
    async def start(self):
        self.backend_connections += 3
        return await super().start()


class Pipelines(FanOut):
    """Every pair of sub-requests shares a connection; whichever reply comes first is read first."""

    async def ask_all(self, frame):
        pairs = [range(index, min(index + 2, self.width)) for index in range(0, self.width, 2)]
        sums = await asyncio.gather(*[self.ask_pair(pair, frame) for pair in pairs])
        return [sum for pair in sums for sum in pair]

    async def ask_pair(self, indices, frame):
        reader, writer = connection = await self.pool.get()
        for index in indices:
            self.ledger["unitsStarted"] += 1
            await self.send_sub_request(writer, index, frame)
        sums = []
        for _ in indices:
            reply = await read_frame(reader, SUB_REPLY, self.reply_bytes)
            sums.append(checksum(reply[3]))
            self.ledger["subRepliesReceived"] += 1
            self.ledger["unitsFinished"] += 1
        self.pool.put_nowait(connection)
        return sums


class OneAfterAnother(FanOut):
    async def ask_all(self, frame):
        return [await self.unit(self.ask(index, frame)) for index in range(self.width)]


class AltersPayload(FanOut):
    async def send_sub_request(self, writer, index, frame):
        altered = bytearray(frame[3])
        altered[-1] ^= 1
        await super().send_sub_request(writer, index, (*frame[:3], bytes(altered)))


class AltersToken(FanOut):
    async def send_sub_request(self, writer, index, frame):
        await super().send_sub_request(writer, index, (*frame[:2], (frame[2] + 1) % 2**64, frame[3]))


class PrintsGarbage(FanOut):
    async def start(self):
        print("Segmentation fault (just kidding)", flush=True)
        await asyncio.sleep(3600)


class PrintsEndlessLine(FanOut):
    async def start(self):
        while True:
            sys.stdout.write("x" * 2**16)


class HangsAtStart(FanOut):
    async def start(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(3600)


class HangsInDrain(FanOut):
    async def drain(self):
        await super().drain()
        while True:
            time.sleep(3600)


class AtTenthRequest(FanOut):
    async def answer(self, writer, frame):
        if self.ledger["requestsReceived"] >= 10:
            await self.strike()
        await super().answer(writer, frame)


class HangsInTrial(AtTenthRequest):
    async def strike(self):
        await asyncio.sleep(3600)

    async def drain(self):
        for task in self.clients:
            task.cancel()
        await super().drain()


class Crashes(AtTenthRequest):
    async def strike(self):
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)


class GetsKilled(AtTenthRequest):
    async def strike(self):
        os.kill(os.getpid(), signal.SIGKILL)


class ExitsWithoutResult(FanOut):
    async def drain(self):
        await super().drain()
        os._exit(0)


class ReportsLimit(FanOut):
    async def start(self):
        fail("limit", "the eighth of anything is too much for this guest", reached=7)


class FloodsStderr(FanOut):
    async def start(self):
        line = b"all work and no play makes jack a dull boy\n" * 1000
        for _ in range(200_000_000 // len(line) + 1):
            os.write(2, line)
        return await super().start()


class LeavesAChild(FanOut):
    async def start(self):
        child = subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        print(f"left behind: {child.pid}", file=sys.stderr, flush=True)
        return await super().start()


if __name__ == "__main__":
    main(
        FanOut, SumsWrongly, SkipsSubRequest, SkipsAndPretends, AnswersTwice, AnswersUnknown, AnswersEarly,
        NeverAnswers, HangsUp, WrongFrame, FewerUnits, LiesInLedger, LeavesOpen, TooManyConnections, Pipelines,
        OneAfterAnother, AltersPayload, AltersToken, PrintsGarbage, PrintsEndlessLine, HangsAtStart, HangsInDrain,
        HangsInTrial, Crashes, GetsKilled, ExitsWithoutResult, ReportsLimit, FloodsStderr, LeavesAChild)
