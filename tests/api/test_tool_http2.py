#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""HTTP/2 of `sspi serve`, spoken frame by frame: answers, windows, limits, and clients that misuse it.

Usage: test_tool_http2.py SSPI [TEST...]

Needs nothing but the command and the test certificates (OSSPI_TEST_CERTS). The client here knows of
HPACK what it takes to send literal fields and to read :status.
"""

import hashlib
import os
import random
import re
import signal
import socket
import ssl
import struct
import sys
import unittest

import test_tool
from test_tool import ANSWERS, CA, PATIENCE, Folder, Server

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, FLOW_CONTROL, REFUSED_STREAM = 0, 3, 7
TABLE_SIZE, INITIAL_WINDOW = 1, 4
STATIC = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
STREAMS = 100  # that the server allows at a time
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values):
    names = {"table": TABLE_SIZE, "window": INITIAL_WINDOW}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", names[name], value)
                                          for name, value in values.items()))


def integer(value):
    """A length of HPACK in a prefix of seven bits, not Huffman coded."""
    if value < 127:
        return bytes([value])
    value, out = value - 127, b"\x7f"
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(name, value):
    return b"\0" + integer(len(name)) + name.encode() + integer(len(value)) + value.encode()


def request(path="/", method="GET", extra=()):
    fields = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost")]
    return b"".join(field(name, value) for name, value in [*fields, *extra])


def status_of(block):
    """The :status of a header block, which the server puts first; tables have no room here."""
    while block[0] & 0xE0 == 0x20:  # size updates
        block = block[1:] if block[0] & 0x1F != 0x1F else block[2:]
    if block[0] in STATIC:
        return STATIC[block[0]]
    length, text = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return int(text[:length])
    bits = "".join(f"{byte:08b}" for byte in text[:length])
    digits = {**{f"{i:05b}": str(i) for i in range(3)}, **{f"{0x16 + i:06b}": str(i) for i in range(3, 10)}}
    found = ""
    while len(found) < 3:
        size = next(size for size in (5, 6) if bits[:size] in digits)
        found, bits = found + digits[bits[:size]], bits[size:]
    return int(found)


class Stream:
    def __init__(self):
        self.status, self.body, self.ended, self.reset = None, b"", False, None


class Client:
    """One HTTP/2 connection; the caller sends frames, step() takes one in."""

    def __init__(self, port, window=None, receive_buffer=None, update=True):
        context = ssl.create_default_context(cafile=CA)
        context.set_alpn_protocols(["h2"])
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(PATIENCE)
        raw.connect(("127.0.0.1", port))
        self.tls = context.wrap_socket(raw, server_hostname="localhost")
        assert self.tls.selected_alpn_protocol() == "h2"
        self.streams, self.goaway, self.closed, self.waiting = {}, None, False, b""
        self.pongs, self.settings, self.update, self.last = 0, {}, update, -1
        self.send(PREFACE + settings(table=0, **({} if window is None else {"window": window})))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.tls.close()

    def send(self, data):
        self.tls.sendall(data)

    def get(self, path="/", method="GET", flags=END_STREAM, extra=()):
        self.last += 2
        self.streams[self.last] = Stream()
        self.send(frame(HEADERS, END_HEADERS | flags, self.last, request(path, method, extra)))
        return self.last

    def read(self, count):
        while len(self.waiting) < count:
            part = self.tls.recv(65536)
            if not part:
                raise EOFError
            self.waiting += part
        part, self.waiting = self.waiting[:count], self.waiting[count:]
        return part

    def step(self):
        """Takes one frame in; false at the end of the connection."""
        try:
            head = self.read(9)
            payload = self.read(int.from_bytes(head[:3], "big"))
        except (EOFError, ConnectionError, ssl.SSLError):
            self.closed = True
            return False
        kind, flags, number = struct.unpack(">BBI", head[3:])
        stream = self.streams.get(number)
        if kind == HEADERS:
            stream.status = status_of(payload)
        elif kind == DATA:
            stream.body += payload
            if self.update and payload:
                self.send(b"".join(frame(WINDOW, 0, where, struct.pack(">I", len(payload)))
                                   for where in (0, number)))
        elif kind == RST_STREAM and stream:
            stream.reset, = struct.unpack(">I", payload)
            stream.ended = True
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", payload))
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            stream.ended = True
        return True

    def wait(self, *numbers):
        """Until these streams have ended; the last one."""
        while not all(self.streams[number].ended for number in numbers):
            if not self.step():
                raise AssertionError("the connection has ended")
        return self.streams[numbers[-1]]

    def answer(self, *args, **more):
        return self.wait(self.get(*args, **more))

    def ping(self):
        """Until the server has taken all that was sent."""
        seen = self.pongs
        self.send(frame(PING, 0, 0, b"12345678"))
        while self.pongs == seen and self.step():
            pass

    def end(self):
        while self.step():
            pass


class Answers(Folder):
    def test_the_same_answers_as_to_http_1(self):
        with Server(self.site) as server, Client(server.port) as client:
            for path, expected in ANSWERS:
                if path != "*":  # cannot be said
                    answer = client.answer(path)
                    self.assertEqual(answer.status, int(expected.split()[0]), path)
                    self.assertNotIn(b"outside\n", answer.body)
                    self.assertNotIn(b"root:", answer.body)
            self.assertEqual(client.answer("/index.html").body, b"<p>hello</p>\n")
            self.assertEqual(client.answer("/empty").body, b"")
            self.assertEqual(client.settings[3], STREAMS)

    def test_head_has_no_body(self):
        with Server(self.site) as server, Client(server.port) as client:
            for path, status in [("/", 200), ("/none", 404), ("/list/", 200)]:
                answer = client.answer(path, "HEAD")
                self.assertEqual((answer.status, answer.body, answer.reset), (status, b"", None))

    def test_other_methods_and_bodies(self):
        with Server(self.site) as server, Client(server.port) as client:
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"]:
                self.assertEqual(client.answer("/", method).status, 405, method)
            # Refused at once; the rest of the body need not come.
            answer = client.answer("/", "POST", flags=0)
            self.assertEqual(answer.status, 405)
            client.ping()
            self.assertEqual(answer.reset, NO_ERROR)
            # A body that belongs to a GET is thrown away, unless it is long.
            number = client.get("/", flags=0)
            client.send(frame(DATA, 0, number, b"x" * 1000) + frame(DATA, END_STREAM, number, b"y"))
            self.assertEqual(client.wait(number).status, 200)
            number = client.get("/", flags=0)
            for _ in range(5):
                client.send(frame(DATA, 0, number, b"x" * 16000))
                client.ping()
            self.assertEqual(client.wait(number).status, 413)

    def test_header_limits(self):
        with Server(self.site) as server, Client(server.port) as client:
            answer = client.answer("/", extra=[("x-long", "y" * 15000)])
            self.assertEqual(answer.status, 200)
            self.assertEqual(client.answer("/", extra=[("x-long", "y" * 16200)]).status, 431)
            many = [(f"x-{i}", "y") for i in range(450)]
            self.assertEqual(client.answer("/", extra=many).status, 431)
            self.assertEqual(client.answer("/").status, 200)

    def test_a_hundred_streams_and_one(self):
        names = [f"{i}.bin" for i in range(STREAMS)]
        for i, name in enumerate(names):
            (self.site / name).write_bytes(random.Random(i).randbytes(1000 + i * 700))
        with Server(self.site) as server, Client(server.port, window=1) as client:
            client.update = False
            client.ping()  # the windows are in force
            numbers = [client.get(f"/{name}") for name in names]
            one = client.get("/index.html")
            self.assertEqual(client.wait(one).reset, REFUSED_STREAM)
            client.update = True
            client.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 24)) +
                        b"".join(frame(WINDOW, 0, number, struct.pack(">I", 1 << 20))
                                 for number in numbers))
            client.wait(*numbers)
            for number, name in zip(numbers, names):
                self.assertEqual(client.streams[number].body, (self.site / name).read_bytes())
            self.assertEqual(client.answer("/").status, 200)

    def test_windows_are_kept(self):
        data = os.urandom(300000)
        (self.site / "big").write_bytes(data)
        with Server(self.site) as server, Client(server.port, window=10, update=False) as client:
            client.ping()
            number = client.get("/big")
            stream = client.streams[number]
            while stream.status is None or len(stream.body) < 10:
                self.assertTrue(client.step())
            client.ping()
            self.assertEqual(stream.body, data[:10])
            client.send(frame(WINDOW, 0, number, struct.pack(">I", 1 << 20)))
            while len(stream.body) < 65535:  # now the connection's window is the limit
                self.assertTrue(client.step())
            client.ping()
            self.assertEqual(stream.body, data[:65535])
            client.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)))
            self.assertEqual(client.wait(number).body, data)

    def test_a_big_file_for_both_versions_of_tls(self):
        data = os.urandom(1 << 20) * 4
        (self.site / "big").write_bytes(data)
        for version in ["1.2", "1.3"]:
            with Server(self.site, "--tls", version) as server, \
                    Client(server.port, window=1 << 23, update=False) as client:
                client.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 23)))
                body = client.answer("/big").body
                self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())

    def test_a_cancelled_stream_leaves_the_others_alone(self):
        data = os.urandom(1 << 20)
        (self.site / "big").write_bytes(data)
        with Server(self.site) as server, Client(server.port) as client:
            for _ in range(20):
                first, second = client.get("/big"), client.get("/index.html")
                client.send(frame(RST_STREAM, 0, first, struct.pack(">I", 8)))
                self.assertEqual(client.wait(second).body, b"<p>hello</p>\n")
            self.assertEqual(client.answer("/big").body, data)


class End(Folder):
    def test_idle_connections_are_told_to_go(self):
        with Server(self.site, "--idle-timeout", "3000") as server, Client(server.port) as client:
            self.assertEqual(client.answer("/").status, 200)
            client.end()
            self.assertEqual(client.goaway, (client.last, NO_ERROR))

    def test_a_stop_lets_answers_finish(self):
        data = os.urandom(200000)
        (self.site / "big").write_bytes(data)
        with Server(self.site) as server, Client(server.port, update=False) as client, \
                Client(server.port) as idle:
            self.assertEqual(idle.answer("/").status, 200)
            number = client.get("/big")
            while len(client.streams[number].body) < 65535:
                self.assertTrue(client.step())
            server.process.send_signal(signal.SIGTERM)
            while client.goaway is None:
                self.assertTrue(client.step())
            self.assertEqual(client.goaway, (number, NO_ERROR))
            client.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)) +
                        frame(WINDOW, 0, number, struct.pack(">I", 1 << 20)))
            self.assertEqual(client.wait(number).body, data)
            client.end()
            idle.end()
            self.assertEqual(idle.goaway, (1, NO_ERROR))
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_client_that_takes_nothing_is_dropped_in_time(self):
        (self.site / "big").write_bytes(b"x" * 200000)
        with Server(self.site, "--idle-timeout", "3000") as server, \
                Client(server.port, update=False) as client:
            client.get("/big")
            server.wait_for("the answer was not taken in time")
            client.end()
            with Client(server.port) as good:
                self.assertEqual(good.answer("/").status, 200)


class Misuse(Folder):
    """Whatever a client does, its connection ends and the next one is served."""

    def still_serves(self, server):
        self.assertIsNone(server.process.poll(), server.text())
        with Client(server.port) as good:
            self.assertEqual(good.answer("/").body, b"<p>hello</p>\n")

    def flood(self, server, data, most, **options):
        """Sends the same again and again; the server must have enough of it before `most`."""
        with Client(server.port, **options) as client:
            client.ping()
            try:
                for number in range(most):
                    client.send(data(number) if callable(data) else data)
                client.end()  # all was sent, and yet it must end
            except (ConnectionError, ssl.SSLError):
                client.closed = True
            self.assertTrue(client.closed)
            # Not because it was idle in the end.
            self.assertTrue(client.goaway is None or client.goaway[1] != NO_ERROR, client.goaway)
        self.still_serves(server)

    def test_rapid_reset(self):
        def cancelled(number):
            stream = 2 * number + 1
            return (frame(HEADERS, END_HEADERS | END_STREAM, stream, request("/index.html")) +
                    frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))

        with Server(self.site) as server:
            self.flood(server, cancelled, 20000)
            server.stop()
            # Some seconds' worth of them at most, on the slowest machine.
            requests = int(re.search(r"(\d+) requests", server.text()).group(1))
            self.assertLess(requests, 5000)

    def test_continuation_flood(self):
        with Server(self.site) as server:
            begin = frame(HEADERS, END_STREAM, 1, request())
            more = frame(CONTINUATION, 0, 1, field("x", "y" * 1000))
            self.flood(server, lambda number: more if number else begin, 5000)

    def test_floods_that_ask_for_acknowledgements(self):
        with Server(self.site) as server:
            for data in [frame(PING, 0, 0, b"12345678") * 500, frame(SETTINGS, 0, 0) * 500]:
                self.flood(server, data, 3000, receive_buffer=4096)

    def test_too_many_settings(self):
        with Server(self.site) as server:
            self.flood(server, frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 1) * 100), 1)

    def test_frames_that_break_the_rules(self):
        huge = frame(DATA, 0, 1, b"x" * 16385)
        bad = [b"\0" * 100, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", frame(DATA, 0, 0, b"x"),
               frame(DATA, 0, 1, b"x"), huge, frame(HEADERS, END_HEADERS | END_STREAM, 2, request()),
               frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"),
               frame(HEADERS, END_HEADERS | END_STREAM, 0, request()),
               frame(CONTINUATION, END_HEADERS, 1, b""), frame(PUSH, END_HEADERS, 1, b"\0\0\0\2"),
               frame(WINDOW, 0, 0, struct.pack(">I", 0)), frame(PING, 0, 0, b"1"),
               frame(WINDOW, 0, 0, struct.pack(">I", 0x7FFFFFFF)), frame(SETTINGS, 0, 0, b"12345"),
               frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, 1 << 31)),
               frame(RST_STREAM, 0, 1, struct.pack(">I", 0)), frame(GOAWAY, 0, 0, b"1")]
        with Server(self.site) as server:
            for data in bad:
                with Client(server.port) as client:
                    client.ping()
                    client.send(data)
                    client.end()
                    self.assertIsNotNone(client.goaway, data[:20])
                    self.assertNotEqual(client.goaway[1], NO_ERROR, data[:20])
            self.still_serves(server)

    def test_requests_that_are_none(self):
        good = [(":method", "GET"), (":scheme", "https"), (":path", "/")]
        bad = [good[:2], good[1:], [*good, ("Upper", "x")], [*good, ("connection", "close")],
               [*good, (":path", "/")], [("x", "y"), *good], [*good, ("a", "b\r\nc: d")],
               [*good, ("content-length", "5")], [*good, (":status", "200")]]
        with Server(self.site) as server:
            for fields in bad:
                with self.subTest(fields), Client(server.port) as client:
                    client.streams[1] = Stream()
                    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                      b"".join(field(name, value) for name, value in fields)))
                    self.assertIsNotNone(client.wait(1).reset)
                    self.assertIsNone(client.streams[1].status)
            self.still_serves(server)

    def test_no_preface(self):
        with Server(self.site) as server:
            context = ssl.create_default_context(cafile=CA)
            context.set_alpn_protocols(["h2"])
            raw = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try:
                    while tls.recv(1000):
                        pass
                except (ConnectionError, ssl.SSLError):
                    pass
            self.still_serves(server)

    def test_vanishing_in_the_middle_of_many_answers(self):
        (self.site / "big").write_bytes(os.urandom(1 << 20))
        with Server(self.site) as server:
            for count in range(10):
                with Client(server.port) as client:
                    for _ in range(30):
                        client.get("/big")
                    for _ in range(count * 5):
                        client.step()
                    client.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.still_serves(server)

    def test_many_files_do_not_use_up_the_descriptors(self):
        (self.site / "big").write_bytes(os.urandom(100000))
        # Room for two connections and what the command itself needs, and 26 files.
        server = Server(self.site, "--max-connections", "2")
        server.args = ["prlimit", "--nofile=60:60", *server.args]
        with server, Client(server.port, window=0, update=False) as client:
            client.ping()
            numbers = [client.get("/big") for _ in range(STREAMS)]
            while any(client.streams[number].status is None for number in numbers):
                self.assertTrue(client.step())
            found = [client.streams[number].status for number in numbers]
            self.assertEqual((found.count(200), found.count(503)), (26, STREAMS - 26))
            self.still_serves_small(server)

    def still_serves_small(self, server):
        """Another connection is taken in, even if there is no file for it."""
        with Client(server.port) as good:
            self.assertEqual(good.answer("/index.html").status, 503)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    test_tool.SSPI = sys.argv[1]
    loader = unittest.defaultTestLoader
    tests = [test for case in (Answers, End, Misuse) for test in loader.loadTestsFromTestCase(case)]
    names = sys.argv[2:]
    suite = unittest.TestSuite(test for test in tests
                               if not names or any(name in test.id() for name in names))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
