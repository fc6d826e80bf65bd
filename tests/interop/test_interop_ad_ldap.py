# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""As much of an LDAP client (RFC 4511) as a SASL bind and a search of one object need. Once a security
layer stands, messages go in tokens with their length in front (RFC 4422 3.7)."""

import socket
import struct

BIND, BIND_ANSWER, SEARCH, ENTRY, SEARCH_DONE = 0x60, 0x61, 0x63, 0x64, 0x65
SUCCESS, GOES_ON, INVALID_CREDENTIALS = 0, 14, 49
TIMEOUT_S = 60


def tlv(tag, *parts):
    """BER: definite length."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def text(value, tag=0x04):
    return tlv(tag, value if isinstance(value, bytes) else value.encode())


def integer(value, tag=0x02):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def measure(data):
    """Tag, length of the head, length of the body; None while the head is not all there."""
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        return data[0], 2, data[1]
    size = data[1] & 0x7F
    if len(data) < 2 + size:
        return None
    return data[0], 2 + size, int.from_bytes(data[2:2 + size], "big")


def elements(data):
    """What stands in a constructed value, as a list of (tag, body)."""
    found = []
    while data:
        tag, head, size = measure(data)
        if len(data) < head + size:
            raise AssertionError("the server's message is cut")
        found.append((tag, data[head:head + size]))
        data = data[head + size:]
    return found


class Refused(Exception):
    """The server has said no; code is LDAP's."""

    def __init__(self, code, words):
        super().__init__("LDAP result %d: %s" % (code, words))
        self.code = code


class Closed(Exception):
    """The server has closed the connection."""


class Connection:
    """To the domain controller. After protect() everything goes through seal and open."""

    def __init__(self, address=("127.0.0.1", 389)):
        self.socket = socket.create_connection(address, TIMEOUT_S)
        self.seal = self.open = None
        self.number = 0
        self.plain = b""    # opened, not yet looked at
        self.sent = []      # what went over the wire under protection, and came
        self.received = []

    def protect(self, seal, open_):
        self.seal, self.open = seal, open_

    def protected(self, ours, verb="encrypt"):
        """With what a side of this library has agreed upon; returns itself."""
        self.protect(lambda message: ours.do(verb, message),
                     lambda token: ours.do("decrypt", token))
        return self

    def close(self):
        self.socket.close()

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise Closed
            data += more
        return data

    def read_more(self):
        if not self.open:
            more = self.socket.recv(65536)
            if not more:
                raise Closed
            return more
        token = self.read_exactly(struct.unpack(">I", self.read_exactly(4))[0])
        self.received.append(token)
        return self.open(token)

    def send(self, operation):
        self.number += 1
        message = tlv(0x30, integer(self.number), operation)
        if self.seal:
            message = self.seal(message)
            self.sent.append(message)
            message = struct.pack(">I", len(message)) + message
        self.socket.sendall(message)

    def receive(self):
        """The next answer: its tag and what stands in it."""
        while True:
            sizes = measure(self.plain)
            if sizes and len(self.plain) >= sizes[1] + sizes[2]:
                break
            self.plain += self.read_more()
        end = sizes[1] + sizes[2]
        message, self.plain = self.plain[sizes[1]:end], self.plain[end:]
        (_, number), (tag, body) = elements(message)[:2]
        if int.from_bytes(number, "big") != self.number:
            raise AssertionError("an answer to another question")
        return tag, elements(body)

    @staticmethod
    def check(fields, *allowed):
        code = int.from_bytes(fields[0][1], "big")
        if code not in allowed:
            raise Refused(code, fields[2][1].decode("utf-8", "replace"))
        return code

    def bind(self, mechanism, token):
        """One step of a SASL bind: is it done, and the server's token."""
        self.send(tlv(BIND, integer(3), text(""),
                      tlv(0xA3, text(mechanism), text(token) if token is not None else b"")))
        tag, fields = self.receive()
        if tag != BIND_ANSWER:
            raise AssertionError("no answer to a bind: %#x" % tag)
        code = self.check(fields, SUCCESS, GOES_ON)
        return code == SUCCESS, b"".join(body for kind, body in fields if kind == 0x87)

    def search(self, base, scope, name, value, *attributes):
        """Objects below base with that value (None: any): a list of {attribute: [values]}."""
        condition = (tlv(0xA3, text(name), text(value)) if value is not None
                     else text(name, 0x87))
        self.send(tlv(SEARCH, text(base), integer(scope, 0x0A), integer(0, 0x0A), integer(0),
                      integer(0), tlv(0x01, b"\0"), condition,
                      tlv(0x30, *(text(attribute) for attribute in attributes))))
        found = []
        while True:
            tag, fields = self.receive()
            if tag == SEARCH_DONE:
                self.check(fields, SUCCESS)
                return found
            if tag == ENTRY:
                found.append({elements(one)[0][1].decode(): [value for _, value in
                                                             elements(elements(one)[1][1])]
                              for _, one in elements(fields[1][1])})
