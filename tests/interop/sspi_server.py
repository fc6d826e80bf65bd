# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""The `sspi` command as a server, for tests in Python: started on a free port, watched by what it prints, ended with the test."""

import ctypes
import os
import re
import signal
import subprocess
import tempfile
import time

PATIENCE = 60  # only bounds what hangs; sanitizers make everything slow


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class SspiServer:
    """`sspi` with these arguments, for the length of a with statement; has to end with status 0."""

    def __init__(self, *command, environment=None):
        self.command = [str(word) for word in command]
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, env=self.environment,
                                        preexec_fn=die_with_parent)
        self.port = int(self.wait_for(r"listening on \S*:(\d+)[/,]").group(1))
        self.url = f"https://localhost:{self.port}"
        return self

    def text(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"no {pattern!r} in:\n{self.text()}")

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        text = self.text()
        self.log.close()
        if kind is None and code != 0:
            raise AssertionError(f"the server ended with {code}:\n{text[-3000:]}")
