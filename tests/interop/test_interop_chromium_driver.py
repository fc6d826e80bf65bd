# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Headless Chromium, driven through its DevTools protocol over a pipe; for test_interop_chromium.py.

A browser has a home of its own: a fresh profile and an NSS database that trusts the certificates it
is given. It never outlives its with statement.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 90  # only bounds what hangs; other tests run beside this one

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
    "--no-default-browser-check", "--no-proxy-server", "--mute-audio", "--hide-scrollbars",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--remote-debugging-pipe",
]


def program():
    return next(filter(None, map(shutil.which, ["chromium", "chromium-browser"])), None)


def missing():
    """What the tests need and this machine has not."""
    tools = [(name, shutil.which(name)) for name in ["certutil", "pk12util", "openssl"]]
    return [name for name, there in [("chromium", program()), *tools] if not there]


class Browser:
    """One browser; pages are made with page(). With client=(certificate, key) it has that one to show,
    and does so wherever it is asked, without a question to its user. flags are more of its own."""

    def __init__(self, *roots, client=None, flags=()):
        self.roots, self.client, self.flags = roots, client, flags

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="sspi-chromium-")
        self.log = open(os.path.join(self.home, "log"), "w+b")
        self.number, self.waiting, self.pages = 0, b"", {}
        try:
            self.trust()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def trust(self):
        """Chromium on Linux takes private roots from the user's NSS database, in either place."""
        for place in [".pki/nssdb", ".local/share/pki/nssdb"]:
            folder = Path(self.home, place)
            folder.mkdir(parents=True)
            certutil = ["certutil", "-d", f"sql:{folder}"]
            subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=PATIENCE)
            for number, root in enumerate(self.roots):
                subprocess.run([*certutil, "-A", "-t", "C,,", "-n", f"root {number}", "-i", root],
                               check=True, timeout=PATIENCE)
            if self.client:
                self.give_certificate(folder)

    def give_certificate(self, folder):
        bundle = os.path.join(self.home, "client.p12")
        subprocess.run(["openssl", "pkcs12", "-export", "-in", self.client[0], "-inkey", self.client[1],
                        "-name", "client", "-passout", "pass:secret", "-out", bundle],
                       check=True, timeout=PATIENCE)
        subprocess.run(["pk12util", "-d", f"sql:{folder}", "-i", bundle, "-W", "secret", "-K", ""],
                       check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
        # What the policy AutoSelectCertificateForUrls sets, as the profile keeps it: any certificate
        # for localhost. A policy itself would be a file for all browsers of the machine.
        exceptions = {"auto_select_certificate":
                      {"https://localhost,*": {"setting": {"filters": [{}]}}}}
        profile = Path(self.home, "profile", "Default")
        profile.mkdir(parents=True, exist_ok=True)
        (profile / "Preferences").write_text(json.dumps(
            {"profile": {"content_settings": {"exceptions": exceptions}}}))

    def start(self):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.reading, self.writing = ours_in, ours_out
        environment = {key: value for key, value in os.environ.items()
                       if not key.lower().endswith("_proxy") and not key.startswith("XDG_")}
        environment.update(HOME=self.home, LC_ALL="C.UTF-8")
        # The protocol's descriptors are 3 and 4, whatever ours are.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh", program(), *FLAGS, *self.flags,
             f"--user-data-dir={self.home}/profile", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment,
            cwd=self.home, pass_fds=[theirs_in, theirs_out], start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.ask("Browser.getVersion")

    def __exit__(self, kind, value, trace):
        process = getattr(self, "process", None)
        if process:
            # The whole session that was started above: the browser and its helpers.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(PATIENCE)
            os.close(self.reading)
            os.close(self.writing)
        if kind is not None:
            self.log.seek(0)
            print(self.log.read()[-3000:].decode("utf-8", "replace"))
        self.log.close()
        for _ in range(50):  # helpers may still write while they die
            shutil.rmtree(self.home, ignore_errors=True)
            if not os.path.exists(self.home):
                break
            time.sleep(0.1)

    def ask(self, method, session=None, **parameters):
        """Sends a command and returns its result; events that come meanwhile go to their pages."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writing, data):]
        number, end = self.number, time.monotonic() + PATIENCE
        while True:
            answer = self.read(end)
            if answer is None:
                raise AssertionError(f"the browser does not answer {method}")
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self, end):
        """The next message, after it was given to its page; None when the time is over."""
        while b"\0" not in self.waiting:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.reading], [], [], left)[0]:
                return None
            part = os.read(self.reading, 1 << 20)
            if not part:
                raise AssertionError("the browser has ended")
            self.waiting += part
        message, self.waiting = self.waiting.split(b"\0", 1)
        message = json.loads(message)
        page = self.pages.get(message.get("sessionId"))
        if page and "method" in message:
            page.on_event(message["method"], message["params"])
        return message

    def page(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ["Page", "Network", "Runtime", "Log"]:
            page.ask(f"{domain}.enable")
        return page


class Page:
    """One tab, and what it has done: requests, responses, failures, complaints."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.requests, self.responses, self.failures, self.complaints = [], {}, [], []
        self.loaded = False

    def on_event(self, method, data):
        if method == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])
        elif method == "Network.responseReceived":
            self.responses[data["response"]["url"]] = data["response"]
        elif method == "Network.loadingFailed":
            self.failures.append(data["errorText"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(data["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and data["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(data["args"])[:500])
        elif method == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            self.complaints.append(data["entry"]["text"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    def open(self, url):
        """Loads a page; the error's text, or None once everything on it is loaded."""
        self.loaded = False
        error = self.ask("Page.navigate", url=url).get("errorText")
        end = time.monotonic() + PATIENCE
        while not error and not self.loaded:
            if self.browser.read(end) is None:
                raise AssertionError(f"{url} does not finish loading")
        return error

    def run(self, expression):
        """The value of a JavaScript expression, promises included."""
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True,
                          returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait_for(self, expression, what=None):
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + PATIENCE
        while True:
            value = self.run(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"never: {what or expression}")
            time.sleep(0.1)

    def close(self):
        self.browser.ask("Target.closeTarget", targetId=self.target)
        del self.browser.pages[self.session]
