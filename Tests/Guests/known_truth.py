#!/usr/bin/env python3
"""A model of fan-out whose truth is known: it answers each request after a time that it was told, stands still once when
it was told to, and writes down what its own clock read at each step. Python 3.11, standard library alone.

    known_truth.py '{"delaysMicroseconds": [60000], "stall": {"request": 5000, "milliseconds": 100}}' STAMPS

Request i waits for the delay number i modulo their number before it asks the backend; the stall, which may be missing,
comes before the first answer to that request or a later one, and nothing whatever happens in it. Since the backend's
service time is 0, the way of a sub-request there and back shows for each request how soon the rig notices what is sent
to it, at about the moment when the answer is.

STAMPS becomes rows of six 64-bit words in the host's byte order: the request's id, the number of its connection, and
the clock after the request was read, before the sub-request was sent, after the reply was read, before the answer was
sent. The stall is a row with id 0: 0, 0, began, ended, 0, 0.

One thread and one epoll set, because what a thread switch takes is not known. It does not start the units that it counts.
"""

import array
import functools
import gc
import heapq
import json
import operator
import os
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # the tests' folder stays as it is

from guest import MASK, clock, fail, reply, usage

HEADER = struct.Struct("<IHHQQ")  # length, kind, index, id, value
SUB_REQUEST, ANSWER = 2, 4


def connect(port):
    backend = socket.create_connection(("127.0.0.1", port))
    backend.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return backend


class Connection:
    """A client connection with a backend connection of its own, and the request on it."""

    def __init__(self, number, client, backend):
        self.number, self.client, self.backend = number, client, backend
        self.id = self.received = self.asked = 0
        self.frame = b""


class KnownTruth:
    def __init__(self, script, path):
        self.delays = [1_000 * delay for delay in script["delaysMicroseconds"]]
        self.stall = script.get("stall")
        self.path = path
        self.stamps = array.array("Q")
        self.epoll = select.epoll()
        self.sources = {}  # by descriptor: what to do when it is readable
        self.watch(0, self.obey)
        self.timers = []
        self.connections = []
        self.unread = b""
        self.opened = self.received = self.answered = self.closed = 0
        self.listener = None
        self.is_at_end = self.is_drained = False

    def watch(self, descriptor, action):
        self.sources[descriptor] = action
        self.epoll.register(descriptor, select.EPOLLIN)

    def turn(self):
        wait = max(0, self.timers[0][0] - clock()) / 1e9 if self.timers else None
        for descriptor, _ in self.epoll.poll(wait):
            if action := self.sources.get(descriptor):  # none: closed within this turn
                action()
        while self.timers and self.timers[0][0] <= clock():
            self.ask(self.connections[heapq.heappop(self.timers)[1]])

    # --- the conversation with the harness

    def obey(self):
        data = os.read(0, 65_536)
        self.is_at_end = not data
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            match command["command"]:
                case "describe":
                    support = {"workload": "fan-out", "variants": []}
                    reply("description", protocol=1, description={
                        "model": "known-truth", "idiom": "answers when it was told to", "allocator": None,
                        "workloads": [support]})
                case "trial":
                    self.begin(command["trial"])
                case "edge":
                    reply("edge", edge=command["edge"], ledger={}, usage=usage())
                case "drain":
                    self.drain()

    def begin(self, trial):
        parameters = trial["parameters"]
        if trial["workload"] != "fan-out" or parameters["width"] != 1 or parameters["serviceTime"] != "none":
            fail("unsupported", f"{trial['workload']} with {parameters}: expected fan-out, width 1, serviceTime none")
        self.request_bytes, self.reply_bytes = parameters["requestBytes"], parameters["replyBytes"]
        self.words = struct.Struct(f"<{self.reply_bytes // 8}Q")
        self.weights = range(1, self.reply_bytes // 4, 2)
        self.backends = [connect(trial["backendPort"]) for _ in range(parameters["connections"])]
        self.opened = len(self.backends)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=parameters["connections"])
        self.watch(self.listener.fileno(), self.accept)
        reply("ready", port=self.listener.getsockname()[1])

    def drain(self):
        if self.is_drained or not self.listener:
            return
        self.is_drained = True
        self.listener.close()
        for connection in self.connections:
            self.close(connection)
        for backend in self.backends:
            backend.close()
        with open(self.path, "wb") as file:
            self.stamps.tofile(file)
        reply("result", ledger={
            "requestsReceived": self.received, "requestsAnswered": self.answered, "subRequestsSent": self.answered,
            "subRepliesReceived": self.answered, "unitsStarted": 2 * self.received, "unitsFinished": 2 * self.answered,
            "clientConnectionsAccepted": len(self.connections), "clientConnectionsClosed": self.closed,
            "backendConnectionsOpened": self.opened, "backendConnectionsClosed": self.opened})

    # --- requests

    def accept(self):
        client, _ = self.listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(len(self.connections), client, self.backends.pop())
        self.connections.append(connection)
        self.watch(client.fileno(), functools.partial(self.receive, connection))
        self.watch(connection.backend.fileno(), functools.partial(self.answer, connection))

    def receive(self, connection):
        try:
            frame = connection.client.recv(self.request_bytes, socket.MSG_WAITALL)
        except ConnectionError:
            frame = b""
        connection.received = clock()
        if len(frame) < self.request_bytes:
            return self.close(connection)
        self.received += 1
        connection.frame = frame
        connection.id = HEADER.unpack_from(frame)[3]
        if delay := self.delays[connection.id % len(self.delays)]:
            heapq.heappush(self.timers, (connection.received + delay, connection.number))
        else:
            self.ask(connection)

    def ask(self, connection):
        frame = bytearray(connection.frame)
        frame[4] = SUB_REQUEST  # index 0, and all else as in the request
        connection.asked = clock()
        connection.backend.send(frame)

    def answer(self, connection):
        frame = connection.backend.recv(self.reply_bytes, socket.MSG_WAITALL)
        replied = clock()
        if len(frame) < self.reply_bytes:
            fail("failed", "the backend hung up")
        if self.stall and connection.id >= self.stall["request"]:
            self.stand_still()
        value = sum(map(operator.mul, self.words.unpack(frame), self.weights)) & MASK
        frame = HEADER.pack(HEADER.size, ANSWER, 0, connection.id, value)
        answered = clock()
        connection.client.send(frame)
        self.answered += 1
        self.stamps.extend(
            (connection.id, connection.number, connection.received, connection.asked, replied, answered))

    def stand_still(self):
        began = clock()
        end = began + self.stall["milliseconds"] * 1_000_000
        while (left := end - clock()) > 0:
            time.sleep(left / 1e9)
        self.stamps.extend((0, 0, began, clock(), 0, 0))
        self.stall = None

    def close(self, connection):
        if connection.client.fileno() < 0:
            return
        for end in (connection.client, connection.backend):
            del self.sources[end.fileno()]
            end.close()
        self.closed += 1


def main():
    gc.disable()  # a pause of its own would be truth, too, but of no use
    model = KnownTruth(json.loads(sys.argv[1]), sys.argv[2])
    while not model.is_at_end:
        model.turn()
    model.drain()


if __name__ == "__main__":
    main()
