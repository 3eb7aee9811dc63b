#!/usr/bin/env python3
"""A guest: fan-out in Python with asyncio, written from PROTOCOL.md alone, with nothing but the standard library.

Idiom: one task for each client connection, one for each request, one for each sub-request. The backend's connections
wait in an asyncio.LifoQueue, which serves those who wait for one in order.
"""

import asyncio
import json
import resource
import socket
import struct
import sys
import time

HEADER = struct.Struct("<IHHQQ")  # length, kind, index, id, value
REQUEST, SUB_REQUEST, SUB_REPLY, ANSWER = 1, 2, 3, 4
COUNTS = (
    "requestsReceived", "requestsAnswered", "subRequestsSent", "subRepliesReceived", "unitsStarted", "unitsFinished",
    "clientConnectionsAccepted", "clientConnectionsClosed", "backendConnectionsOpened", "backendConnectionsClosed",
)


class BadFrame(Exception):
    """A frame of another kind or length than the contract gives it."""


def checksum(frame):
    """The sum of (2i + 1) * w_i over the frame's 64-bit words, modulo 2^64."""
    words = struct.unpack(f"<{len(frame) // 8}Q", frame)
    return sum((2 * i + 1) * word for i, word in enumerate(words)) % 2**64


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


class FanOut:
    """One trial. Everything runs on one event loop, so nothing is locked."""

    def __init__(self, trial):
        parameters = trial["parameters"]
        self.width = parameters["width"]
        self.request_bytes = parameters["requestBytes"]
        self.reply_bytes = parameters["replyBytes"]
        self.backend_connections = parameters["backendConnections"]
        self.backlog = parameters["connections"]
        self.backend_port = trial["backendPort"]
        self.ledger = dict.fromkeys(COUNTS, 0)
        self.pool = asyncio.LifoQueue()
        self.clients = {}  # the task of each connection: its reader

    async def start(self):
        """Connects to the backend, then listens. Returns the port."""
        for _ in range(self.backend_connections):
            await self.connect()
        self.server = await asyncio.start_server(
            self.serve, "127.0.0.1", 0, backlog=self.backlog, limit=2**17)
        return self.server.sockets[0].getsockname()[1]

    async def connect(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.backend_port, limit=2**17)
        tune(writer)
        self.ledger["backendConnectionsOpened"] += 1
        self.pool.put_nowait((reader, writer))

    async def serve(self, reader, writer):
        """A client connection: one request at a time until its end."""
        task = asyncio.current_task()
        self.clients[task] = reader
        self.ledger["clientConnectionsAccepted"] += 1
        tune(writer)
        try:
            while frame := await read_frame(reader, REQUEST, self.request_bytes):
                self.ledger["requestsReceived"] += 1
                await self.unit(self.answer(writer, frame))
        except (BadFrame, ConnectionError) as error:
            print(f"client connection closed: {error}", file=sys.stderr)
        finally:
            await close(writer)
            self.ledger["clientConnectionsClosed"] += 1
            del self.clients[task]

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

    async def send_answer(self, writer, id, value):
        writer.write(HEADER.pack(HEADER.size, ANSWER, 0, id, value))
        self.ledger["requestsAnswered"] += 1
        await writer.drain()

    async def close_backend(self, writer):
        await close(writer)
        self.ledger["backendConnectionsClosed"] += 1

    async def drain(self):
        """Finishes what is under way and closes everything."""
        self.server.close()
        for reader in self.clients.values():
            reader.feed_eof()  # for a client that is still there: no request after the one under way
        if self.clients:
            await asyncio.wait(list(self.clients))
        while not self.pool.empty():
            await self.close_backend(self.pool.get_nowait()[1])


def usage():
    """What this process has used so far, read together with the clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "monotonicNanoseconds": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
        "userNanoseconds": round(used.ru_utime * 1e9), "systemNanoseconds": round(used.ru_stime * 1e9),
        "voluntarySwitches": used.ru_nvcsw, "involuntarySwitches": used.ru_nivcsw,
        "minorFaults": used.ru_minflt, "majorFaults": used.ru_majflt,
        "heapAllocatedBytes": None, "heapAllocations": None,
    }


def reply(kind, **rest):
    print(json.dumps({"reply": kind, **rest}, separators=(",", ":")), flush=True)


def fail(state, reason, **more):
    reply("failure", failure={"state": state, "reason": reason, **more})
    sys.exit(1)


DESCRIPTION = {
    "model": "python-asyncio", "idiom": "asyncio: a task for each request and for each sub-request", "allocator": None,
    "workloads": [{"workload": "fan-out", "variants": []}],
}


async def converse(implementation):
    """The conversation with the harness, to its end."""
    trial, has_drained = None, False

    async def finish():
        await trial.drain()
        reply("result", ledger=trial.ledger)

    # On a thread, since standard input may be something that no event loop can watch.
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        command = json.loads(line)
        match command["command"]:
            case "describe" | "trial" if command.get("protocol") != 1:
                fail("unsupported", f"protocol {command.get('protocol')} is not spoken here: expected 1")
            case "describe":
                reply("description", protocol=1, description=DESCRIPTION)
            case "trial":
                request = command["trial"]
                if request["workload"] != "fan-out" or request.get("variant") is not None:
                    fail("unsupported", f"{request['workload']}, variant {request.get('variant')}: not implemented")
                trial = implementation(request)
                reply("ready", port=await trial.start())
            case "edge":
                reply("edge", edge=command["edge"], ledger=trial.ledger, usage=usage())
            case "drain" if not has_drained:
                has_drained = True
                await finish()
    if trial and not has_drained:
        await finish()


def main(implementation=FanOut):
    asyncio.run(converse(implementation))


if __name__ == "__main__":
    main()
