# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""This library's side of a conversation, for tests in Python: a program of ours (peer_program.c) that
does what it is told, and how tokens are carried to and fro."""

import os
import signal
import subprocess

MUTUAL, REPLAY, SEQUENCE, CONFIDENTIALITY = 0x2, 0x4, 0x8, 0x10
USUAL = MUTUAL | REPLAY | SEQUENCE | CONFIDENTIALITY


def die_with_parent():
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Ours:
    """The side of this library."""

    def __init__(self, program, *words, **environment):
        self.process = subprocess.Popen([program, *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment},
                                        preexec_fn=die_with_parent)
        self.done, self.attributes = False, 0
        self.require(self.read(), "SEC_E_OK")

    @staticmethod
    def require(answer, *statuses):
        if answer[0] not in statuses:
            raise AssertionError("%s, not %s" % (answer[0], statuses))
        return answer

    def read(self):
        words = self.process.stdout.readline().split()
        if len(words) != 3:
            raise AssertionError("the program has ended: %s" % self.process.wait(60))
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
