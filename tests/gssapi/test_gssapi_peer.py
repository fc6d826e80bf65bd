#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Kerberos, NTLM and Negotiate against python3-gssapi, in both roles: legs, flags, sealing, signing.

Usage: test_gssapi_peer.py PEER_PROGRAM
Debian's own python has the module, whatever python3 comes first. Exit code 77 when python3-gssapi or the KDC is missing, 1 where OSSPI_REQUIRE_PEERS is set.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

REALM = "OPENSSPI.TEST"
PASSWORD = "secret of alice"
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing(what):
    print("%s is missing" % what, file=sys.stderr)
    sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)


try:
    import gssapi
    from gssapi.raw import acquire_cred_with_password, set_neg_mechs
except ImportError:
    missing("python3-gssapi")

KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")

MUTUAL, REPLAY, SEQUENCE, CONFIDENTIALITY = 0x2, 0x4, 0x8, 0x10
USUAL = MUTUAL | REPLAY | SEQUENCE | CONFIDENTIALITY


def die_with_parent():
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Realm:
    """A KDC on a copy of the test realm."""

    def __init__(self, source):
        self.folder = tempfile.mkdtemp(prefix="opensspi-peer-")
        for name in os.listdir(source):
            shutil.copy(os.path.join(source, name), self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.write("krb5.conf", "[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\n"
                   "dns_canonicalize_hostname = false\n[realms]\n%s = {\nkdc = 127.0.0.1:%d\n}\n"
                   "[domain_realm]\nserver.test = %s\n" % (REALM, REALM, self.port, REALM))
        self.write("kdc.conf", "[realms]\n%s = {\ndatabase_name = %s/principal\n"
                   "key_stash_file = %s/stash\nkdc_listen = 127.0.0.1:%d\n"
                   "kdc_tcp_listen = 127.0.0.1:%d\n}\n[logging]\nkdc = FILE:%s/kdc.log\n"
                   % (REALM, self.folder, self.folder, self.port, self.port, self.folder))
        self.write("users", "%s:alice:%s\n" % (REALM, PASSWORD))
        os.environ.update(
            KRB5_CONFIG=self.path("krb5.conf"), KRB5_KDC_PROFILE=self.path("kdc.conf"),
            KRB5_KTNAME=self.path("server.keytab"), KRB5CCNAME="FILE:" + self.path("ccache"),
            KRB5RCACHENAME="file2:" + self.path("rcache"), NTLM_USER_FILE=self.path("users"))
        self.kdc = subprocess.Popen(["krb5kdc", "-n"], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if self.kdc.poll() is not None:
                    raise
                time.sleep(0.02)
        subprocess.run(["kinit", "alice"], input=PASSWORD.encode(), check=True,
                       stdout=subprocess.DEVNULL, timeout=60)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def stop(self):
        self.kdc.kill()
        self.kdc.wait()
        shutil.rmtree(self.folder)


class Ours:
    """The side of this library: a program that does what it is told."""

    def __init__(self, *words, **environment):
        self.process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment},
                                        preexec_fn=die_with_parent)
        self.require(self.read(), "SEC_E_OK")

    @staticmethod
    def require(answer, *statuses):
        if answer[0] not in statuses:
            raise AssertionError("%s, not %s" % (answer[0], statuses))
        return answer

    def read(self):
        words = self.process.stdout.readline().split()
        return words[0], b"" if words[1] == "-" else bytes.fromhex(words[1]), int(words[2], 16)

    def order(self, verb, *arguments):
        text = " ".join(argument.hex() or "-" for argument in arguments)
        self.process.stdin.write("%s %s\n" % (verb, text))
        self.process.stdin.flush()
        return self.read()

    def leg(self, token):
        answer = self.require(self.order("leg", token), "SEC_E_OK", "SEC_I_CONTINUE_NEEDED")
        self.done, self.attributes = answer[0] == "SEC_E_OK", answer[2]
        return answer[1]

    def do(self, verb, *arguments):
        return self.require(self.order(verb, *arguments), "SEC_E_OK")[1]

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(60) != 0:
            raise AssertionError("exit %d" % self.process.returncode)


def talk(first, second):
    """Carries tokens to and fro; each side takes one and gives one. Returns when both are done."""
    token = first(b"")
    for _ in range(8):
        token = second(token) if token else b""
        if not token:
            return
        token = first(token)
        if not token:
            return
    raise AssertionError("no end")


class Peer(unittest.TestCase):
    def messages(self, ours, theirs, seals=True):
        for size in (1, 17, 60000):
            text = bytes(i % 251 for i in range(size))
            if seals:
                self.assertEqual(theirs.unwrap(ours.do("encrypt", text)).message, text)
                self.assertEqual(ours.do("decrypt", theirs.wrap(text, True).message), text)
            theirs.verify_signature(text, ours.do("sign", text))
            ours.do("verify", text, theirs.get_signature(text))
        wrong = bytearray(theirs.get_signature(b"text"))
        wrong[-1] ^= 1
        self.assertEqual(ours.order("verify", b"text", bytes(wrong))[0], "SEC_E_MESSAGE_ALTERED")

    def client(self, package, mech, flags, creds=None, **environment):
        """This library's client, their server."""
        theirs = gssapi.SecurityContext(creds=creds, usage="accept")
        ours = Ours("initiate", package, "HTTP/server.test", "%x" % flags, **environment)
        talk(ours.leg, lambda token: theirs.step(token) or b"")
        self.assertTrue(ours.done and theirs.complete)
        self.assertEqual(theirs.mech, mech)
        return ours, theirs

    def server(self, package, mech, name=None, creds=None, flags=None):
        """Their client, this library's server."""
        name = name or gssapi.Name("HTTP/server.test@" + REALM, gssapi.NameType.kerberos_principal)
        ours = Ours("accept", package)
        theirs = gssapi.SecurityContext(name=name, creds=creds, mech=mech, usage="initiate",
                                        flags=flags)
        talk(lambda token: theirs.step(token or None) or b"", ours.leg)
        self.assertTrue(ours.done and theirs.complete)
        return ours, theirs

    def test_kerberos_client(self):
        for flags in (0, CONFIDENTIALITY, USUAL):
            ours, theirs = self.client("Kerberos", KERBEROS, flags)
            self.assertEqual(str(theirs.initiator_name), "alice@" + REALM)
            self.assertEqual(bool(ours.attributes & MUTUAL), bool(flags & MUTUAL))
            self.assertEqual(gssapi.RequirementFlag.mutual_authentication in theirs.actual_flags,
                             bool(flags & MUTUAL))
            self.messages(ours, theirs)
            ours.end()

    def test_kerberos_client_with_password(self):
        ours, theirs = self.client("Kerberos", KERBEROS, USUAL, PEER_USER="bob",
                                   PEER_PASSWORD="secret of bob")
        self.assertEqual(str(theirs.initiator_name), "bob@" + REALM)
        self.messages(ours, theirs)
        ours.end()

    def test_kerberos_server(self):
        for flags in (gssapi.RequirementFlag.integrity,
                      gssapi.RequirementFlag.mutual_authentication
                      | gssapi.RequirementFlag.confidentiality
                      | gssapi.RequirementFlag.out_of_sequence_detection):
            ours, theirs = self.server("Kerberos", KERBEROS, flags=flags)
            self.assertEqual(ours.do("name"), b"alice@" + REALM.encode())
            self.messages(ours, theirs)
            ours.end()

    def test_negotiate_client(self):
        ours, theirs = self.client("Negotiate", KERBEROS, USUAL)
        self.assertEqual(str(theirs.initiator_name), "alice@" + REALM)
        self.messages(ours, theirs)
        ours.end()

    def test_negotiate_server(self):
        ours, theirs = self.server("Negotiate", SPNEGO)
        self.assertEqual(ours.do("name"), b"alice@" + REALM.encode())
        self.messages(ours, theirs)
        ours.end()

    def ntlm_credential(self, mechs):
        name = gssapi.Name("%s\\alice" % REALM, gssapi.NameType.user)
        return gssapi.Credentials(acquire_cred_with_password(
            name, PASSWORD.encode(), mechs=mechs, usage="initiate").creds)

    def test_ntlm_client(self):
        creds = gssapi.Credentials(mechs=[NTLM], usage="accept")
        ours, theirs = self.client("NTLM", NTLM, CONFIDENTIALITY | REPLAY | SEQUENCE, creds=creds,
                                   PEER_USER="%s\\alice" % REALM, PEER_PASSWORD=PASSWORD)
        self.messages(ours, theirs)
        ours.end()

    def test_ntlm_server(self):
        name = gssapi.Name("HTTP@server.test", gssapi.NameType.hostbased_service)
        ours, theirs = self.server(
            "NTLM", NTLM, name, self.ntlm_credential([NTLM]),
            gssapi.RequirementFlag.integrity | gssapi.RequirementFlag.confidentiality)
        self.assertIn(b"alice", ours.do("name"))
        self.messages(ours, theirs)
        ours.end()

    def test_negotiate_server_with_ntlm(self):
        name = gssapi.Name("HTTP@server.test", gssapi.NameType.hostbased_service)
        creds = self.ntlm_credential([SPNEGO])
        set_neg_mechs(creds, [NTLM])
        ours, theirs = self.server(
            "Negotiate", SPNEGO, name, creds,
            gssapi.RequirementFlag.integrity | gssapi.RequirementFlag.confidentiality)
        self.messages(ours, theirs)
        ours.end()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    PROGRAM = sys.argv.pop()
    folder = os.environ.get("OSSPI_TEST_REALM", "")
    if not os.path.exists(os.path.join(folder, ".edition")) or not shutil.which("krb5kdc"):
        missing("the test realm")
    realm = Realm(folder)
    try:
        unittest.main()
    finally:
        realm.stop()
