#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Kerberos, NTLM and Negotiate against python3-gssapi, in both roles: legs, flags, sealing, signing.

Usage: test_gssapi_peer.py PEER_PROGRAM
Debian's own python has the module, whatever python3 comes first. Exit code 77 when python3-gssapi or the KDC is missing, 1 where OSSPI_REQUIRE_PEERS is set.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import spnego_mic
from peer_side import (CONFIDENTIALITY, MUTUAL, REPLAY, SEQUENCE, USUAL, Ours, die_with_parent,
                       talk)

REALM = "OPENSSPI.TEST"
DELEGATE = 0x1
NO_ENCRYPT = 0x80000001  # SECQOP_WRAP_NO_ENCRYPT
PASSWORD = "secret of alice"
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing(what):
    print("%s is missing" % what, file=sys.stderr)
    sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)


try:
    import gssapi
    from gssapi.raw import ChannelBindings, acquire_cred_with_password, set_neg_mechs
except ImportError:
    missing("python3-gssapi")

KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")

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

    def client(self, package, mech, flags, creds=None, bindings=None, **environment):
        """This library's client, their server."""
        theirs = gssapi.SecurityContext(creds=creds, usage="accept", channel_bindings=bindings)
        ours = Ours(PROGRAM, "initiate", package, "HTTP/server.test", "%x" % flags, **environment)
        talk(ours.leg, lambda token: theirs.step(token) or b"")
        self.assertTrue(ours.done and theirs.complete)
        self.assertEqual(theirs.mech, mech)
        return ours, theirs

    def server(self, package, mech, name=None, creds=None, flags=None, bindings=None,
               **environment):
        """Their client, this library's server."""
        name = name or gssapi.Name("HTTP/server.test@" + REALM, gssapi.NameType.kerberos_principal)
        ours = Ours(PROGRAM, "accept", package, **environment)
        theirs = gssapi.SecurityContext(name=name, creds=creds, mech=mech, usage="initiate",
                                        flags=flags, channel_bindings=bindings)
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

    def test_signed_and_readable(self):
        """Messages that are wrapped and not sealed."""
        ours, theirs = self.client("Kerberos", KERBEROS, USUAL)
        for text in (b"a", b"readable" * 1000):
            token = ours.do("wrap", text)
            self.assertIn(text, token)
            opened = theirs.unwrap(token)
            self.assertEqual((opened.message, opened.encrypted), (text, False))
            token = theirs.wrap(text, False).message
            self.assertEqual(ours.order("decrypt", token), ("SEC_E_OK", text, NO_ENCRYPT))
            self.assertEqual(ours.order("decrypt", theirs.wrap(text, True).message),
                             ("SEC_E_OK", text, 0))
        ours.end()

    def test_order(self):
        """What comes twice, or after a gap, is noticed on both sides."""
        ours, theirs = self.client("Kerberos", KERBEROS, USUAL)
        first, second, third = (theirs.wrap(b"text", True).message for _ in range(3))
        self.assertEqual(ours.order("decrypt", first)[0], "SEC_E_OK")
        self.assertEqual(ours.order("decrypt", first)[0], "SEC_E_OUT_OF_SEQUENCE")
        self.assertEqual(ours.order("decrypt", third)[0], "SEC_E_OUT_OF_SEQUENCE")
        self.assertEqual(ours.order("decrypt", second)[0], "SEC_E_OUT_OF_SEQUENCE")
        first, second = (ours.do("encrypt", b"text") for _ in range(2))
        again = bytes(bytearray(first))  # MIT's library turns the bytes it is given around
        self.assertEqual(theirs.unwrap(first).message, b"text")
        with self.assertRaises(gssapi.exceptions.DuplicateTokenError):
            theirs.unwrap(again)
        self.assertEqual(theirs.unwrap(second).message, b"text")
        ours.end()

    def test_delegation(self):
        ours, theirs = self.client("Kerberos", KERBEROS, USUAL | DELEGATE, PEER_USER="bob",
                                   PEER_PASSWORD="secret of bob")
        self.assertTrue(ours.attributes & DELEGATE)
        self.assertEqual(str(theirs.delegated_creds.name), "bob@" + REALM)
        ours.end()

    def test_channel_bindings(self):
        """Both sides hash the same."""
        for package, mech in (("Kerberos", KERBEROS), ("Negotiate", KERBEROS)):
            with self.subTest(package=package):
                ours, _ = self.client(package, mech, USUAL, PEER_BINDINGS="of this channel",
                                      bindings=ChannelBindings(application_data=b"of this channel"))
                ours.end()
                # They tell our client that they refuse, not why.
                with self.assertRaisesRegex(AssertionError, "SEC_E_INVALID_TOKEN"):
                    self.client(package, mech, USUAL, PEER_BINDINGS="of this channel",
                                bindings=ChannelBindings(application_data=b"of another"))
        for package, mech in (("Kerberos", KERBEROS), ("Negotiate", SPNEGO)):
            with self.subTest(package=package, role="server"):
                ours, _ = self.server(package, mech, PEER_BINDINGS="of this channel",
                                      bindings=ChannelBindings(application_data=b"of this channel"))
                ours.end()
                for wrong in (ChannelBindings(application_data=b"of another"), None):
                    with self.assertRaisesRegex(AssertionError, "SEC_E_BAD_BINDINGS"):
                        self.server(package, mech, PEER_BINDINGS="of this channel", bindings=wrong)

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

    def needs_a_mic(self):
        """Of SPNEGO's, which NTLM inside of it always has, and so has a second choice."""
        if not spnego_mic.peers_read_it():
            self.skipTest("python3-gssapi's SPNEGO finds no MIC")

    def test_negotiate_client_with_ntlm_behind_kerberos(self):
        """A server that has no Kerberos takes what else was offered."""
        self.needs_a_mic()
        creds = gssapi.Credentials(mechs=[SPNEGO], usage="accept")
        set_neg_mechs(creds, [NTLM])
        ours, theirs = self.client("Negotiate", NTLM, CONFIDENTIALITY | REPLAY | SEQUENCE,
                                   creds=creds, PEER_USER="alice", PEER_DOMAIN=REALM,
                                   PEER_PASSWORD=PASSWORD)
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
        self.needs_a_mic()
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
