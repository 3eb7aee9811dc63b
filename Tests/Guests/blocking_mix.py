#!/usr/bin/env python3
"""blocking-mix in Python with asyncio: a task for each connection does the work; hogs are moved to a thread pool.

The CPU work is in C where there is a compiler, as Python's users would have it: the interpreter takes a hundred times as
long, and holds its lock over it, so that hogs in threads would be in everybody's way.
"""

import asyncio
import concurrent.futures
import ctypes
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the tests' folder stays as it is

import guest
from guest import main, mix
from served import ANSWER, HEADER, BadFrame, Served

BURNING_HOG, BLOCKING_HOG = 1, 2
AMOUNT = struct.Struct("<Q")

SOURCE = b"""
#include <stdint.h>
uint64_t burn(uint64_t value, uint64_t iterations) {
  while (iterations--) {
    value += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    value ^= value >> 31;
  }
  return value;
}
"""


def compiled_burn():
    """`guest.burn` in C; without a compiler that itself."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        return guest.burn
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/burn.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=SOURCE, check=True)
        burn = ctypes.CDLL(library).burn
    burn.argtypes, burn.restype = (ctypes.c_uint64, ctypes.c_uint64), ctypes.c_uint64
    return burn


def block(value, nanoseconds):
    """A call that keeps its thread in the kernel."""
    time.sleep(nanoseconds / 1e9)
    return mix(value)


class BlockingMix(Served):
    workload = "blocking-mix"
    idiom = "asyncio: a task for each connection; hogs in a ThreadPoolExecutor if they are to be moved"
    counts = (
        "requestsReceived", "requestsAnswered", "hogsReceived", "hogsOffloaded", "blockingCalls",
        "clientConnectionsAccepted", "clientConnectionsClosed",
    )
    request_bytes = HEADER.size + AMOUNT.size
    block = staticmethod(block)

    async def start(self):
        self.burn = self.make_burn()
        workers = self.trial["workers"]
        if self.parameters["hogKind"] != "cpu":
            workers = max(1, min(self.parameters["hogsAtOnce"] * workers, self.parameters["connections"] // 2))
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)
        self.moves_hogs = self.parameters["mitigation"] == "offload"
        return await super().start()

    def make_burn(self):
        return compiled_burn()

    async def handle(self, writer, frame):
        index, id, value, request = frame
        if index > BLOCKING_HOG:
            raise BadFrame(f"a request of index {index}: expected 0 to {BLOCKING_HOG}")
        amount, = AMOUNT.unpack_from(request, HEADER.size)
        value = await self.work(index, value, amount)
        await self.send_answer(writer, id, value)

    async def work(self, index, value, amount):
        if index == 0:
            return self.burn(value, amount)
        self.ledger["hogsReceived"] += 1
        self.ledger["blockingCalls"] += index == BLOCKING_HOG
        hog = self.block if index == BLOCKING_HOG else self.burn
        if not self.moves_hogs:
            return hog(value, amount)
        self.ledger["hogsOffloaded"] += 1
        return await self.move(hog, value, amount)

    async def move(self, hog, value, amount):
        return await asyncio.get_running_loop().run_in_executor(self.pool, hog, value, amount)

    async def drain(self):
        await super().drain()
        self.pool.shutdown()


class SkipsWork(BlockingMix):
    """Burns half of what it should."""

    def make_burn(self):
        burn = compiled_burn()
        return lambda value, iterations: burn(value, iterations // 2)


class DoesNotBlock(BlockingMix):
    """Knows what the blocking call returns, and does not wait for it."""

    @staticmethod
    def block(value, nanoseconds):
        return mix(value)


class RunsHogsInline(BlockingMix):
    """Moves hogs to where they block everybody."""

    async def move(self, hog, value, amount):
        return hog(value, amount)


class MovesUnasked(BlockingMix):
    """Moves hogs also where none may be moved."""

    async def start(self):
        port = await super().start()
        self.moves_hogs = True
        return port


class LosesRequest(BlockingMix):
    """Leaves the hundredth request without an answer."""

    async def send_answer(self, writer, id, value):
        if self.ledger["requestsReceived"] != 100:
            await super().send_answer(writer, id, value)


class AnswersTwice(BlockingMix):
    """Sends every tenth answer twice."""

    async def send_answer(self, writer, id, value):
        for _ in range(1 + (self.ledger["requestsReceived"] % 10 == 0)):
            await super().send_answer(writer, id, value)


class WrongFrame(BlockingMix):
    """Sends answers of the kind of a request."""

    async def send_answer(self, writer, id, value):
        writer.write(HEADER.pack(HEADER.size, ANSWER - 1, 0, id, value))
        self.ledger["requestsAnswered"] += 1


class LeavesOpen(BlockingMix):
    """Does not close its end of a connection."""

    kept = None

    async def hang_up(self, writer):
        if self.kept:
            await super().hang_up(writer)
        else:
            self.kept = writer


if __name__ == "__main__":
    main(
        BlockingMix, SkipsWork, DoesNotBlock, RunsHogsInline, MovesUnasked, LosesRequest, AnswersTwice, WrongFrame,
        LeavesOpen)
