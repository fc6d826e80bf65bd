# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""CredSSP (MS-CSSP, versions 2 to 6) by other means than this library's: TLS by Python's ssl module, messages by
pyasn1, authentication and sealing by GSSAPI. Both roles, over sockets that block; and a relay that ends TLS.

What a peer should not do it does on request: see Knobs.
"""

import hashlib
import os
import socket
import ssl
import threading

from pyasn1.codec.der import decoder, encoder
from pyasn1.type import namedtype, tag, univ

CLIENT_HASH = b"CredSSP Client-To-Server Binding Hash\0"
SERVER_HASH = b"CredSSP Server-To-Client Binding Hash\0"
LOGON_DENIED = 0xC000006D - (1 << 32)  # STATUS_LOGON_FAILURE, as a signed integer


class Refused(Exception):
    """The peer has said why (code), or what it said is not true."""

    def __init__(self, words, code=None):
        super().__init__(words)
        self.code = code


def explicit(number, kind):
    return kind.subtype(explicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatSimple, number))


def fields(*members):
    return namedtype.NamedTypes(*[
        (namedtype.NamedType if required else namedtype.OptionalNamedType)(name, explicit(number, kind))
        for name, number, kind, required in members])


class NegoToken(univ.Sequence):
    componentType = fields(("negoToken", 0, univ.OctetString(), True))


class NegoData(univ.SequenceOf):
    componentType = NegoToken()


class TSRequest(univ.Sequence):
    componentType = fields(
        ("version", 0, univ.Integer(), True), ("negoTokens", 1, NegoData(), False),
        ("authInfo", 2, univ.OctetString(), False), ("pubKeyAuth", 3, univ.OctetString(), False),
        ("errorCode", 4, univ.Integer(), False), ("clientNonce", 5, univ.OctetString(), False))


class TSPasswordCreds(univ.Sequence):
    componentType = fields(("domainName", 0, univ.OctetString(), True),
                           ("userName", 1, univ.OctetString(), True),
                           ("password", 2, univ.OctetString(), True))


class TSCredentials(univ.Sequence):
    componentType = fields(("credType", 0, univ.Integer(), True),
                           ("credentials", 1, univ.OctetString(), True))


def public_key(certificate):
    """What is inside the BIT STRING of the certificate's SubjectPublicKeyInfo."""
    body = decoder.decode(certificate)[0][0]
    for part in (body[i] for i in range(len(body))):
        if isinstance(part, univ.Sequence) and isinstance(part[1], univ.BitString):
            return part[1].asOctets()
    raise AssertionError("a certificate without a key")


class Knobs:
    """What a peer says or does otherwise than it should."""

    def __init__(self, version=6, **wrong):
        self.version = version
        self.later_version = wrong.pop("later_version", version)  # in all messages but the first
        self.key = wrong.pop("key", None)          # another public key than the certificate's
        self.nonce = wrong.pop("nonce", True)      # a client of version 5 and later has one
        self.reflect = wrong.pop("reflect", False)  # a server that sends back what it got
        self.credentials = wrong.pop("credentials", ("", "", ""))  # domain, user, password
        assert not wrong


class Side:
    """What both roles share. context is one of GSSAPI's; line a TLS socket."""

    def __init__(self, line, context, key, knobs):
        self.line, self.context, self.knobs = line, context, knobs
        self.key = knobs.key or key
        self.peer_version = None
        self.sent = 0
        self.errors = []

    @property
    def version(self):
        return min(self.knobs.version, self.peer_version or self.knobs.version)

    def send(self, **members):
        request = TSRequest()
        request["version"] = self.knobs.later_version if self.sent else self.knobs.version
        self.sent += 1
        if members.get("negoTokens"):
            token = NegoToken()
            token["negoToken"] = members["negoTokens"]
            request["negoTokens"].append(token)
        for name in ("authInfo", "pubKeyAuth", "errorCode", "clientNonce"):
            if members.get(name) is not None:
                request[name] = members[name]
        self.line.sendall(encoder.encode(request))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.line.recv(count - len(data))
            if not more:
                raise Refused("the peer has gone")
            data += more
        return data

    def receive(self):
        head = self.exactly(2)
        if head[1] & 0x80:
            head += self.exactly(head[1] & 0x7F)
            count = int.from_bytes(head[2:], "big")
        else:
            count = head[1]
        request, rest = decoder.decode(head + self.exactly(count), asn1Spec=TSRequest())
        assert not rest
        said = {name: (bytes if hasattr(request[name], "asOctets") else int)(request[name])
                for name in ("version", "authInfo", "pubKeyAuth", "errorCode", "clientNonce")
                if request[name].hasValue()}
        if request["negoTokens"].hasValue() and len(request["negoTokens"]):
            said["token"] = bytes(request["negoTokens"][0]["negoToken"])
        self.peer_version = self.peer_version or said["version"]
        if "errorCode" in said:
            raise Refused("the peer says error %#x" % (said["errorCode"] & 0xFFFFFFFF),
                          said["errorCode"] & 0xFFFFFFFF)
        return said

    def seal(self, data):
        return self.context.wrap(data, True).message

    def unseal(self, data):
        return self.context.unwrap(data).message

    def binding(self, words, nonce):
        return hashlib.sha256(words + nonce + self.key).digest()


class Client(Side):
    def authenticate(self):
        """The token that goes with the public key: the last one, or none."""
        token = self.context.step()
        while not self.context.complete:
            self.send(negoTokens=token)
            token = self.context.step(self.receive()["token"])
        return token

    def run(self):
        token = self.authenticate()
        nonce = os.urandom(32) if self.version >= 5 and self.knobs.nonce else None
        ours = self.binding(CLIENT_HASH, nonce or b"") if self.version >= 5 else self.key
        self.send(negoTokens=token, pubKeyAuth=self.seal(ours), clientNonce=nonce)
        theirs = self.unseal(self.receive()["pubKeyAuth"])
        if self.version >= 5:
            right = self.binding(SERVER_HASH, nonce)
        else:
            right = bytes([(self.key[0] + 1) % 256]) + self.key[1:]
        if theirs != right:
            raise Refused("the server's answer is for another key")
        self.delegate()

    def delegate(self):
        parts, credentials = TSPasswordCreds(), TSCredentials()
        for name, text in zip(("domainName", "userName", "password"), self.knobs.credentials):
            parts[name] = text.encode("utf-16-le")
        credentials["credType"] = 1
        credentials["credentials"] = encoder.encode(parts)
        self.send(authInfo=self.seal(encoder.encode(credentials)))


class Server(Side):
    def authenticate(self):
        """The message that came with or behind the last token."""
        while True:
            said = self.receive()
            try:
                token = self.context.step(said["token"])
            except Exception as error:
                self.send(errorCode=LOGON_DENIED if self.version in (3, 4, 6) else None)
                raise Refused("not authenticated: %s" % error) from error
            if self.context.complete and "pubKeyAuth" in said:
                return said, token
            self.send(negoTokens=token)
            if self.context.complete:
                return self.receive(), None

    def run(self):
        said, token = self.authenticate()
        theirs, nonce = self.unseal(said["pubKeyAuth"]), said.get("clientNonce", b"")
        if self.version >= 5:
            right, ours = self.binding(CLIENT_HASH, nonce), self.binding(SERVER_HASH, nonce)
        else:
            right, ours = self.key, bytes([(self.key[0] + 1) % 256]) + self.key[1:]
        if theirs != right:
            raise Refused("the client means another key")
        self.send(negoTokens=token, pubKeyAuth=self.seal(theirs if self.knobs.reflect else ours))
        return self.credentials(self.receive()["authInfo"])

    def credentials(self, sealed):
        """(domain, user, password), or None if it is no password."""
        outer = decoder.decode(self.unseal(sealed), asn1Spec=TSCredentials())[0]
        if int(outer["credType"]) != 1:
            return None
        inner = decoder.decode(bytes(outer["credentials"]), asn1Spec=TSPasswordCreds())[0]
        return tuple(bytes(inner[name]).decode("utf-16-le")
                     for name in ("domainName", "userName", "password"))


def server_tls(certificate, key, tls=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return limited(context, tls)


def client_tls(tls=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return limited(context, tls)


def limited(context, tls):
    if tls:
        context.minimum_version = context.maximum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
    return context


def x224(sock):
    """Reads one of RDP's first packets, as it is."""
    head = sock.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise Refused("the peer has gone")
    return head + sock.recv(int.from_bytes(head[2:4], "big") - 4, socket.MSG_WAITALL)


class Relay:
    """Somebody between an RDP client and its server, with a certificate of his own: ends TLS on both sides and
    carries everything else over as it is. One connection."""

    def __init__(self, port, certificate, key):
        self.next, self.tls = port, server_tls(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.carried = [0, 0]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            near = self.listener.accept()[0]
            far = socket.create_connection(("127.0.0.1", self.next))
            far.sendall(x224(near))
            near.sendall(x224(far))
            near = self.tls.wrap_socket(near, server_side=True)
            far = client_tls().wrap_socket(far)
        except (OSError, Refused):
            return
        with near, far:
            self.carry(near, far)

    def carry(self, near, far):
        """One thread reads and writes: neither side says anything unasked."""
        sides = [near, far]
        for side in sides:
            side.settimeout(0.02)
        while True:
            for number, side in enumerate(sides):
                try:
                    data = side.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not data:
                    return
                try:
                    sides[1 - number].sendall(data)
                except OSError:
                    return
                self.carried[number] += len(data)

    def stop(self):
        self.listener.close()
        self.thread.join(30)
