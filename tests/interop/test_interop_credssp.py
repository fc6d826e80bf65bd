#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""CredSSP against an implementation that shares nothing with this library (credssp_peer.py), in both roles: versions,
mechanisms, delegation, refusals, and a peer or somebody in between who does not play by the rules.

Usage: test_interop_credssp.py GATE [TEST...]
The command `sspi` is what OSSPI_TEST_SSPI names; its cases are left out without it.
Debian's own python has the modules, whatever python3 comes first. Exit code 77 when python3-gssapi, python3-pyasn1
or the KDC is missing, 1 where OSSPI_REQUIRE_PEERS is set.
"""

import os
import shutil
import socket
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

from credssp_world import DOMAIN, PASSWORD, PATIENCE, REALM, USER, Gate, cert, leaf, missing  # noqa: E402
from sspi_server import SspiServer  # noqa: E402
from test_interop_realm import Realm  # noqa: E402

try:
    import gssapi
    from gssapi.raw import acquire_cred_with_password, set_neg_mechs
    import credssp_peer
    from credssp_peer import Client, Knobs, Refused, Server
except ImportError as error:
    missing(error)

KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
FLAGS = 0x2 | 0x4 | 0x8 | 0x10 | 0x20  # mutual, replay, sequence, confidentiality, integrity
DELEGATED = (DOMAIN, USER, PASSWORD)
WHOLE = ["user=" + USER, "domain=" + DOMAIN, "password=" + PASSWORD, "delegate"]
# Without a KDC's help, and what FreeRDP and Windows send then.
BY_NTLM = [*WHOLE, "packages=!kerberos", "target=TERMSRV/server.test"]
BY_KERBEROS = [*WHOLE, "packages=!ntlm", "target=TERMSRV/server.test"]


class Peer(unittest.TestCase):
    maxDiff = None

    def gate(self, *words, **environment):
        gate = Gate(*words, **environment)
        self.addCleanup(gate.stop)
        return gate

    def ok(self, gate, **facts):
        gate.end()
        told = {name: gate.facts.get(name) for name in facts}
        self.assertEqual((gate.status, gate.facts.get("STATUS"), told), (0, "SEC_E_OK", facts), gate.text())

    def refused(self, gate, *statuses):
        gate.end()
        self.assertNotEqual(gate.status, 0, gate.text())
        self.assertIn(gate.facts.get("STATUS"), statuses, gate.text())


class OurClient(Peer):
    """This library's client, the other implementation's server."""

    def serve(self, words, knobs=None, certificate="server", tls=None, talks=True):
        """(gate, what the client has delegated)"""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.last = gate = self.gate("connect", str(listener.getsockname()[1]), *words)
            listener.settimeout(PATIENCE)
            line = listener.accept()[0]
        line.settimeout(PATIENCE)
        context = credssp_peer.server_tls(cert(certificate + ".pem"), cert(certificate + ".key"), tls)
        with context.wrap_socket(line, server_side=True) as line:
            server = Server(line, gssapi.SecurityContext(usage="accept"),
                            credssp_peer.public_key(leaf(certificate)), knobs or Knobs())
            delegated = server.run()
            if talks:
                line.sendall(line.recv(100))
        return gate, delegated, server

    def test_each_mechanism_and_form(self):
        for words, mech, tls, more in ((BY_NTLM, NTLM, "1.2", []), (BY_NTLM, NTLM, "1.3", ["async"]),
                                       (BY_KERBEROS, KERBEROS, "1.3", []), (BY_KERBEROS, KERBEROS, "1.2", ["async"])):
            with self.subTest(mech=str(mech), tls=tls, more=more):
                gate, delegated, server = self.serve([*words, *more], tls=tls)
                self.ok(gate, TLS=tls, HEARD="ping")
                self.assertEqual(delegated, DELEGATED)
                self.assertEqual(server.peer_version, 6)
                self.assertEqual(server.context.mech, mech)
                self.assertIn(USER, str(server.context.initiator_name))

    def test_keys_of_rsa(self):
        gate, delegated, _ = self.serve(BY_NTLM, certificate="server-rsa")
        self.ok(gate, HEARD="ping")
        self.assertEqual(delegated, DELEGATED)

    def test_the_tickets_of_the_user_are_enough_without_delegation(self):
        gate, delegated, server = self.serve(["bare", "target=TERMSRV/server.test"])
        self.ok(gate, HEARD="ping")
        self.assertEqual(str(server.context.initiator_name), "%s@%s" % (USER, REALM))
        self.assertEqual(delegated, ("", "", ""))

    def test_nothing_is_delegated_unasked(self):
        gate, delegated, _ = self.serve([word for word in BY_NTLM if word != "delegate"])
        self.ok(gate, HEARD="ping")
        self.assertEqual(delegated, ("", "", ""))

    def test_versions_with_bound_keys(self):
        for version in (5, 6, 7):
            with self.subTest(version=version):
                gate, delegated, _ = self.serve(BY_NTLM, Knobs(version))
                self.ok(gate, HEARD="ping")
                self.assertEqual(delegated, DELEGATED)

    def test_older_versions_where_they_are_allowed(self):
        for version in (2, 3, 4):
            for words in (BY_NTLM, BY_KERBEROS):
                with self.subTest(version=version, words=words):
                    gate, delegated, _ = self.serve([*words, "oldest=2"], Knobs(version))
                    self.ok(gate, HEARD="ping")
                    self.assertEqual(delegated, DELEGATED)

    def refused_by_us(self, words, knobs=None, certificate="server", *statuses):
        """The server's side fails, because the client has gone or says so; the client tells why."""
        try:
            self.serve(words, knobs, certificate, talks=False)
        except (Refused, OSError) as error:
            self.complaint = error
        gate = self.last
        self.refused(gate, *statuses)
        return gate

    def test_older_versions_are_refused_otherwise(self):
        for version in (2, 3, 4):
            with self.subTest(version=version):
                self.refused_by_us(BY_NTLM, Knobs(version), "server", "SEC_E_DELEGATION_POLICY")

    def test_a_wrong_password(self):
        wrong = [word if not word.startswith("password=") else "password=wrong" for word in BY_NTLM]
        self.refused_by_us(wrong, None, "server", "SEC_E_LOGON_DENIED")

    def test_a_server_that_means_another_key(self):
        for knobs in (Knobs(key=b"another"), Knobs(reflect=True)):
            with self.subTest(key=knobs.key):
                self.refused_by_us(BY_NTLM, knobs, "server", "SEC_E_MESSAGE_ALTERED", "SEC_E_ILLEGAL_MESSAGE",
                                   "SEC_E_LOGON_DENIED", "SEC_E_INCOMPLETE_MESSAGE")

    def test_a_server_that_changes_its_version(self):
        self.refused_by_us(BY_NTLM, Knobs(6, later_version=5), "server", "SEC_E_ILLEGAL_MESSAGE")


def talk(client, server):
    """Tokens to and fro, until both are done."""
    token = client.step()
    while token and not (client.complete and server.complete):
        token = server.step(token)
        token = client.step(token) if token and not client.complete else None


class OurServer(Peer):
    """The other implementation's client, this library's server."""

    @classmethod
    def setUpClass(cls):
        cls.forms = [(NTLM, None), (KERBEROS, SPNEGO), (KERBEROS, None)]
        try:
            talk(cls.context(NTLM, SPNEGO), gssapi.SecurityContext(usage="accept"))
            cls.forms.append((NTLM, SPNEGO))
        except gssapi.exceptions.GSSError as error:  # as with Debian 13's
            print("left out, because GSSAPI alone cannot do it: NTLM inside of SPNEGO: %s" % error)

    @staticmethod
    def creds(mech, password=PASSWORD):
        name = gssapi.Name("%s\\%s" % (DOMAIN, USER) if mech == NTLM else "%s@%s" % (USER, REALM),
                           gssapi.NameType.user)
        return acquire_cred_with_password(name, password.encode(), mechs=[mech], usage="initiate").creds

    @classmethod
    def context(cls, mech, outer=None, password=PASSWORD):
        """outer: SPNEGO around it, with that mechanism alone."""
        creds = cls.creds(outer or mech, password)
        if outer:
            set_neg_mechs(creds, [mech])
        if mech == NTLM:
            target = gssapi.Name("TERMSRV@server.test", gssapi.NameType.hostbased_service)
        else:
            target = gssapi.Name("TERMSRV/server.test@" + REALM, gssapi.NameType.kerberos_principal)
        return gssapi.SecurityContext(name=target, creds=creds, mech=outer or mech, usage="initiate", flags=FLAGS)

    def connect(self, context, *words, knobs=None, certificate="server", tls=None, port=None):
        gate = self.gate("serve", "certificate=" + certificate, *words)
        knobs = knobs or Knobs(credentials=DELEGATED)
        self.last = gate
        with socket.create_connection(("127.0.0.1", port(gate) if port else gate.port), PATIENCE) as line, \
                credssp_peer.client_tls(tls).wrap_socket(line) as line:
            key = credssp_peer.public_key(line.getpeercert(True))
            Client(line, context, key, knobs).run()
            line.sendall(b"ping")
            self.assertEqual(line.recv(100), b"ping")
        return gate

    def delegated(self, gate, **more):
        self.ok(gate, DELEGATED="SEC_E_OK", DOMAIN=DOMAIN, USER=USER, PASSWORD=PASSWORD, HEARD="ping", **more)
        self.assertIn(USER, gate.facts["NAME"])

    def test_each_mechanism_and_form(self):
        for mech, outer in self.forms:
            for tls, words in (("1.2" if outer else "1.3", []), ("1.3" if outer else "1.2", ["async"])):
                with self.subTest(mech=str(mech), outer=str(outer), tls=tls, words=words):
                    self.delegated(self.connect(self.context(mech, outer), *words, tls=tls), TLS=tls)

    def test_keys_of_rsa(self):
        self.delegated(self.connect(self.context(NTLM), certificate="server-rsa"))

    def test_each_type_of_credential_of_a_server(self):
        self.delegated(self.connect(self.context(NTLM), "type=4", "bare"))
        self.delegated(self.connect(self.context(NTLM), "type=50", "bare"))

    def test_a_client_that_delegates_nothing(self):
        gate = self.connect(self.context(KERBEROS, SPNEGO), knobs=Knobs())
        self.ok(gate, HEARD="ping", USER="", DOMAIN="", PASSWORD="")

    def test_versions_with_bound_keys(self):
        for version in (5, 6, 7):
            with self.subTest(version=version):
                self.delegated(self.connect(self.context(NTLM), knobs=Knobs(version, credentials=DELEGATED)))

    def test_older_versions_where_they_are_allowed(self):
        for version in (2, 3, 4):
            for mech, outer in ((NTLM, None), (KERBEROS, SPNEGO)):
                with self.subTest(version=version, mech=str(mech)):
                    self.delegated(self.connect(self.context(mech, outer), "oldest=2",
                                                knobs=Knobs(version, credentials=DELEGATED)))

    def refuse(self, context, *words, knobs=None, codes=(None,), statuses=(), port=None):
        with self.assertRaises((Refused, OSError)) as caught:
            self.connect(context, *words, knobs=knobs, port=port)
        self.refused(self.last, *statuses)
        self.assertIn(getattr(caught.exception, "code", None), codes, self.last.text())

    def test_older_versions_are_refused_otherwise(self):
        for version in (2, 3, 4):
            with self.subTest(version=version):
                self.refuse(self.context(NTLM), knobs=Knobs(version), statuses=["SEC_E_DELEGATION_POLICY"],
                            codes=(None,) if version == 2 else (0xC000006D,))

    def test_a_wrong_password(self):
        for version, codes in ((6, [0xC000006D]), (5, [None])):
            with self.subTest(version=version):
                self.refuse(self.context(NTLM, password="wrong"), knobs=Knobs(version), codes=codes,
                            statuses=["SEC_E_LOGON_DENIED"])

    def test_a_client_that_means_another_key(self):
        self.refuse(self.context(NTLM), knobs=Knobs(key=b"another"), statuses=["SEC_E_MESSAGE_ALTERED"],
                    codes=(None, 0x8009030F))

    def test_a_client_without_a_nonce(self):
        self.refuse(self.context(NTLM), knobs=Knobs(nonce=False), statuses=["SEC_E_ILLEGAL_MESSAGE"],
                    codes=(None, 0xC000006D))

    def test_a_client_that_changes_its_version(self):
        self.refuse(self.context(NTLM), knobs=Knobs(6, later_version=5), statuses=["SEC_E_ILLEGAL_MESSAGE"],
                    codes=(None, 0xC000006D))


@unittest.skipUnless("OSSPI_TEST_SSPI" in os.environ, "there is no command")
class OurTool(unittest.TestCase):
    """`sspi auth --package credssp` on one side, the other implementation on the other."""

    def setUp(self):
        self.sspi = os.environ["OSSPI_TEST_SSPI"]

    def connect(self, realm_file, *words, knobs=None):
        """(exit status, output, complaints) of the command, what it has handed over, its lines"""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            command = [self.sspi, "auth", "connect", "localhost:%d" % listener.getsockname()[1], "--package", "credssp",
                       "--user", USER, "--domain", DOMAIN, "--password-file", Shared.realm.path(realm_file),
                       "--quiet", *words]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(child.kill)
            listener.settimeout(PATIENCE)
            line = listener.accept()[0]
        line.settimeout(PATIENCE)
        delegated, said = None, b""
        try:
            with credssp_peer.server_tls(cert("server.pem"), cert("server.key")).wrap_socket(line, server_side=True) as line:
                server = Server(line, gssapi.SecurityContext(usage="accept"), credssp_peer.public_key(leaf("server")),
                                knobs or Knobs())
                delegated = server.run()
                line.sendall(b"you are somebody\n")
                child.stdin.write(b"ping\n")
                child.stdin.flush()
                while not said.endswith(b"\n"):
                    said += line.recv(100)
                line.sendall(b"po")
                line.sendall(b"ng\n")
                output, complaints = child.communicate(timeout=PATIENCE)
        except (Refused, OSError):
            output, complaints = child.communicate(timeout=PATIENCE)
        return child.returncode, output.decode(), complaints.decode(), delegated, said

    def test_each_mechanism_as_a_client(self):
        for words in (["--packages", "!kerberos"], ["--target", "TERMSRV/server.test", "--sync"]):
            with self.subTest(words=words):
                self.assertEqual(self.connect("password", *words, "--delegate"),
                                 (0, "you are somebody\npong\n", "", DELEGATED, b"ping\n"))
        self.assertEqual(self.connect("password", "--packages", "ntlm")[3], ("", "", ""))

    def test_a_wrong_password_as_a_client(self):
        status, output, complaints, delegated, _ = self.connect("wrong", "--packages", "ntlm", "--delegate")
        self.assertEqual((status, output, delegated), (1, "", None), complaints)
        self.assertIn("SEC_E_LOGON_DENIED", complaints)

    def test_a_server_that_means_another_key(self):
        for knobs in (Knobs(key=b"another"), Knobs(reflect=True), Knobs(4)):
            status, output, complaints, delegated, _ = self.connect("password", "--packages", "ntlm", "--delegate",
                                                                    knobs=knobs)
            self.assertEqual((status, output, delegated), (1, "", None), complaints)
            self.assertRegex(complaints, "SEC_E_|has closed the connection")

    def serve(self):
        return SspiServer(self.sspi, "auth", "serve", "--package", "credssp", "--port", 0, "--seconds", 120, "--deadline",
                          60000, "--cert", cert("server.pem"), "--key", cert("server.key"))

    def talk(self, server, context, knobs):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as line, \
                credssp_peer.client_tls().wrap_socket(line) as line:
            Client(line, context, credssp_peer.public_key(line.getpeercert(True)), knobs).run()
            line.sendall(b"pi")
            line.sendall(b"ng\nand more\n")
            said = b""
            while said.count(b"\n") < 3:
                part = line.recv(100)
                self.assertNotEqual(part, b"", server.text())
                said += part
        return said

    def test_each_mechanism_as_a_server(self):
        with self.serve() as server:
            for mech, outer, name in ((NTLM, None, "NTLM"), (KERBEROS, SPNEGO, "Kerberos")):
                said = self.talk(server, OurServer.context(mech, outer), Knobs(credentials=DELEGATED))
                self.assertRegex(said, rb"^you are \S*alice\S*, by %s\nping\nand more\n$" % name.encode())
            server.wait_for("by Kerberos[^\0]* says: and more\n")
            self.assertEqual(server.text().count(" delegated: user %s, domain %s, and the password\n" % (USER, DOMAIN)), 2)
            self.assertNotIn(PASSWORD, server.text())
            self.talk(server, OurServer.context(NTLM), Knobs())
            self.assertEqual(server.text().count(" delegated: nothing\n"), 1)

    def test_a_wrong_password_as_a_server(self):
        with self.serve() as server:
            for knobs in (Knobs(), Knobs(key=b"another")):
                with self.assertRaises((Refused, OSError)) as caught:
                    self.talk(server, OurServer.context(NTLM, password=PASSWORD if knobs.key else "wrong"), knobs)
                if not knobs.key:
                    self.assertEqual(getattr(caught.exception, "code", None), 0xC000006D)
            server.wait_for("authentication failed: SEC_E_LOGON_DENIED")
            server.wait_for("authentication failed: SEC_E_MESSAGE_ALTERED")
            self.assertNotIn("authenticated", server.text())


class Shared:
    realm = None


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if not shutil.which("krb5kdc"):
        missing("krb5kdc")
    Gate.program = [os.path.abspath(sys.argv[1])]
    names = sys.argv[2:]
    tests = [test for case in (OurClient, OurServer, OurTool)
             for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)]
    suite = unittest.TestSuite(test for test in tests if not names or any(name in test.id() for name in names))
    with Realm() as Shared.realm:
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
