"""What the guests of served workloads share: frames, and a server of asyncio streams."""

import asyncio
import socket
import struct
import sys

from guest import Guest, reply

HEADER = struct.Struct("<IHHQQ")  # length, kind, index, id, value
REQUEST, SUB_REQUEST, SUB_REPLY, ANSWER = 1, 2, 3, 4


class BadFrame(Exception):
    """A frame of another kind, length or index than the contract gives it."""


def tune(writer):
    """Both ends of every connection: no delay, and cubic where the system offers it."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    except OSError:
        pass


async def read_frame(reader, kind, length):
    """One frame of that kind and length: its header's fields index, id and value, and the frame.

    None at the end of the stream.
    """
    try:
        head = await reader.readexactly(HEADER.size)
        found_length, found_kind, index, id, value = HEADER.unpack(head)
        if (found_length, found_kind) != (length, kind):
            raise BadFrame(f"kind {found_kind}, {found_length} bytes: expected kind {kind}, {length} bytes")
        return index, id, value, head + await reader.readexactly(length - HEADER.size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def close(writer):
    """Closes a connection and waits until its socket is gone."""
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


class Served(Guest):
    """Everything runs on one event loop, so nothing is locked."""

    request_bytes = None

    def __init__(self, trial):
        super().__init__(trial)
        self.clients = {}  # the task of each connection: its reader

    async def ready(self):
        reply("ready", port=await self.start())

    async def start(self):
        """Listens. Returns the port."""
        self.server = await asyncio.start_server(
            self.serve, "127.0.0.1", 0, backlog=self.parameters["connections"], limit=2**17)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        """A client connection: one request at a time until its end."""
        task = asyncio.current_task()
        self.clients[task] = reader
        self.ledger["clientConnectionsAccepted"] += 1
        tune(writer)
        try:
            while frame := await read_frame(reader, REQUEST, self.request_bytes):
                self.ledger["requestsReceived"] += 1
                await self.handle(writer, frame)
        except (BadFrame, ConnectionError) as error:
            print(f"client connection closed: {error}", file=sys.stderr)
        finally:
            await self.hang_up(writer)
            self.ledger["clientConnectionsClosed"] += 1
            del self.clients[task]

    async def handle(self, writer, frame):
        """Answers a request."""

    async def hang_up(self, writer):
        await close(writer)

    async def send_answer(self, writer, id, value):
        writer.write(HEADER.pack(HEADER.size, ANSWER, 0, id, value))
        self.ledger["requestsAnswered"] += 1
        await writer.drain()

    async def drain(self):
        """Finishes what is under way and closes everything."""
        self.server.close()
        for reader in self.clients.values():
            reader.feed_eof()  # for a client that is still there: no request after the one under way
        if self.clients:
            await asyncio.wait(list(self.clients))
