# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""What the tests of CredSSP against other programs share: names, certificates, and the program of
this library's (credssp_gate.c) with what it tells.
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

from sspi_server import PATIENCE, die_with_parent

REALM = "OPENSSPI.TEST"
USER, DOMAIN, PASSWORD = "alice", REALM, "secret of alice"


def missing(what):
    print("missing: %s" % what, file=sys.stderr)
    sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)


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
