#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Headless Chromium against `sspi serve`: a page with many parts, and the status page.

Usage: test_interop_chromium.py SSPI [TEST...]

Needs chromium, certutil, pk12util and openssl; without them exits with 77, or fails if OSSPI_REQUIRE_PEERS is set. The
test certificates are in OSSPI_TEST_CERTS.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

from sspi_server import SspiServer
from test_interop_chromium_driver import PATIENCE, Browser, missing

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
HISTOGRAM = {"count": int, "bucket": [int]}
CALL = {"queue_wait": HISTOGRAM, "run_time": HISTOGRAM}
# The status page's JSON: every member there is, and its type.
SCHEMA = {
    "version": int, "time_ms": int, "started_ms": int, "uptime_ms": int,
    "server": dict.fromkeys(["port", "open", "max_connections", "connections", "handshakes",
                             "failures", "requests", "files"], int) | {"version": str},
    "loop": {"tick_ms": int, "delay": HISTOGRAM},
    "library": dict.fromkeys([
        "calls_queued", "calls_completed", "calls_refused", "calls_cancelled", "calls_timed_out",
        "callbacks_run", "callbacks_waited", "spare_workers_released", "calls_abandoned_running",
        "callbacks_pending", "workers", "blocking_threads", "queue_depth", "live_credentials",
        "live_contexts", "live_async_contexts", "live_completion_queues"], int) | {
            "calls": dict.fromkeys(["acquire_credentials", "initialize_context", "accept_context",
                                    "delete_context", "free_credentials"], CALL)},
    "samples": dict.fromkeys(["interval_ms", "keep", "first", "next"], int) | dict.fromkeys([
        "span_ms", "handshakes", "failures", "connections", "requests", "open", "calls", "refused",
        "cancelled", "timed_out", "queue_most", "callbacks_most", "abandoned", "delay_us", "busy",
        "wait_p50_us", "wait_p99_us", "run_p50_us", "run_p99_us"], [int]),
}


def cert(name):
    return str(CERTS / name)


class Server(SspiServer):
    """`sspi serve` with a certificate."""

    def __init__(self, folder, *args, name="server"):
        super().__init__(SSPI, "serve", folder, "--port", "0", "--seconds", "300",
                         "--idle-timeout", "60000", "--handshake-timeout", "60000", "--verbose",
                         "--cert", cert(f"{name}.pem"), "--key", cert(f"{name}.key"), *args)


def png(width, height, noise):
    """A picture that a browser really decodes, of a size that is no accident."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + noise.randbytes(3 * width) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_site(site):
    """A page with 32 parts; what each must be is in parts."""
    noise, parts, tags = random.Random(7), {}, []
    for i in range(8):
        parts[f"style-{i}.css"] = (f".s{i} {{ width: {100 + i}px }}\n".encode() +
                                   b"/* " + b"c" * 300 * i + b" */\n")
        tags.append(f'<link rel="stylesheet" href="style-{i}.css"><p class="s{i}">{i}</p>')
    for i in range(8):
        parts[f"script-{i}.js"] = (f"window.ran = (window.ran || 0) + {1 << i};\n".encode() +
                                   b"// " + b"j" * 2000 * i + b"\n")
        tags.append(f'<script src="script-{i}.js"></script>')
    for i in range(16):
        parts[f"picture-{i}.png"] = png(10 + 12 * i, 20 + 3 * i, noise)
        tags.append(f'<img src="picture-{i}.png" alt="">')
    for name, data in parts.items():
        (site / name).write_bytes(data)
    (site / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>parts</title>'
        '<link rel="icon" href="data:,">' + "\n".join(tags))
    return parts


class Chromium(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.parts = make_site(cls.folder)
        cls.browser = cls.enterClassContext(Browser(cert("ca.pem")))

    def page(self):
        page = self.browser.page()
        self.addCleanup(page.close)
        return page


FACTS = """(async () => {
    const hex = bytes => [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, "0")).join("");
    const parts = performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:"))
        .map(e => ({name: new URL(e.name).pathname.slice(1), protocol: e.nextHopProtocol,
                    size: e.encodedBodySize, status: e.responseStatus}));
    for (const part of parts)
        part.hash = hex(await crypto.subtle.digest("SHA-256", await (await fetch(part.name)).arrayBuffer()));
    return {parts, ran: window.ran, protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol,
            widths: [...document.querySelectorAll("p")].map(p => p.getBoundingClientRect().width),
            pictures: [...document.images].map(i => [i.naturalWidth, i.naturalHeight])};
})()"""


class Parts(Chromium):
    def look(self, server, protocol, version):
        page = self.page()
        self.assertIsNone(page.open(f"{server.url}/"))
        facts = page.run(FACTS)
        self.assertEqual(facts["protocol"], protocol)
        found = {part["name"]: part for part in facts["parts"]}
        self.assertEqual(set(found), set(self.parts))
        for name, data in self.parts.items():
            self.assertEqual(found[name], {
                "name": name, "protocol": protocol, "size": len(data), "status": 200,
                "hash": hashlib.sha256(data).hexdigest()})
            answer = page.responses[f"{server.url}/{name}"]
            self.assertEqual(answer["securityDetails"]["protocol"], f"TLS {version}")
        self.assertEqual(facts["ran"], 255)
        self.assertEqual(facts["widths"], [100 + i for i in range(8)])
        self.assertEqual(facts["pictures"], [[10 + 12 * i, 20 + 3 * i] for i in range(16)])
        self.assertEqual((page.complaints, page.failures), ([], []))

    def test_all_parts_over_both_protocols_and_both_versions(self):
        for alpn, protocol in [("http/1.1", "http/1.1"), ("h2,http/1.1", "h2")]:
            for version in ["1.2", "1.3"]:
                with self.subTest(protocol=protocol, version=version), \
                        Server(self.folder, "--alpn", alpn, "--tls", version) as server:
                    self.look(server, protocol, version)

    def test_an_rsa_certificate_and_no_alpn_at_all(self):
        with Server(self.folder, "--alpn", "", name="server-rsa") as server:
            self.look(server, "http/1.1", "1.3")

    def test_a_certificate_that_is_not_trusted_is_refused(self):
        for name, error in [("other-server", "net::ERR_CERT_AUTHORITY_INVALID"),
                            ("wrongname", "net::ERR_CERT_COMMON_NAME_INVALID"),
                            ("expired", "net::ERR_CERT_DATE_INVALID")]:
            with self.subTest(name), Server(self.folder, name=name) as server:
                page = self.page()
                self.assertEqual(page.open(f"{server.url}/"), error)
                self.assertNotIn(" /", server.text().replace("https://", ""))


class NoTrust(unittest.TestCase):
    def test_without_the_root_the_page_does_not_load(self):
        folder = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        self.addCleanup(shutil.rmtree, folder)
        make_site(folder)
        with Server(folder) as server, Browser() as browser:
            page = browser.page()
            self.assertEqual(page.open(f"{server.url}/"), "net::ERR_CERT_AUTHORITY_INVALID")
            self.assertNotIn("GET /", server.text())


class ClientCertificate(unittest.TestCase):
    """The browser has a certificate to show, or none; the server asks for one, or requires it."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "index.html").write_text("<!doctype html><title>known</title>")

    # The browser may be done with its side before the server has missed the certificate: the alert
    # and the end of the connection race each other in it.
    REFUSED = {"net::ERR_BAD_SSL_CLIENT_AUTH_CERT", "net::ERR_SOCKET_NOT_CONNECTED",
               "net::ERR_CONNECTION_RESET", "net::ERR_CONNECTION_CLOSED"}

    def open(self, browser, served, *args):
        for version in ["1.2", "1.3"]:
            with self.subTest(version=version, args=args), \
                    Server(self.folder, "--client-ca", cert("ca.pem"), "--tls", version, *args) as server:
                with contextlib.closing(browser.page()) as page:
                    error = page.open(f"{server.url}/")
                    if served:
                        self.assertIsNone(error)
                        self.assertEqual(page.run("document.title"), "known")
                    else:
                        self.assertIn(error, self.REFUSED)
                        self.assertNotIn("GET /", server.text())

    def test_a_certificate_gets_in_where_one_is_required(self):
        with Browser(cert("ca.pem"), client=(cert("client.pem"), cert("client.key"))) as browser:
            self.open(browser, True, "--require-client-cert")
            self.open(browser, True)

    def test_one_that_is_not_trusted_is_not_even_offered(self):
        # The server's request names the authority that it believes; the browser has none of it.
        with Browser(cert("ca.pem"), client=(cert("client-other.pem"), cert("client-other.key"))) as browser:
            self.open(browser, False, "--require-client-cert")
            self.open(browser, True)

    def test_without_a_certificate(self):
        with Browser(cert("ca.pem")) as browser:
            self.open(browser, False, "--require-client-cert")
            self.open(browser, True)


# Do the status page and a JSON of just now say the same, and is each handshake in one sample? Not
# while something goes on, so ask until it is true.
SAME = """(async () => {
    const json = await (await fetch("/watch.json")).json(), here = id => document.querySelector(id);
    const bars = name => [...document.querySelectorAll(`#histogram-${name} rect`)];
    const told = (name, histogram) => here(`#histogram-${name}`).hidden === (histogram.count === 0) &&
        (histogram.count === 0 || Number(here(`#histogram-${name}`).dataset.count) === histogram.count) &&
        bars(name).every(bar => histogram.bucket[bar.dataset.bucket] === Number(bar.dataset.count)) &&
        bars(name).length === histogram.bucket.filter(count => count > 0).length;
    return Object.entries(json.library).every(([name, value]) =>
            name === "calls" || Number(here(`#counter-${name}`).dataset.value) === value) &&
        Object.entries(json.library.calls).every(([kind, call]) =>
            told(`${kind}-wait`, call.queue_wait) && told(`${kind}-run`, call.run_time)) &&
        here("#tile-handshakes").textContent.includes(`${json.server.handshakes} in all`) &&
        json.samples.first === 0 &&
        json.samples.handshakes.reduce((a, b) => a + b, 0) === json.server.handshakes;
})()"""


class Status(Chromium):
    def check(self, value, schema, where=""):
        if isinstance(schema, dict):
            self.assertEqual(set(value), set(schema), where)
            for name, inner in schema.items():
                self.check(value[name], inner, f"{where}.{name}")
        elif isinstance(schema, list):
            self.assertIsInstance(value, list, where)
            for item in value:
                self.check(item, schema[0], where)
        else:
            self.assertIs(type(value), schema, where)
            if schema is int:
                self.assertGreaterEqual(value, 0, where)

    def check_json(self, value):
        """The form, and what must be true of the numbers."""
        self.check(value, SCHEMA)
        samples, rows = value["samples"], value["samples"]["next"] - value["samples"]["first"]
        for name, column in samples.items():
            if isinstance(column, list):
                self.assertEqual(len(column), rows, name)
        histograms = [value["loop"]["delay"]] + [histogram for call in value["library"]["calls"].values()
                                                 for histogram in call.values()]
        for histogram in histograms:
            self.assertEqual(len(histogram["bucket"]), 32)
            self.assertEqual(sum(histogram["bucket"]), histogram["count"])
        self.assertLessEqual(value["library"]["calls_completed"], value["library"]["calls_queued"])

    def connect(self, server, count):
        result = subprocess.run([SSPI, "connect", f"localhost:{server.port}", "--ca", cert("ca.pem"),
                                 "--repeat", str(count), "--quiet"], timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0)

    def get_json(self, page, query=""):
        return json.loads(page.run(f"fetch('/watch.json{query}').then(answer => answer.text())"))

    def look(self, server, protocol):
        page = self.page()
        self.assertIsNone(page.open(f"{server.url}/watch"))
        policy = page.responses[f"{server.url}/watch"]["headers"]
        policy = next(value for name, value in policy.items()
                      if name.lower() == "content-security-policy")
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        page.wait_for("document.body.dataset.next > 0", "a first sample")
        before = self.get_json(page)
        self.check_json(before)
        self.connect(server, 20)
        page.run("document.querySelector('[data-period=all]').click()")
        page.wait_for(SAME, "the numbers of the JSON on the page")
        after = self.get_json(page)
        self.check_json(after)
        # The browser opens a connection now and then; it has six at most.
        made = after["server"]["handshakes"] - before["server"]["handshakes"]
        self.assertTrue(20 <= made <= 26, made)
        self.assertEqual(after["server"]["failures"], before["server"]["failures"])
        for chart in ["handshakes", "queue", "leg", "requests", "open", "delay"]:
            box = f"document.querySelector('#chart-{chart}')"
            self.assertGreater(int(page.run(f"{box}.querySelector('svg').dataset.points")), 0)
            self.assertGreater(page.run(f"{box}.querySelectorAll('path.line').length"), 0, chart)
        used = set(page.run("performance.getEntriesByType('resource').map(e => e.nextHopProtocol)"))
        self.assertEqual(used, {protocol})
        for url in page.requests:
            self.assertTrue(url.startswith((f"{server.url}/watch", "data:image/svg+xml")), url)
        self.assertEqual((page.complaints, page.failures), ([], []))
        return page

    def test_the_page_shows_what_the_json_says(self):
        for alpn, protocol in [("http/1.1", "http/1.1"), ("h2", "h2")]:
            with self.subTest(protocol), \
                    Server(self.folder, "--status", "/watch", "--alpn", alpn) as server:
                self.look(server, protocol)

    def test_hover_small_screens_and_the_end_of_the_server(self):
        page = None
        with Server(self.folder, "--status", "/watch") as server:
            page = self.page()
            page.ask("Emulation.setDeviceMetricsOverride", width=360, height=800,
                     deviceScaleFactor=1, mobile=True)
            self.assertIsNone(page.open(f"{server.url}/watch"))
            self.connect(server, 3)
            page.wait_for("document.body.dataset.next > 1", "two samples")
            self.assertLessEqual(page.run("document.documentElement.scrollWidth"), 360)
            for target in ["#chart-handshakes svg", "#histogram-accept_context-run rect"]:
                page.run(f"document.querySelector('{target}').scrollIntoView({{block: 'center'}})")
                x, y = page.run(f"(b => [b.right - 5, b.top + b.height / 2])"
                                f"(document.querySelector('{target}').getBoundingClientRect())")
                page.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
                page.wait_for("!document.querySelector('#tip').hidden", f"a tip for {target}")
            self.assertIn("up to here", page.run("document.querySelector('#tip').textContent"))
            page.wait_for("['healthy', 'busy', 'idle', 'overloaded'].includes(document.body.dataset.state)")
            self.assertEqual((page.complaints, page.failures), ([], []))
        page.wait_for("document.body.dataset.state === 'lost'", "the page notices the end")

    def test_another_site_cannot_read_it(self):
        with Server(self.folder, "--status", "/watch") as server, Server(self.folder) as other:
            page = self.page()
            self.assertIsNone(page.open(f"{other.url}/"))
            self.assertEqual(page.run(f"fetch('{server.url}/watch.json').then(() => 'read', () => 'refused')"),
                             "refused")
            page.run(f"document.body.append(Object.assign(document.createElement('iframe'), "
                     f"{{src: '{server.url}/watch'}}))")
            end = time.monotonic() + PATIENCE
            while not any("frame-ancestors" in words for words in page.complaints):
                self.assertLess(time.monotonic(), end, page.complaints)
                page.run("1")
                time.sleep(0.1)


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if missing():
        print(f"missing: {missing()}")
        return 1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77
    SSPI = os.path.abspath(sys.argv[1])
    loader = unittest.defaultTestLoader
    tests = [test for case in (Parts, NoTrust, ClientCertificate, Status) for test in loader.loadTestsFromTestCase(case)]
    names = sys.argv[2:]
    suite = unittest.TestSuite(test for test in tests
                               if not names or any(name in test.id() for name in names))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
