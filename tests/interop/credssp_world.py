# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""What the tests of CredSSP against other programs share: the realm with its KDC, certificates, and the program of
this library's (credssp_gate.c) with what it tells.
"""

import ctypes
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

REALM = "OPENSSPI.TEST"
USER, DOMAIN, PASSWORD = "alice", REALM, "secret of alice"
PATIENCE = 60  # only bounds what hangs


def missing(what):
    print("missing: %s" % what, file=sys.stderr)
    sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def cert(name):
    return os.path.join(os.environ["OSSPI_TEST_CERTS"], name)


def leaf(name):
    """The first certificate of a file, as DER."""
    with open(cert(name + ".pem"), encoding="ascii") as file:
        first = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", file.read(), re.S)
    return ssl.PEM_cert_to_DER_cert(first.group(0))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Realm:
    """A KDC on a copy of the test realm, the users of NTLM, and the environment that leads to them; kinit for alice."""

    def __init__(self, source):
        self.folder = tempfile.mkdtemp(prefix="opensspi-credssp-")
        for name in os.listdir(source):
            shutil.copy(os.path.join(source, name), self.folder)
        self.port = free_port()
        self.write("krb5.conf", "[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\n"
                   "dns_canonicalize_hostname = false\nrdns = false\n[realms]\n%s = {\n"
                   "kdc = 127.0.0.1:%d\n}\n[domain_realm]\nserver.test = %s\nlocalhost = %s\n"
                   % (REALM, REALM, self.port, REALM, REALM))
        self.write("kdc.conf", "[realms]\n%s = {\ndatabase_name = %s/principal\nkey_stash_file = %s/stash\n"
                   "kdc_listen = 127.0.0.1:%d\nkdc_tcp_listen = 127.0.0.1:%d\n}\n"
                   "[logging]\nkdc = FILE:%s/kdc.log\n"
                   % (REALM, self.folder, self.folder, self.port, self.port, self.folder))
        self.write("users", "%s:%s:%s\n" % (DOMAIN, USER, PASSWORD))
        os.environ.update(
            KRB5_CONFIG=self.path("krb5.conf"), KRB5_KDC_PROFILE=self.path("kdc.conf"),
            KRB5_KTNAME=self.path("server.keytab"), KRB5CCNAME="FILE:" + self.path("ccache"),
            KRB5RCACHENAME="file2:" + self.path("rcache"), NTLM_USER_FILE=self.path("users"))
        self.kdc = subprocess.Popen(["krb5kdc", "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    preexec_fn=die_with_parent)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if self.kdc.poll() is not None:
                    raise
                time.sleep(0.02)
        subprocess.run(["kinit", USER], input=PASSWORD.encode(), check=True, stdout=subprocess.DEVNULL,
                       timeout=PATIENCE)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def stop(self):
        self.kdc.kill()
        self.kdc.wait()
        shutil.rmtree(self.folder)


class Program:
    """A child whose output, both streams in one, is read by a thread."""

    def __init__(self, command, **more):
        self.lines, self.news = [], threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent, **more)
        self.ended = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def text(self):
        return "\n".join(self.lines)

    def wait_for(self, pattern):
        """The match of the first line that has it."""
        end = time.monotonic() + PATIENCE
        at = 0
        with self.news:
            while True:
                for line in self.lines[at:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                at = len(self.lines)
                if self.ended or not self.news.wait(end - time.monotonic()):
                    raise AssertionError("it never said %r, but:\n%s" % (pattern, self.text()))

    def join(self):
        """Its exit status, once it has ended by itself."""
        status = self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        return status

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join(PATIENCE)
        self.process.stdout.close()


class Gate(Program):
    """credssp_gate with these words; what it has told is in facts once it has ended."""

    program = None

    def __init__(self, *words, **environment):
        super().__init__([*self.program, *words], env={**os.environ, **environment})
        self.words = words

    @property
    def port(self):
        return int(self.wait_for(r"^LISTEN (\d+)$").group(1))

    def end(self):
        self.status = self.join()
        self.facts = dict(line.split(" ", 1) for line in self.lines if re.match("[A-Z]+ ", line))
        return self.facts
