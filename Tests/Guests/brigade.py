#!/usr/bin/env python3
"""brigade in Python with threads: a thread for each unit; its inlet is a queue.Queue or a pipe that blocks."""

import os
import queue
import resource
import struct
import sys
import threading

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, InProcess, fail, main

TOKEN = struct.Struct("<Q")
NUMBER = 2**48 - 1  # the bits of a token that hops count up


class Channel:
    def __init__(self, room):
        self.queue = queue.Queue(room)

    def put(self, token):
        self.queue.put(token)

    def take(self):
        """None at the end."""
        return self.queue.get()

    def end(self):
        self.queue.put(None)

    def close(self):
        """Returns whether a pipe was closed."""
        return False


class Pipe:
    def __init__(self):
        self.outlet, self.inlet = os.pipe()

    def put(self, token):
        os.write(self.inlet, TOKEN.pack(token))

    def take(self):
        token = os.read(self.outlet, TOKEN.size)
        return TOKEN.unpack(token)[0] if token else None

    def end(self):
        os.close(self.inlet)

    def close(self):
        os.close(self.outlet)
        return True


class Brigade(InProcess):
    workload = "brigade"
    idiom = "threads: a thread for each unit, a queue.Queue or a blocking pipe for its inlet"
    counts = (
        "unitsStarted", "unitsFinished", "startedAtFirstToken", "hopsSent", "tokensReceived", "tokensOutOfTurn",
        "tokensKept", "checksum", "pipesOpened", "pipesClosed",
    )

    async def start(self):
        self.length, self.tokens = self.parameters["length"], self.parameters["tokens"]
        self.inlets = self.make_inlets()
        self.hops = [0] * self.length
        self.received = [0] * self.length
        self.kept = threading.Semaphore(0)
        self.start_units()
        self.ledger["startedAtFirstToken"] = self.ledger["unitsStarted"]
        self.put_tokens()

    def make_inlets(self):
        if self.parameters["medium"] == "channels":
            return [Channel(self.tokens) for _ in range(self.length)]
        spare, (soft, hard) = 64, resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * self.length + spare:
            fail("limit", f"{self.length} pipes: the process may open {hard} descriptors", reached=(hard - spare) // 2)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.ledger["pipesOpened"] = self.length
        return [Pipe() for _ in range(self.length)]

    def start_units(self):
        """Returns when all have started."""
        self.started = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.run, args=(unit,), daemon=True) for unit in range(self.length)]
        for thread in self.threads:
            thread.start()
        for _ in self.threads:
            self.started.acquire()

    def put_tokens(self):
        for token in range(self.tokens):
            unit = token * self.length // self.tokens
            self.inlets[unit].put((token << 48) + unit)

    def run(self, unit):
        self.count("unitsStarted")
        self.started.release()
        while (token := self.inlets[unit].take()) is not None:
            self.serve(unit, token)
        self.count("unitsFinished")

    def serve(self, unit, token):
        self.received[unit] += 1
        if (token & NUMBER) % self.length != unit:
            self.count("tokensOutOfTurn")
        if self.is_stopping:
            self.keep(token)
        else:
            self.pass_on(unit, token + 1 & MASK)
            self.hops[unit] += 1

    def keep(self, token):
        self.count("tokensKept")
        with self.lock:
            self.ledger["checksum"] += token
        self.kept.release()

    def pass_on(self, unit, token):
        self.inlets[(unit + 1) % self.length].put(token)

    def done(self):
        return sum(self.hops)

    async def drain(self):
        self.is_stopping = True
        for _ in range(self.tokens):
            self.kept.acquire()
        for inlet in self.inlets:
            inlet.end()
        for thread in self.threads:
            thread.join()
        self.ledger["pipesClosed"] = sum(self.close_inlets())
        self.ledger["hopsSent"], self.ledger["tokensReceived"] = sum(self.hops), sum(self.received)

    def close_inlets(self):
        return [inlet.close() for inlet in self.inlets]


class SkipsUnit(Brigade):
    """Unit 1 is left out."""

    def pass_on(self, unit, token):
        super().pass_on(unit + 1 if unit == 0 else unit, token)


class TurnsBack(Brigade):
    """The ring is run through against its sense."""

    def pass_on(self, unit, token):
        self.inlets[unit - 1].put(token)


class LosesToken(Brigade):
    """One token gets lost on its way."""

    def pass_on(self, unit, token):
        if unit == 0 and self.hops[unit] == 10:
            self.kept.release()  # so that the drain does not wait for it
        else:
            super().pass_on(unit, token)


class DoublesToken(Brigade):
    """One token is put into the next inlet twice."""

    def pass_on(self, unit, token):
        super().pass_on(unit, token)
        if unit == 0 and self.hops[unit] == 10:
            super().pass_on(unit, token)
            self.tokens += 1


class ForgetsToCount(Brigade):
    """The last unit hands the token on as it got it."""

    def pass_on(self, unit, token):
        super().pass_on(unit, token - 1 if unit == self.length - 1 else token)


class StartsEarly(Brigade):
    """Tokens are put in before their units are there."""

    def start_units(self):
        pass

    def put_tokens(self):
        super().put_tokens()
        super().start_units()


class StartsFewerUnits(Brigade):
    """The ring is closed without its last unit."""

    async def start(self):
        self.parameters["length"] -= 1
        await super().start()


class LeavesPipesOpen(Brigade):
    """Closes one end of each pipe."""

    def close_inlets(self):
        return []


class AvoidsPipes(Brigade):
    """Takes channels where pipes are asked for."""

    def make_inlets(self):
        return [Channel(self.tokens) for _ in range(self.length)]


if __name__ == "__main__":
    main(
        Brigade, SkipsUnit, TurnsBack, LosesToken, DoublesToken, ForgetsToCount, StartsEarly, StartsFewerUnits,
        LeavesPipesOpen, AvoidsPipes)
