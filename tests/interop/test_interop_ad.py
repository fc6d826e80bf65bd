#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Kerberos, NTLM and Negotiate in an Active Directory domain: Samba's domain controller is the KDC, the
LDAP server that our clients bind to, and who knows the users of our servers.

Usage: test_interop_ad.py PEER_PROGRAM [TEST...]

OSSPI_TEST_AD is what script/make-test-ad has made. Debian's own python has python3-gssapi. Exit code 77
when something is missing, 1 where OSSPI_REQUIRE_PEERS is set; also 77 without the right to a network of
the test's own.
"""

import base64
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gssapi"))

import test_interop_ad_domain as ad
import test_interop_ad_ldap as ldap
from peer_side import CONFIDENTIALITY, MUTUAL, REPLAY, SEQUENCE, USUAL, Ours, talk

try:
    import gssapi
    import gssapi.raw
except ImportError:
    ad.missing("python3-gssapi")

DELEGATE, INTEGRITY = 0x1, 0x10000
SEALED = REPLAY | SEQUENCE | CONFIDENTIALITY
WEB = "HTTP/web." + ad.SUFFIX
LDAP = "ldap/dc." + ad.SUFFIX
BASE = ",".join("DC=" + part for part in ad.SUFFIX.split("."))
PROGRAM = ""
DOMAIN = None  # runs while there are tests


def setUpModule():
    global DOMAIN
    DOMAIN = ad.Domain(os.environ["OSSPI_TEST_AD"])
    unittest.addModuleCleanup(DOMAIN.stop)


def user(name, domain=None, account=None, secret=None):
    """The environment that makes somebody the client; account: whose password it is."""
    account = account or name.split("@")[0].lower()
    found = {"PEER_USER": name, "PEER_PASSWORD": secret or ad.password(account)}
    if domain:
        found["PEER_DOMAIN"] = domain
    return found


def sid_text(sid):
    """MS-DTYP 2.4.2: its form in the directory as text."""
    count = sid[1]
    return "-".join(["S", str(sid[0]), str(int.from_bytes(sid[2:8], "big")),
                     *map(str, struct.unpack("<%dI" % count, sid[8:8 + 4 * count]))])


AUTHENTICATED_BY_AUTHORITY = "S-1-18-1"
ALICE = user("alice", ad.SUFFIX)
ALICE_SHORT = user("alice", ad.SHORT)


class Case(unittest.TestCase):
    def ours(self, *words, **environment):
        side = Ours(PROGRAM, *words, **environment)
        self.addCleanup(side.end)
        return side

    def client(self, who, package="Kerberos", target=WEB, flags=USUAL):
        return self.ours("initiate", package, target, "%x" % flags, **who)

    def refused(self, status, who, package="Kerberos", target=WEB):
        self.assertEqual(self.client(who, package, target).order("leg", b"")[0], status)

    def exchange(self, one, other):
        for text in (b"x", bytes(range(256)) * 64):
            for seal, open_ in ((one, other), (other, one)):
                sealed = seal.do("encrypt", text)
                self.assertNotIn(text[:64], sealed[60:] if len(text) > 1 else b"")
                self.assertEqual(open_.do("decrypt", sealed), text)
                open_.do("verify", text, seal.do("sign", text))


class Kerberos(Case):
    """Who gets in, by which name, and who does not."""

    def logged_in(self, who, package="Kerberos", target=WEB):
        """The client's name as our server sees it."""
        client = self.client(who, package, target)
        server = self.ours("accept", package)
        talk(client.leg, server.leg)
        self.assertTrue(client.done and server.done)
        self.exchange(client, server)
        for side in (client, server):
            self.assertEqual(side.do("key"), b"aes256-cts-hmac-sha1-96")
            self.assertEqual(side.do("package"), b"Kerberos")
        return server.do("name").decode()

    def test_names_of_a_user(self):
        for who in (user("alice"), user("alice", ad.REALM), ALICE, user("alice@" + ad.REALM),
                    user("alice@" + ad.SUFFIX), ALICE_SHORT, user("alice", ad.SHORT.lower())):
            for package in ("Kerberos", "Negotiate"):
                with self.subTest(package=package, **who):
                    self.assertEqual(self.logged_in(who, package), "alice@" + ad.REALM)

    def test_the_controller_says_who_it_is(self):
        """It knows more names of a user than one, and its answer has the one of the account."""
        for who, name in ((user("ALICE"), "alice"),
                          (user("bob.smith@" + ad.SUFFIX, account="bsmith"), "bsmith"),
                          (user("carol@opensspi.example"), "carol")):
            with self.subTest(**who):
                self.assertEqual(self.logged_in(who), "%s@%s" % (name, ad.REALM))

    def test_names_of_a_target(self):
        for target in ("HTTP/server.test", WEB.upper().replace("HTTP", "http"),
                       "HTTP@web." + ad.SUFFIX, WEB + ":8080@" + ad.REALM, WEB + "@" + ad.REALM):
            with self.subTest(target=target):
                if ":" in target:
                    self.refused("SEC_E_TARGET_UNKNOWN", ALICE, target=target)
                else:
                    self.assertEqual(self.logged_in(ALICE, target=target), "alice@" + ad.REALM)

    def test_who_is_refused(self):
        for who in (user("alice", secret="not hers"), user("nobody"), user("disabled"),
                    user("lapsed"), user("mustchange"), user("alice", ad.SHORT, secret="not hers"),
                    user("carol@opensspi.example", secret="not hers")):
            for package in ("Kerberos", "Negotiate"):
                with self.subTest(package=package, **who):
                    self.refused("SEC_E_LOGON_DENIED", who, package)

    def test_what_is_not_known(self):
        self.refused("SEC_E_TARGET_UNKNOWN", ALICE, target="HTTP/nowhere." + ad.SUFFIX)
        self.refused("SEC_E_NO_AUTHENTICATING_AUTHORITY", user("alice", "ELSEWHERE"))
        self.refused("SEC_E_NO_AUTHENTICATING_AUTHORITY", user("alice@elsewhere.example"))

    def test_another_services_key(self):
        client = self.client(ALICE, target="HTTP/delegate." + ad.SUFFIX)
        server = self.ours("accept", "Kerberos")
        self.assertEqual(server.order("leg", client.leg(b""))[0], "SEC_E_WRONG_PRINCIPAL")


class Mit(Case):
    """MIT's GSSAPI as a member of the domain."""

    def test_our_client_brings_its_pac(self):
        theirs = gssapi.SecurityContext(usage="accept")
        ours = self.client(ALICE)
        talk(ours.leg, lambda token: theirs.step(token) or b"")
        self.assertEqual(str(theirs.initiator_name), "alice@" + ad.REALM)
        found = theirs.initiator_name.attributes[b"urn:mspac:logon-info"]
        self.assertTrue(found.authenticated)
        facts = b"".join(found.values)
        for name in ("alice", ad.SHORT, "DC"):
            self.assertIn(name.encode("utf-16-le"), facts)

    def test_their_client(self):
        subprocess.run(["kinit", "alice"], input=ad.password("alice").encode(), check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        for package in ("Kerberos", "Negotiate"):
            with self.subTest(package=package):
                theirs = gssapi.SecurityContext(
                    name=gssapi.Name("HTTP@web." + ad.SUFFIX, gssapi.NameType.hostbased_service),
                    mech=gssapi.OID.from_int_seq("1.2.840.113554.1.2.2" if package == "Kerberos"
                                                 else "1.3.6.1.5.5.2"), usage="initiate")
                ours = self.ours("accept", package)
                talk(lambda token: theirs.step(token or None) or b"", ours.leg)
                self.assertTrue(ours.done and theirs.complete)
                self.assertEqual(ours.do("name"), b"alice@" + ad.REALM.encode())
                self.assertEqual(theirs.unwrap(ours.do("encrypt", b"text")).message, b"text")
                self.assertEqual(ours.do("decrypt", theirs.wrap(b"text", True).message), b"text")

    def test_what_is_delegated(self):
        theirs = gssapi.SecurityContext(
            usage="accept", creds=gssapi.Credentials(gssapi.raw.acquire_cred_from(
                {b"keytab": DOMAIN.path("delegate.keytab").encode()}, usage="accept").creds))
        ours = self.client(ALICE, target="HTTP/delegate." + ad.SUFFIX, flags=USUAL | DELEGATE)
        talk(ours.leg, lambda token: theirs.step(token) or b"")
        self.assertTrue(ours.attributes & DELEGATE)
        self.assertEqual(str(theirs.delegated_creds.name), "alice@" + ad.REALM)


class Passwords(Case):
    """ChangeAccountPassword, against the domain controller's service for it."""

    def change(self, who, new, status, package="Kerberos"):
        side = subprocess.run([PROGRAM, "change", package], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=120, check=True,
                              env={**os.environ, **who, "PEER_NEW_PASSWORD": new})
        self.assertEqual(side.stdout.split()[0].decode(), status)

    def test_a_change(self):
        second, third = "Passw0rd of tomorrow", "Passw0rd of the day after"
        self.change(user("changer", "ELSEWHERE"), second, "SEC_E_NO_AUTHENTICATING_AUTHORITY")
        self.change(user("changer", ad.SUFFIX, secret="not his"), second, "SEC_E_LOGON_DENIED")
        self.change(user("changer", ad.SUFFIX), second, "SEC_E_OK")
        self.refused("SEC_E_LOGON_DENIED", user("changer"))
        self.client(user("changer", secret=second)).leg(b"")
        self.change(user("changer", ad.SHORT, secret=second), third, "SEC_E_OK",
                    package="Negotiate")
        self.client(user("changer", secret=third)).leg(b"")

    def test_one_that_has_to_be_changed(self):
        self.refused("SEC_E_LOGON_DENIED", user("mustchange"))
        self.change(user("mustchange"), "Passw0rd of today", "SEC_E_OK")
        self.client(user("mustchange", secret="Passw0rd of today")).leg(b"")

    def test_one_that_is_refused(self):
        for new in ("short", ad.password("alice")):  # the second she had before
            self.change(ALICE, new, "STATUS_PASSWORD_RESTRICTION")
        self.client(ALICE).leg(b"")


class Ldap(Case):
    """Our client binds to the domain controller's directory, and searches under what was agreed."""

    def connect(self):
        connection = ldap.Connection()
        self.addCleanup(connection.close)
        return connection

    def spnego(self, package, who, target=LDAP, flags=SEALED):
        """A bind whose flags are what protects the messages."""
        ours = self.client(who, package, target, flags)
        connection, done, token = self.connect(), False, ours.leg(b"")
        while not done:
            done, answer = connection.bind("GSS-SPNEGO", token)
            token = ours.leg(answer) if answer or not ours.done else b""
        self.assertTrue(ours.done)
        self.assertFalse(token)
        return ours, connection

    def know_me(self, connection, name):
        """The controller tells whose groups are ours, and the directory whose number that is."""
        connection.sent.clear()
        connection.received.clear()
        root = connection.search("", 0, "objectClass", None, "tokenGroups")[0]
        found = connection.search(BASE, 2, "sAMAccountName", name, "objectSid", "cn")
        person = [one for one in found if one][0]
        self.assertEqual(person["cn"], [name.encode()])
        self.assertEqual(root["tokenGroups"][0], person["objectSid"][0])

    def sealed(self, connection):
        wire = b"".join(connection.sent + connection.received)
        self.assertGreater(len(connection.sent), 1)
        self.assertNotIn(b"sAMAccountName", wire)
        self.assertNotIn(b"alice", wire)

    def test_kerberos(self):
        for package in ("Negotiate", "Kerberos"):
            for flags in (SEALED | MUTUAL, SEALED):
                with self.subTest(package=package, flags=flags):
                    ours, connection = self.spnego(package, ALICE, flags=flags)
                    self.assertEqual(ours.do("package"), b"Kerberos")
                    self.know_me(connection.protected(ours), "alice")
                    self.sealed(connection)

    def test_authorization(self):
        """The groups that our server finds in the ticket are those that the directory knows."""
        for who, account in ((ALICE, "alice"),
                             (user("bob.smith@" + ad.SUFFIX, account="bsmith"), "bsmith")):
            with self.subTest(**who):
                ours, connection = self.spnego("Kerberos", who)
                root = connection.protected(ours).search("", 0, "objectClass", None,
                                                         "tokenGroups")[0]
                known = [sid_text(one) for one in root["tokenGroups"]]
                client, server = self.client(who), self.ours("accept", "Kerberos")
                talk(client.leg, server.leg)
                told = server.do("authorization").decode().split("\n")
                self.assertEqual(told[:3], [account, ad.SHORT, known[0]])
                self.assertTrue(told[3:])
                self.assertLessEqual(set(told[3:]), set(known[1:]) | {AUTHENTICATED_BY_AUTHORITY})
                self.assertIn(known[0].rpartition("-")[0] + "-513", told[3:])  # Domain Users

    def test_kerberos_by_other_names(self):
        for who, name in ((ALICE_SHORT, "alice"), (user("carol@opensspi.example"), "carol"),
                          (user("bob.smith@" + ad.SUFFIX, account="bsmith"), "bsmith")):
            with self.subTest(**who):
                ours, connection = self.spnego("Negotiate", who, flags=SEALED | MUTUAL)
                self.assertEqual(ours.do("package"), b"Kerberos")
                self.know_me(connection.protected(ours), name)

    def test_ntlm(self):
        for package, target in (("NTLM", LDAP), ("Negotiate", "")):
            for who in (ALICE_SHORT, user("alice", ad.SUFFIX), user("alice@" + ad.SUFFIX)):
                with self.subTest(package=package, **who):
                    ours, connection = self.spnego(package, who, target)
                    self.assertEqual(ours.do("package"), b"NTLM")
                    self.know_me(connection.protected(ours), "alice")
                    self.sealed(connection)

    def test_much(self):
        """More than fits into one read."""
        for package, target in (("Kerberos", LDAP), ("NTLM", LDAP)):
            with self.subTest(package=package):
                ours, connection = self.spnego(package, ALICE_SHORT, target)
                connection.protected(ours)
                for _ in range(3):
                    found = connection.search("CN=Users," + BASE, 2, "objectClass", None, "*")
                    names = [one["cn"][0] for one in found if "cn" in one]
                    self.assertIn(b"alice", names)
                    self.assertGreater(len(names), 20)

    def test_gssapi(self):
        """RFC 4752: the layer is agreed upon in messages that are signed and not sealed."""
        for layer in (4, 2):
            with self.subTest(layer=layer):
                ours = self.client(ALICE, "Kerberos", LDAP, SEALED | MUTUAL)
                connection, answer = self.connect(), b""
                while not ours.done:
                    done, answer = connection.bind("GSSAPI", ours.leg(answer))
                    self.assertFalse(done)
                offered = struct.unpack(">I", ours.do("decrypt", answer))[0]
                self.assertTrue(offered >> 24 & layer)
                done, _ = connection.bind(
                    "GSSAPI", ours.do("wrap", struct.pack(">I", layer << 24 | 65536)))
                self.assertTrue(done)
                connection.protected(ours, "encrypt" if layer == 4 else "wrap")
                self.know_me(connection, "alice")

    def test_what_was_changed_ends_it(self):
        ours, connection = self.spnego("Kerberos", ALICE)
        connection.protect(lambda message: self.spoil(ours.do("encrypt", message)),
                           lambda token: ours.do("decrypt", token))
        with self.assertRaises(ldap.Closed):
            self.know_me(connection, "alice")

    @staticmethod
    def spoil(token):
        return token[:-1] + bytes([token[-1] ^ 1])

    def test_who_is_refused(self):
        for who in (user("alice", ad.SHORT, secret="not hers"), user("nobody", ad.SHORT),
                    user("disabled", ad.SHORT), user("mustchange", ad.SHORT)):
            with self.subTest(**who):
                with self.assertRaises(ldap.Refused) as refusal:
                    self.spnego("NTLM", who)
                self.assertEqual(refusal.exception.code, ldap.INVALID_CREDENTIALS)


class NtlmServer(Case):
    """Our server has no passwords: winbind asks the domain controller."""

    def accepted(self, who, package="NTLM", target=""):
        client = self.client(who, package, target, SEALED)
        server = self.ours("accept", package, KRB5_KTNAME=DOMAIN.path("no.keytab"))
        talk(client.leg, server.leg)
        self.assertTrue(client.done and server.done)
        self.exchange_ntlm(client, server)
        self.assertEqual(server.do("package"), b"NTLM")
        return server.do("name").decode()

    def exchange_ntlm(self, one, other):
        for seal, open_ in ((one, other), (other, one)):
            self.assertEqual(open_.do("decrypt", seal.do("encrypt", b"text")), b"text")

    def test_who_gets_in(self):
        for who in (ALICE_SHORT, user("alice", ad.SHORT.lower()), user("ALICE", ad.SHORT)):
            for package in ("NTLM", "Negotiate"):
                with self.subTest(package=package, **who):
                    name = self.accepted(who, package)
                    self.assertEqual(name.lower(), (ad.SHORT + "\\alice").lower())

    def test_who_offers_both(self):
        """A service that has a name in the domain, but no key of it."""
        for who in (ALICE, ALICE_SHORT, user("alice@" + ad.SUFFIX)):
            with self.subTest(**who):
                name = self.accepted(who, "Negotiate", WEB)
                self.assertEqual(name.rpartition("\\")[2].lower(), "alice")

    def test_who_is_refused(self):
        for who in (user("alice", ad.SHORT, secret="not hers"), user("nobody", ad.SHORT),
                    user("disabled", ad.SHORT), user("lapsed", ad.SHORT),
                    user("mustchange", ad.SHORT)):
            with self.subTest(**who):
                client = self.client(who, "NTLM", WEB, SEALED)
                server = self.ours("accept", "NTLM")
                last = client.leg(server.leg(client.leg(b"")))
                self.assertEqual(server.order("leg", last)[0], "SEC_E_LOGON_DENIED")

    def test_sambas_client(self):
        """ntlm_auth, which has an NTLM of its own."""
        theirs = subprocess.Popen(
            ["ntlm_auth", "--configfile=" + DOMAIN.path("smb.conf"), "--username=alice",
             "--domain=" + ad.SHORT, "--password=" + ad.password("alice"),
             "--helper-protocol=ntlmssp-client-1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(theirs.wait, 60)
        self.addCleanup(theirs.stdout.close)
        self.addCleanup(theirs.stdin.close)

        def ask(line):
            theirs.stdin.write(line + "\n")
            theirs.stdin.flush()
            kind, _, token = theirs.stdout.readline().strip().partition(" ")
            return kind, base64.b64decode(token)

        kind, token = ask("YR")
        self.assertEqual(kind, "YR")
        server = self.ours("accept", "NTLM")
        kind, token = ask("TT " + base64.b64encode(server.leg(token)).decode())
        self.assertIn(kind, ("KK", "AF"))
        server.leg(token)
        self.assertTrue(server.done)
        self.assertEqual(server.do("name").lower(), (ad.SHORT + "\\alice").lower().encode())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        print("needs root, as Samba does", file=sys.stderr)
        sys.exit(77)
    if not os.path.exists(os.path.join(os.environ.get("OSSPI_TEST_AD", ""), ".edition")):
        ad.missing("the test domain")
    for program in ("samba", "winbindd", "wbinfo", "ntlm_auth", "kinit", "unshare"):
        if not shutil.which(program):
            ad.missing(program)
    ad.enter()
    PROGRAM = sys.argv.pop(1)
    unittest.main()
