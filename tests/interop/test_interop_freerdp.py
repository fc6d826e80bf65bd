#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""CredSSP against FreeRDP, version 2 or 3: xfreerdp logs in at this library's server, this library's client at FreeRDP's
shadow server, and both at once at a gateway that goes on with what xfreerdp has delegated; and somebody in between.

Usage: test_interop_freerdp.py GATE [TEST...]
Exit code 77 when xfreerdp, the shadow server, Xvfb or the KDC is missing, 1 where OSSPI_REQUIRE_PEERS is set.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
os.environ["PATH"] += ":/usr/sbin:/usr/bin:/sbin:/bin"

from credssp_world import (DOMAIN, PASSWORD, PATIENCE, REALM, USER, Gate, Program, cert, die_with_parent,  # noqa: E402
                           free_port, missing)
from test_interop_realm import Realm  # noqa: E402

try:
    from credssp_peer import Relay
except ImportError as error:
    missing(error)

# MD4 of the password as UTF-16, as the shadow server's file of users has it.
NT_HASH = "2a44aabd5067e72520407ba145047699"
OURS = ["rdp", "user=" + USER, "domain=" + DOMAIN, "password=" + PASSWORD, "delegate", "target=TERMSRV/localhost"]
LOGON_FAILURE, REFUSED = 134, 132  # exit statuses of xfreerdp
BEYOND = "CONNECTION_STATE_NLA --> CONNECTION_STATE_MCS"  # it has done with CredSSP
BETWEEN = ["SEC_E_MESSAGE_ALTERED", "SEC_E_BAD_BINDINGS"]


class FreeRdp:
    """The programs of one version, a display, and a home that is nobody's."""

    def __init__(self, folder):
        self.version = 3 if shutil.which("xfreerdp3") else 2
        ending = "3" if self.version == 3 else ""
        self.client, self.server = "xfreerdp" + ending, "freerdp-shadow-cli" + ending
        self.home = os.path.join(folder, "home")
        os.makedirs(self.home)
        self.sam = os.path.join(folder, "sam")
        with open(self.sam, "w", encoding="ascii") as file:
            file.write("%s:%s::%s:::\n" % (USER, DOMAIN, NT_HASH))
        read, write = os.pipe()
        # -noreset: else it begins anew behind its last client, and refuses the next one meanwhile.
        self.screen = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp",
                                        "-noreset"], pass_fds=[write], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        if not number:
            raise AssertionError("Xvfb has no display")
        self.environment = {**os.environ, "DISPLAY": ":" + number, "HOME": self.home, "XDG_CONFIG_HOME": self.home,
                            "WLOG_LEVEL": "DEBUG", "LANG": "C.UTF-8"}
        # Where there is a KDC, it and this library take Kerberos first.
        self.no_realm = {"KRB5_CONFIG": os.path.join(folder, "krb5.conf"), "KRB5CCNAME": "FILE:" + folder + "/none"}
        with open(self.no_realm["KRB5_CONFIG"], "w", encoding="ascii") as file:
            file.write("[libdefaults]\ndns_lookup_kdc = false\ndns_lookup_realm = false\n")

    def has_kerberos(self):
        told = subprocess.run([self.client, "/buildconfig"], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, check=False).stdout.decode()
        return "WITH_KRB5=ON" in told or "WITH_GSSAPI=ON" in told

    def connect(self, port, *words, password=PASSWORD, environment=None, host="127.0.0.1"):
        return Program(["stdbuf", "-oL", self.client, "/v:%s:%d" % (host, port), "/u:" + USER, "/d:" + DOMAIN, "/p:" + password,
                        "/cert:ignore", "/sec:nla", "+auth-only", *words], env={**self.environment, **(self.no_realm if environment is None else environment)})

    def serve(self, environment=None):
        """(program, port). The port is only likely to be free."""
        for _ in range(5):
            port = free_port()
            program = Program(["stdbuf", "-oL", self.server, "/port:%d" % port, "/bind-address:127.0.0.1", "/sec:nla", "+auth",
                               "/sam-file:" + self.sam], env={**self.environment, **(self.no_realm if environment is None else environment)})
            try:
                program.wait_for(r"Listening on")
                return program, port
            except AssertionError as error:
                program.stop()
                complaint = error
        raise complaint

    def stop(self):
        self.screen.terminate()  # so that it takes its lock and its socket with it
        try:
            self.screen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.screen.kill()
            self.screen.wait()


class Peer(unittest.TestCase):
    maxDiff = None

    def gate(self, *words, environment=None):
        gate = Gate(*words, **(FREERDP.no_realm if environment is None else environment))
        self.addCleanup(gate.stop)
        return gate

    def freerdp(self, *arguments, **more):
        program = FREERDP.connect(*arguments, **more)
        program.end = lambda: "\n".join([line[:200] for line in program.lines[-25:]] + [""])
        self.addCleanup(program.stop)
        return program

    def said(self, client, pattern):
        self.assertTrue(re.search(pattern, client.text()), client.end())

    def relay(self, port, name="other-server"):
        relay = Relay(port, cert(name + ".pem"), cert(name + ".key"))
        self.addCleanup(relay.stop)
        return relay

    def told(self, gate, **facts):
        found = {name: gate.facts.get(name) for name in facts}
        self.assertEqual(found, facts, gate.text())

    def logged_in(self, gate, **more):
        gate.end()
        self.told(gate, STATUS="SEC_E_OK", DELEGATED="SEC_E_OK", USER=USER, DOMAIN=DOMAIN, PASSWORD=PASSWORD, **more)
        self.assertIn(USER, gate.facts["NAME"])

    def refused(self, gate, *statuses):
        gate.end()
        self.assertIn(gate.facts.get("STATUS"), statuses, gate.text())
        self.assertNotIn("PASSWORD", gate.facts)
        self.assertNotEqual(gate.status, 0)


class OurServer(Peer):
    """xfreerdp's protocol ends where RDP begins: the server has nothing to show."""

    def test_a_user_logs_in_and_delegates(self):
        for words in (["certificate=server"], ["certificate=server-rsa", "async"], ["tls=1.2", "async"]):
            with self.subTest(words=words):
                gate = self.gate("serve", "rdp", "silent", *words)
                client = self.freerdp(gate.port)
                self.logged_in(gate, PROTOCOL="2", NAME="%s\\%s" % (DOMAIN, USER))
                client.join()
                self.said(client, BEYOND)

    def test_a_wrong_password(self):
        for more in ([], ["async"]):
            with self.subTest(more=more):
                gate = self.gate("serve", "rdp", "silent", *more)
                client = self.freerdp(gate.port, password="wrong")
                self.refused(gate, "SEC_E_LOGON_DENIED")
                self.assertEqual(client.join(), LOGON_FAILURE, client.end())
                self.said(client, "ERRCONNECT_LOGON_FAILURE")

    def test_what_the_server_thinks_of_the_user(self):
        if FREERDP.version == 2:
            self.skipTest("FreeRDP 2 asks for this protocol and then does not speak it")
        for early in (0, 5):
            with self.subTest(early=early):
                gate = self.gate("serve", "rdp", "silent", "protocols=11", "early=%d" % early)
                client = self.freerdp(gate.port, "/sec:ext")
                self.logged_in(gate, PROTOCOL="8")
                status = client.join()
                if early == 0:
                    self.said(client, BEYOND)
                else:
                    self.assertEqual(status, REFUSED, client.end())

    def test_somebody_in_between(self):
        gate = self.gate("serve", "rdp", "silent")
        relay = self.relay(gate.port)
        client = self.freerdp(relay.port)
        self.refused(gate, *BETWEEN)
        self.assertNotEqual(client.join(), 0)
        self.assertGreater(min(relay.carried), 0)
        self.assertNotRegex(client.text(), BEYOND)

    def test_somebody_in_between_who_has_the_servers_key(self):
        """It is the key that makes the difference: nobody can notice this one."""
        gate = self.gate("serve", "rdp", "silent")
        self.freerdp(self.relay(gate.port, "server").port)
        self.logged_in(gate)


class OurClient(Peer):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = FREERDP.serve()
        cls.addClassCleanup(cls.server.stop)

    def test_a_user_logs_in(self):
        for more in ([], ["async"], ["tls=1.2"]):
            with self.subTest(more=more):
                gate = self.gate("connect", str(self.port), *OURS, "silent", *more)
                gate.end()
                self.told(gate, PROTOCOL="2", STATUS="SEC_E_OK")
                self.assertEqual(gate.status, 0, gate.text())

    def test_a_wrong_password(self):
        wrong = [word if not word.startswith("password=") else "password=wrong" for word in OURS]
        # Version 2 does not say why; version 3 sends an errorCode.
        status = "SEC_E_ILLEGAL_MESSAGE" if FREERDP.version == 2 else "SEC_E_LOGON_DENIED"
        self.refused(self.gate("connect", str(self.port), *wrong, "silent"), status)

    def test_somebody_in_between(self):
        relay = self.relay(self.port)
        gate = self.gate("connect", str(relay.port), *OURS, "silent")
        # The server notices first, and closes.
        self.refused(gate, "SEC_E_ILLEGAL_MESSAGE", "SEC_E_INCOMPLETE_MESSAGE", "SEC_E_LOGON_DENIED",
                     "SEC_E_MESSAGE_ALTERED")
        self.assertGreater(min(relay.carried), 0)

    def test_both_ways_through_a_gateway(self):
        for more in ([], ["async"]):
            with self.subTest(more=more):
                gate = self.gate("serve", "rdp", "next=%d" % self.port, "target=TERMSRV/localhost", *more)
                client = self.freerdp(gate.port)
                # xfreerdp ends with 0 only if an RDP session could begin.
                self.assertEqual(client.join(), 0, client.end() + gate.text())
                self.logged_in(gate, NEXT="SEC_E_OK")
                self.assertGreater(min(map(int, gate.facts["CARRIED"].split())), 500)


class Kerberos(Peer):
    """Where FreeRDP is built with it: Debian 13's is, Debian 12's is not."""

    @classmethod
    def setUpClass(cls):
        if not FREERDP.has_kerberos():
            raise unittest.SkipTest("this FreeRDP is built without Kerberos")

    def test_a_user_logs_in_and_delegates(self):
        for more in ([], ["async"]):
            with self.subTest(more=more):
                gate = self.gate("serve", "rdp", "silent", *more, environment={})
                client = self.freerdp(gate.port, environment={}, host="localhost")
                self.logged_in(gate, NAME="%s@%s" % (USER, REALM))
                client.join()
                self.said(client, BEYOND)

    def test_both_ways_through_a_gateway(self):
        server, port = FREERDP.serve(environment={})
        self.addCleanup(server.stop)
        gate = self.gate("connect", str(port), *OURS, "packages=!ntlm", "silent", environment={})
        gate.end()
        self.told(gate, STATUS="SEC_E_OK", NAME="%s@%s" % (USER, REALM))
        for more in ([], ["async"]):
            with self.subTest(more=more):
                gate = self.gate("serve", "rdp", "next=%d" % port, "target=TERMSRV/localhost", *more, environment={})
                client = self.freerdp(gate.port, environment={}, host="localhost")
                self.assertEqual(client.join(), 0, client.end() + gate.text())
                self.logged_in(gate, NEXT="SEC_E_OK", NAME="%s@%s" % (USER, REALM))


def main():
    global FREERDP
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for names in (("xfreerdp3", "xfreerdp"), ("freerdp-shadow-cli3", "freerdp-shadow-cli"), ("Xvfb",), ("krb5kdc",)):
        if not any(map(shutil.which, names)):
            missing(names[-1])
    Gate.program = [os.path.abspath(sys.argv[1])]
    names = sys.argv[2:]
    tests = [test for case in (OurServer, OurClient, Kerberos)
             for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)]
    suite = unittest.TestSuite(test for test in tests if not names or any(name in test.id() for name in names))
    folder = tempfile.mkdtemp(prefix="opensspi-freerdp-")
    try:
        with Realm():
            FREERDP = FreeRdp(folder)
            try:
                result = unittest.TextTestRunner(verbosity=2).run(suite)
            finally:
                FREERDP.stop()
    finally:
        shutil.rmtree(folder)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
