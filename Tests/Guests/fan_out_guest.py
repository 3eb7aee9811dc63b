#!/usr/bin/env python3
"""A guest: fan-out in Python with asyncio, written from PROTOCOL.md alone, with nothing but the standard library.

Idiom: one task for each client connection, one for each request, one for each sub-request. The backend's connections
wait in an asyncio.LifoQueue, which serves those who wait for one in order.
"""

import asyncio
import struct
import sys

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import main
from served import HEADER, SUB_REPLY, SUB_REQUEST, BadFrame, Served, close, read_frame, tune


def checksum(frame):
    """The sum of (2i + 1) * w_i over the frame's 64-bit words, modulo 2^64."""
    words = struct.unpack(f"<{len(frame) // 8}Q", frame)
    return sum((2 * i + 1) * word for i, word in enumerate(words)) % 2**64


class FanOut(Served):
    workload = "fan-out"
    idiom = "asyncio: a task for each request and for each sub-request"
    counts = (
        "requestsReceived", "requestsAnswered", "subRequestsSent", "subRepliesReceived", "unitsStarted",
        "unitsFinished", "clientConnectionsAccepted", "clientConnectionsClosed", "backendConnectionsOpened",
        "backendConnectionsClosed",
    )

    def __init__(self, trial):
        super().__init__(trial)
        self.width = self.parameters["width"]
        self.request_bytes = self.parameters["requestBytes"]
        self.reply_bytes = self.parameters["replyBytes"]
        self.backend_connections = self.parameters["backendConnections"]
        self.pool = asyncio.LifoQueue()

    async def start(self):
        """Connects to the backend, then listens. Returns the port."""
        for _ in range(self.backend_connections):
            await self.connect()
        return await super().start()

    async def connect(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.trial["backendPort"], limit=2**17)
        tune(writer)
        self.ledger["backendConnectionsOpened"] += 1
        self.pool.put_nowait((reader, writer))

    async def handle(self, writer, frame):
        await self.unit(self.answer(writer, frame))

    def unit(self, work):
        """Starts a unit: a task of its own."""
        async def counted():
            try:
                return await work
            finally:
                self.ledger["unitsFinished"] += 1

        self.ledger["unitsStarted"] += 1
        return asyncio.create_task(counted())

    async def answer(self, writer, frame):
        """The unit of a request."""
        sums = await self.ask_all(frame)
        await self.send_answer(writer, frame[1], sum(sums) % 2**64)

    async def ask_all(self, frame):
        """Starts and joins the sub-requests' units."""
        return await asyncio.gather(*[self.unit(self.ask(index, frame)) for index in range(self.width)])

    async def ask(self, index, frame):
        """The unit of a sub-request: its reply's checksum."""
        connection = await self.pool.get()
        reader, writer = connection
        try:
            await self.send_sub_request(writer, index, frame)
            reply = await read_frame(reader, SUB_REPLY, self.reply_bytes)
            if reply is None or reply[:2] != (index, frame[1]):
                raise ConnectionError("the backend hung up, or answered something else")
        except (BadFrame, ConnectionError):
            await self.close_backend(writer)
            raise
        self.ledger["subRepliesReceived"] += 1
        self.pool.put_nowait(connection)
        return checksum(reply[3])

    async def send_sub_request(self, writer, index, frame):
        _, id, token, request = frame
        writer.write(HEADER.pack(self.request_bytes, SUB_REQUEST, index, id, token) + request[HEADER.size:])
        self.ledger["subRequestsSent"] += 1
        await writer.drain()

    async def close_backend(self, writer):
        await close(writer)
        self.ledger["backendConnectionsClosed"] += 1

    async def drain(self):
        await super().drain()
        while not self.pool.empty():
            await self.close_backend(self.pool.get_nowait()[1])


if __name__ == "__main__":
    main(FanOut)
