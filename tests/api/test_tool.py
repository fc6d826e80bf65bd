#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Tests of the `sspi` command from the outside: what it prints, what it answers, how it ends.

Usage: test_tool.py SSPI alone|peers [TEST...]

alone  needs nothing but the command and the test certificates (OSSPI_TEST_CERTS)
peers  speaks to openssl and curl; without them exits with 77, or fails if OSSPI_REQUIRE_PEERS is set
"""

import json
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
import unittest
from pathlib import Path

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
# Sanitizers make everything slow; this only bounds what hangs.
PATIENCE = 60


def cert(name):
    return str(CERTS / name)


CA = cert("ca.pem")
SERVER = ["--cert", cert("server.pem"), "--key", cert("server.key")]


def run(*args, stdin=b"", timeout=PATIENCE, env=None):
    """Runs the command; the result has text in stdout and stderr."""
    environment = dict(os.environ)
    environment.update(env or {})
    result = subprocess.run([SSPI, *map(str, args)], input=stdin, capture_output=True,
                            timeout=timeout, env=environment, check=False)
    result.stdout = result.stdout.decode("utf-8", "replace")
    result.stderr = result.stderr.decode("utf-8", "replace")
    return result


class Server:
    """`sspi serve` on a free port, for the length of a with statement; must end with status 0."""

    def __init__(self, folder, *args, certificate=None):
        self.args = [SSPI, "serve", str(folder), "--port", "0", "--seconds", "120", "--verbose",
                     "--handshake-timeout", "60000", *(certificate or SERVER), *args]

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(self.args, stdout=self.log, stderr=subprocess.STDOUT)
        self.port = int(self.wait_for(r"listening on https://\S*:(\d+)/\n").group(1))
        return self

    def text(self):
        self.log.seek(0)
        text = self.log.read().decode("utf-8", "replace")
        self.log.seek(0, 2)
        return text

    def wait_for(self, pattern, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"the server has ended:\n{self.text()}")
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in:\n{self.text()}")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def __exit__(self, kind, value, trace):
        code = self.process.returncode
        if code is None:
            code = self.stop()
        text = self.text()
        self.log.close()
        if kind is None and code != 0:
            raise AssertionError(f"the server ended with {code}:\n{text}")


def exchange(port, data, seconds=10, half_close=False):
    """Sends raw bytes and returns all that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while True:
                part = connection.recv(65536)
                if not part:
                    return answer
                answer += part
        except ConnectionResetError:
            return answer


class Folder(unittest.TestCase):
    """Tests that serve a folder."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sspi-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site = self.folder / "site"
        self.site.mkdir()
        (self.site / "index.html").write_text("<p>hello</p>\n")
        (self.site / "a b&c.txt").write_text("odd name\n")
        (self.site / ".secret").write_text("secret\n")
        (self.site / "empty").write_bytes(b"")
        (self.site / "list").mkdir()
        (self.site / "list" / "down").mkdir()
        (self.site / "list" / "one.txt").write_text("1")
        (self.site / "list" / "<two>&.txt").write_text("2")
        (self.site / "link").symlink_to("/etc/passwd")
        os.mkfifo(self.site / "fifo")
        (self.folder / "outside.txt").write_text("outside\n")

    def send(self, port, request, *args):
        return run("connect", f"localhost:{port}", "--ca", CA, "--send", "--quiet", *args,
                   stdin=request)

    def get(self, port, path, method="GET", version="1.0", headers=""):
        result = self.send(port, f"{method} {path} HTTP/{version}\r\n{headers}\r\n".encode())
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


# --- Alone -------------------------------------------------------------------------------------------


class CommandLine(unittest.TestCase):
    def test_help_of_every_verb_has_examples_and_exit_codes(self):
        for verb in [[], ["packages"], ["connect"], ["serve"], ["auth"], ["store"], ["status"], ["bench"]]:
            result = run(*verb, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage: sspi", result.stdout)
            self.assertIn("Example", result.stdout)
            self.assertIn("Exit codes", result.stdout)
            self.assertEqual(result.stderr, "")

    def test_every_line_of_help_fits_a_terminal(self):
        for verb in [[], ["packages"], ["connect"], ["serve"], ["auth"], ["store"], ["status"], ["bench"]]:
            for line in run(*verb, "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^sspi \(OpenSSPI\) \d+\.\d+\.\d+\n$")

    def test_usage_errors_exit_2_and_point_to_the_help(self):
        for args in [[], ["nonsense"], ["connect"], ["connect", "a", "b"], ["connect", "a:0"],
                     ["connect", "a:99999"], ["connect", ""], ["connect", "h", "--tls", "1.1"],
                     ["connect", "h", "--timeout"], ["connect", "h", "--timeout", "x"],
                     ["connect", "h", "--alpn", ","], ["connect", "h", "--nothing"],
                     ["connect", "h", "--json=1"], ["connect", "h", "--key", "k"], ["serve"],
                     ["serve", ".", "--cert", "c", "--port", "70000"],
                     *[["serve", ".", "--cert", "c", "--status", path]
                       for path in ["", "/", "x", "/x/", "//x", "/x?y", "/x y", "/" + "x" * 300]],
                     ["serve", ".", "--cert", "c", "--require-client-cert"],
                     ["connect", "h", "--cert", "c", "--default-cert"],
                     ["serve", ".", "--cert", "c", "--status-any"], ["status"], ["status", "zz"],
                     ["bench"], ["bench", "nothing"], ["bench", "handshake"], ["packages", "x"]]:
            result = run(*args)
            self.assertEqual(result.returncode, 2, f"{args}: {result.stderr}")
            self.assertIn("--help", result.stderr, args)
            if args:
                self.assertEqual(result.stdout, "", args)

    def test_local_problems_exit_3_and_name_the_file(self):
        for args, word in [
                (["connect", "localhost:1", "--ca", "/no/such/file"], "/no/such/file"),
                (["connect", "localhost:1", "--cert", "/no/cert"], "/no/cert"),
                (["serve", "/no/folder", *SERVER], "/no/folder"),
                (["serve", ".", "--cert", "/no/cert"], "/no/cert"),
                (["serve", ".", *SERVER, "--client-ca", "/no/authority"], "/no/authority"),
                (["serve", ".", *SERVER, "--address", "not-an-address"], "not-an-address"),
                (["bench", "handshake", "--cert", "/no/cert"], "/no/cert")]:
            result = run(*args)
            self.assertEqual(result.returncode, 3, f"{args}: {result.stderr}")
            self.assertIn(word, result.stderr)

    def test_output_that_cannot_be_written_is_no_success(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([SSPI, "packages"], stdout=full, stderr=subprocess.PIPE,
                                    timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 3)


class Status(unittest.TestCase):
    def test_a_code_is_found_however_it_is_written(self):
        for text in ["0x80090325", "80090325", "-2146893019", "SEC_E_UNTRUSTED_ROOT",
                     "sec_e_untrusted_root"]:
            result = run("status", text)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("SEC_E_UNTRUSTED_ROOT (0x80090325, -2146893019)", result.stdout)
            self.assertIn("meaning:", result.stdout)
            self.assertIn("next:", result.stdout)

    def test_zero_is_success(self):
        self.assertIn("SEC_E_OK", run("status", "0").stdout)

    def test_unknown_code_exits_1(self):
        self.assertEqual(run("status", "0x12345678").returncode, 1)

    def test_json(self):
        value = json.loads(run("status", "0x00090312", "--json").stdout)
        self.assertEqual(value["name"], "SEC_I_CONTINUE_NEEDED")
        self.assertEqual(value["number"], 0x90312)
        self.assertTrue(value["success"])

    def test_list_has_every_header_name_once(self):
        names = [entry["name"] for entry in json.loads(run("status", "--list", "--json").stdout)]
        self.assertEqual(len(names), len(set(names)))
        for name in ["SEC_E_OK", "SEC_E_INVALID_TOKEN", "SEC_I_RENEGOTIATE"]:
            self.assertIn(name, names)


class Packages(unittest.TestCase):
    def test_text_names_schannel(self):
        result = run("packages")
        self.assertEqual(result.returncode, 0)
        self.assertIn("Microsoft Unified Security Protocol Provider", result.stdout)

    def test_json(self):
        packages = {entry["name"]: entry for entry in json.loads(run("packages", "--json").stdout)}
        schannel = packages["Microsoft Unified Security Protocol Provider"]
        self.assertEqual(schannel["rpc_id"], 14)
        self.assertIn("stream", schannel["capabilities"])


class ServeAndConnect(Folder):
    def test_get_for_both_versions_and_both_forms(self):
        with Server(self.site) as server:
            for version in ["1.2", "1.3"]:
                for form in [[], ["--sync"]]:
                    result = run("connect", f"localhost:{server.port}", "--ca", CA, "--tls",
                                 version, "--alpn", "http/1.1", "--send", *form,
                                 stdin=b"GET / HTTP/1.0\r\n\r\n")
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertTrue(result.stdout.startswith("HTTP/1.1 200 OK\r\n"))
                    self.assertTrue(result.stdout.endswith("<p>hello</p>\n"))
                    self.assertIn(f"TLS {version}", result.stderr)
                    self.assertIn("verified: a trusted chain", result.stderr)
                    self.assertRegex(result.stderr, r"application +http/1\.1")

    def test_report_has_facts_chain_and_timeline(self):
        with Server(self.site) as server:
            result = run("connect", f"localhost:{server.port}", "--ca", CA, "--alpn", "http/1.1",
                         "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertTrue(report["ok"] and report["verified"])
        self.assertEqual(report["protocol"], "TLS 1.3")
        self.assertEqual(report["alpn"], "http/1.1")
        self.assertFalse(report["resumed"])
        self.assertIn("server.test", report["chain"][0]["subject"])
        self.assertIn("localhost", report["chain"][0]["dns_names"])
        self.assertGreaterEqual(len(report["chain"]), 2)
        calls = report["calls"]
        self.assertEqual(calls[0]["call"], "acquire credential")
        legs = [call for call in calls if call["call"] == "initialize context"]
        self.assertGreaterEqual(len(legs), 2)
        for call in calls[:1] + legs:
            self.assertLessEqual(0, call["queued_us"])
            self.assertLessEqual(call["queued_us"], call["started_us"])
            self.assertLessEqual(call["started_us"], call["done_us"])
            self.assertGreater(call["thread_id"], 0)
        self.assertEqual(legs[0]["status"], "SEC_I_CONTINUE_NEEDED")
        self.assertGreater(legs[0]["output"], 100)

    def test_second_connection_resumes(self):
        for version in ["1.2", "1.3"]:
            with Server(self.site) as server:
                result = run("connect", f"localhost:{server.port}", "--ca", CA, "--tls", version,
                             "--repeat", 2, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            resumed = [entry["resumed"] for entry in json.loads(result.stdout)["connections"]]
            self.assertEqual(resumed, [False, True], version)

    def test_the_example_connects(self):
        program = Path(os.environ.get("OSSPI_TEST_BUILD", ".")) / "examples" / "hello_async"
        if not program.exists():
            self.skipTest(f"{program} was not built")
        with Server(self.site) as server:
            for roots, code in [(CA, 0), (cert("otherca.pem"), 1)]:
                result = subprocess.run([program, "localhost", str(server.port)],
                                        env=dict(os.environ, SSL_CERT_FILE=roots),
                                        capture_output=True, timeout=PATIENCE, check=False)
                self.assertEqual(result.returncode, code, result)
                self.assertIn(b"localhost: ", result.stdout)

    def test_client_certificates_are_asked_for_and_required(self):
        own = ["--cert", cert("client.pem"), "--key", cert("client.key")]
        my = self.folder / "opensspi" / "my"
        my.mkdir(parents=True, mode=0o700)
        for name in ["client.pem", "client.key"]:
            shutil.copy(cert(name), my / name)
            (my / name).chmod(0o600)
        for wish, none in [(["--require-client-cert"], 1), ([], 0)]:
            with Server(self.site, "--client-ca", CA, *wish) as server:
                for args, code in [(own, 0), ([], none), (["--default-cert"], 0)]:
                    # In TLS 1.3 the client is done before it hears what the server thinks.
                    result = run("connect", f"localhost:{server.port}", "--ca", CA, "--tls", "1.2",
                                 "--json", *args, env={"XDG_DATA_HOME": str(self.folder)})
                    self.assertEqual(result.returncode, code, f"{args}: {result.stderr}")
                    told = "SEC_I_INCOMPLETE_CREDENTIALS" in result.stdout
                    self.assertEqual(told, not args, result.stdout)

    def test_without_tickets_nothing_resumes(self):
        with Server(self.site, "--no-tickets") as server:
            result = run("connect", f"localhost:{server.port}", "--ca", CA, "--repeat", 2, "--json")
        resumed = [entry["resumed"] for entry in json.loads(result.stdout)["connections"]]
        self.assertEqual(resumed, [False, False])

    def test_verdicts_exit_1_and_name_the_reason(self):
        for name, target, expected in [
                ("wrongname", [], "SEC_E_WRONG_PRINCIPAL"),
                ("noname", [], "SEC_E_WRONG_PRINCIPAL"),
                ("expired", [], "SEC_E_CERT_EXPIRED"),
                ("notyet", [], "SEC_E_CERT_EXPIRED"),
                ("selfsigned", [], "SEC_E_UNTRUSTED_ROOT"),
                ("other-server", [], "SEC_E_UNTRUSTED_ROOT"),
                ("server", ["--name", "elsewhere.test"], "SEC_E_WRONG_PRINCIPAL")]:
            pair = ["--cert", cert(f"{name}.pem"), "--key", cert(f"{name}.key")]
            with Server(self.site, certificate=pair) as server:
                for form in [[], ["--sync"]]:
                    result = run("connect", f"localhost:{server.port}", "--ca", CA, *target, *form)
                    self.assertEqual(result.returncode, 1, name)
                    self.assertIn(expected, result.stderr)
                    self.assertIn("meaning:", result.stderr)
                    self.assertIn("next:", result.stderr)
                value = json.loads(run("connect", f"localhost:{server.port}", "--ca", CA, *target,
                                       "--json").stdout)
                self.assertFalse(value["ok"])
                self.assertEqual(value["error"]["status"], expected)

    def test_the_environment_names_the_roots_too(self):
        with Server(self.site) as server:
            result = run("connect", f"localhost:{server.port}", "--quiet",
                         env={"SSL_CERT_FILE": CA})
            self.assertEqual(result.returncode, 0, result.stderr)
            result = run("connect", f"localhost:{server.port}", "--quiet",
                         env={"SSL_CERT_FILE": cert("otherca.pem"), "SSL_CERT_DIR": "/nowhere"})
            self.assertEqual(result.returncode, 1)

    def test_insecure_connects_and_says_so(self):
        pair = ["--cert", cert("selfsigned.pem"), "--key", cert("selfsigned.key")]
        with Server(self.site, certificate=pair) as server:
            result = run("connect", f"localhost:{server.port}", "--insecure")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("WARNING", result.stderr)
        self.assertIn("NOT VERIFIED", result.stdout)

    def test_other_names_of_the_certificate_and_addresses(self):
        with Server(self.site) as server:
            for args in [[f"127.0.0.1:{server.port}"],
                         [f"localhost:{server.port}", "--name", "server.test"]]:
                result = run("connect", *args, "--ca", CA, "--quiet")
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_no_common_application_protocol(self):
        with Server(self.site) as server:
            result = run("connect", f"localhost:{server.port}", "--ca", CA, "--alpn", "nonsense")
        self.assertEqual(result.returncode, 1)
        self.assertIn("failed: SEC_E_", result.stderr)

    def test_no_common_version(self):
        with Server(self.site, "--tls", "1.2") as server:
            result = run("connect", f"localhost:{server.port}", "--ca", CA, "--tls", "1.3")
            self.assertEqual(result.returncode, 1)
            self.assertIn("failed: SEC_E_", result.stderr)

    def test_passwords_of_keys(self):
        (self.folder / "password").write_text("secret\nanother line\n")
        encrypted = ["--cert", cert("server.pem"), "--key", cert("server-enc.key"), "--password"]
        os.environ["SSPI_TEST_PASSWORD"] = "secret"
        for source in ["pass:secret", "env:SSPI_TEST_PASSWORD", f"file:{self.folder}/password"]:
            with Server(self.site, certificate=[*encrypted, source]) as server:
                self.assertIn("hello", self.get(server.port, "/"))
        for source in ["pass:wrong", "env:NO_SUCH_VARIABLE", "file:/no/such", "secret"]:
            self.assertEqual(run("serve", self.site, *encrypted, source).returncode, 3, source)

    def test_signals_stop_the_server_with_status_0(self):
        for number in [signal.SIGINT, signal.SIGTERM]:
            with Server(self.site) as server:
                self.get(server.port, "/")
                self.assertEqual(server.stop(number), 0)

    def test_hangup_reads_the_certificate_again(self):
        def shown(port):
            context = ssl.create_default_context(cafile=CA)
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    return tls.getpeercert(binary_form=True)

        pem, key = self.folder / "now.pem", self.folder / "now.key"

        def install(name):
            for source, target in ((name + ".pem", pem), (name + ".key", key)):
                new = target.with_suffix(".new")
                shutil.copy(cert(source), new)
                new.chmod(0o600)
                new.replace(target)

        install("server")
        with Server(self.site, certificate=["--cert", pem, "--key", key]) as server:
            first = shown(server.port)
            install("server-rsa")
            self.assertEqual(shown(server.port), first)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("the certificate was read again")
            second = shown(server.port)
            self.assertNotEqual(second, first)
            pem.write_text("nothing")
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("cannot use the certificate")
            self.assertEqual(shown(server.port), second)

    def test_a_taken_port_exits_3(self):
        with Server(self.site) as server:
            result = run("serve", self.site, *SERVER, "--port", server.port)
            self.assertEqual(result.returncode, 3)
            self.assertIn("address already in use", result.stderr)


# Target and answer, whatever the version of HTTP.
ANSWERS = [
    ("/", "200 OK"), ("/index.html", "200 OK"), ("/a%20b%26c.txt", "200 OK"),
    ("/empty", "200 OK"), ("/list/", "200 OK"), ("/index.html?query", "200 OK"),
    ("//list//one.txt", "200 OK"), ("/list", "301 Moved Permanently"),
    ("/none", "404 Not Found"), ("/list/none/x", "404 Not Found"),
    ("/index.html/", "404 Not Found"), ("/.secret", "403 Forbidden"),
    ("/../outside.txt", "403 Forbidden"), ("/%2e%2e/outside.txt", "403 Forbidden"),
    ("/list/../../outside.txt", "403 Forbidden"), ("/link", "403 Forbidden"),
    ("/..%2foutside.txt", "403 Forbidden"), ("/%2fetc/passwd", "404 Not Found"),
    ("/fifo", "403 Forbidden"), ("/a%00b", "400 Bad Request"),
    ("/a%zz", "400 Bad Request"), ("/a%2", "400 Bad Request"),
    ("*", "400 Bad Request"), ("/" + "x" * 5000, "414 URI Too Long")]


class Http(Folder):
    def test_answers(self):
        with Server(self.site) as server:
            for path, expected in ANSWERS:
                answer = self.get(server.port, path)
                self.assertTrue(answer.startswith(f"HTTP/1.1 {expected}\r\n"), (path, answer[:80]))
                self.assertNotIn("outside\n", answer)
                self.assertNotIn("root:", answer)

    def test_methods_and_malformed_requests(self):
        with Server(self.site) as server:
            for request, expected in [
                    (b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "405 "),
                    (b"DELETE /index.html HTTP/1.0\r\n\r\n", "405 "),
                    (b"GET / HTTP/1.1\r\n\r\n", "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 "),
                    (b"nonsense\r\n\r\n", "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                     "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", "400 "),
                    (b"GET / HTTP/1.1\r\n X: leading space\r\nHost: a\r\n\r\n", "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "400 "),
                    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
                     "413 "),
                    (b"GET / HTTP/1.0\r\n" + b"X: " + b"y" * 200000 + b"\r\n\r\n", "431 ")]:
                answer = self.send(server.port, request).stdout
                self.assertTrue(answer.startswith(f"HTTP/1.1 {expected}"), (request[:40], answer))
            self.assertIn("Allow: GET, HEAD\r\n", self.get(server.port, "/", "PUT"))
            head = self.get(server.port, "/", "HEAD")
            self.assertIn("Content-Length: 13\r\n", head)
            self.assertTrue(head.endswith("\r\n\r\n"))

    def test_listing_is_escaped_and_hides_dot_files(self):
        (self.site / "list" / ".hidden").write_text("")
        with Server(self.site) as server:
            answer = self.get(server.port, "/list/")
        self.assertIn('<a href="./%3Ctwo%3E%26.txt">&lt;two&gt;&amp;.txt</a>', answer)
        self.assertNotIn(".hidden", answer)

    def test_a_redirect_stays_on_this_server(self):
        (self.site / "evil.test").mkdir()
        (self.site / "\\evil.test").mkdir()
        with Server(self.site) as server:
            self.assertIn("Location: /list/\r\n", self.get(server.port, "/list"))
            self.assertIn("Location: /evil.test/\r\n", self.get(server.port, "//evil.test"))
            self.assertIn("Location: /%5Cevil.test/\r\n", self.get(server.port, "/\\evil.test"))

    def test_requests_on_one_connection_are_answered_in_order(self):
        requests = b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path
                            for path in [b"index.html", b"none", b"empty"] * 5)
        with Server(self.site) as server:
            answer = self.send(server.port,
                               requests + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        codes = re.findall(r"HTTP/1\.1 (\d+)", answer.stdout)
        self.assertEqual(codes, ["200", "404", "200"] * 5 + ["200"])

    def test_big_file_arrives_whole(self):
        data = os.urandom(1 << 20) * 8
        (self.site / "big").write_bytes(data)
        with Server(self.site) as server:
            result = subprocess.run(
                [SSPI, "connect", f"localhost:{server.port}", "--ca", CA, "--send", "--quiet"],
                input=b"GET /big HTTP/1.0\r\n\r\n", capture_output=True, timeout=PATIENCE,
                check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.split(b"\r\n\r\n", 1)[1], data)


# Run in a network of its own, where the loopback interface has another address too: connects to
# both, and prints what the status page answers to a client at each.
TWO_ADDRESSES = """
import fcntl, re, socket, struct, subprocess, sys
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def configure(request, name, data):
    fcntl.ioctl(control, request, struct.pack("16s16s", name, data))
configure(0x8914, b"lo", struct.pack("h", 0x49))  # SIOCSIFFLAGS: up, loopback, running
configure(0x8916, b"lo:1", struct.pack("hH4s", socket.AF_INET, 0, socket.inet_aton("192.0.2.1")))
sspi, ca, *serve = sys.argv[1:]
with subprocess.Popen([sspi, "serve", *serve], stdout=subprocess.PIPE, text=True) as server:
    port = re.search(r":(\d+)/$", server.stdout.readline().strip()).group(1)
    for address in ["127.0.0.1", "192.0.2.1"]:
        for path in ["/status", "/status.json", "/index.html"]:
            result = subprocess.run([sspi, "connect", f"{address}:{port}", "--name", "localhost",
                                     "--ca", ca, "--send", "--quiet"], capture_output=True,
                                    input=f"GET {path} HTTP/1.0\\r\\n\\r\\n".encode())
            print(address, path, result.stdout[9:12].decode())
    server.terminate()
"""


class StatusPage(Folder):
    def body(self, port, path):
        answer = self.get(port, path)
        self.assertTrue(answer.startswith("HTTP/1.1 200 OK\r\n"), answer[:100])
        return answer.split("\r\n\r\n", 1)[1]

    def test_without_the_option_there_is_no_page(self):
        with Server(self.site) as server:
            for path in ["/status", "/status.json"]:
                self.assertIn("404 Not Found", self.get(server.port, path))

    def test_the_page_is_one_piece(self):
        with Server(self.site, "--status", "/deep/down-1.x") as server:
            answer = self.get(server.port, "/deep/down-1.x")
            head, page = answer.split("\r\n\r\n", 1)
            self.assertIn("Content-Type: text/html; charset=utf-8", head)
            self.assertIn("Content-Security-Policy: default-src 'none';", head)
            self.assertIn("Cache-Control: no-store", head)
            for pattern in [r"\bsrc\s*=\s*[\"']?(?!data:)", r"<link(?![^>]*data:)", r"@import",
                            r"https?://(?!www\.w3\.org/2000/svg)", r"\bon\w+\s*=\s*[\"']",
                            r"\sstyle\s*="]:
                self.assertIsNone(re.search(pattern, page), pattern)
            self.assertIn("hello", self.get(server.port, "/"))
            for path in ["/deep", "/deep/down-1.x/", "/deep/down-1.xx", "/deep/down-1.x.jso",
                         "/deep/../deep/down-1.x", "//deep/down-1.x", "/deep/down-1%2ex"]:
                self.assertRegex(self.get(server.port, path), r"HTTP/1\.1 (403|404) ", path)
            head = self.get(server.port, "/deep/down-1.x", "HEAD")
            self.assertIn(f"Content-Length: {len(page.encode())}\r\n", head)
            self.assertTrue(head.endswith("\r\n\r\n"))
            self.assertIn("405 ", self.get(server.port, "/deep/down-1.x", "POST"))

    def test_json_counts_handshakes_and_samples(self):
        with Server(self.site, "--status", "/status") as server:
            first = json.loads(self.body(server.port, "/status.json"))
            for _ in range(5):
                self.get(server.port, "/")
            value = json.loads(self.body(server.port, "/status.json"))
            for name, count in [("handshakes", 6), ("connections", 6), ("requests", 5)]:
                self.assertEqual(value["server"][name] - first["server"][name], count, name)
            end = time.monotonic() + PATIENCE
            while sum(value["samples"]["handshakes"]) < 7:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.2)
                value = json.loads(self.body(server.port, "/status.json"))
            self.assertGreaterEqual(value["library"]["calls"]["accept_context"]["run_time"]["count"], 12)
            self.assertGreater(value["loop"]["delay"]["count"], 0)

    def test_a_refused_handshake_leaves_nothing_behind(self):
        with Server(self.site, "--status", "/status") as server:
            for _ in range(5):
                result = run("connect", f"localhost:{server.port}", "--quiet")
                self.assertNotEqual(result.returncode, 0)
            server.wait_for("the peer sent the alert")
            end, left = time.monotonic() + PATIENCE, None
            while left != (1, 1):  # those of the connection that asks
                self.assertLess(time.monotonic(), end, left)
                library = json.loads(self.body(server.port, "/status.json"))["library"]
                left = library["live_contexts"], library["live_async_contexts"]

    def test_samples_after_a_number(self):
        with Server(self.site, "--status", "/status") as server:
            end, count = time.monotonic() + PATIENCE, 0
            while count < 3:
                self.assertLess(time.monotonic(), end)
                count = json.loads(self.body(server.port, "/status.json"))["samples"]["next"]
            for after, first in [("0", 1), ("1", 2), (count - 1, count), ("", 0), ("x", 0), ("-1", 0),
                                 ("1x", 0), ("9" * 30, 0)]:
                samples = json.loads(self.body(server.port, f"/status.json?after={after}"))["samples"]
                self.assertEqual(samples["first"], first, after)
                self.assertEqual(len(samples["open"]), samples["next"] - samples["first"])
            samples = json.loads(self.body(server.port, "/status.json?after=99999999"))["samples"]
            self.assertEqual((samples["first"], samples["open"]), (samples["next"], []))

    def test_only_this_machine_gets_it_unless_said_otherwise(self):
        if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
            self.skipTest("no network of its own here")
        for options, there in [([], "403"), (["--status-any"], "200")]:
            result = subprocess.run(
                ["unshare", "-rn", sys.executable, "-c", TWO_ADDRESSES, SSPI, CA, self.site, *SERVER,
                 "--address", "0.0.0.0", "--port", "0", "--seconds", "60", "--status", "/status",
                 *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(result.stdout.split("\n"), [
                "127.0.0.1 /status 200", "127.0.0.1 /status.json 200", "127.0.0.1 /index.html 200",
                f"192.0.2.1 /status {there}", f"192.0.2.1 /status.json {there}",
                "192.0.2.1 /index.html 200", ""], result.stderr)


class BadPeers(Folder):
    def good(self, server):
        self.assertIn("hello", self.get(server.port, "/"))

    def test_clients_that_speak_something_else(self):
        with Server(self.site) as server:
            for data in [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\0" * 600,
                         bytes(range(256)) * 4, b"SSH-2.0-x\r\n" + b"\n" * 100,
                         b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
                         b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\x00",
                         b"\x15\x03\x01\x00\x02\x02\x28", b"\x17\x03\x03\x00\x05hello"]:
                answer = exchange(server.port, data)
                # Nothing, or a TLS alert in the clear.
                self.assertTrue(answer == b"" or answer[0] == 0x15, (data[:20], answer[:20]))
            server.wait_for(r"handshake failed: SEC_E_")
            self.good(server)

    def test_clients_that_vanish(self):
        with Server(self.site, "--handshake-timeout", "3000") as server:
            hello = self.record_hello(server.port)
            for length in [0, 1, 4, 5, 50, len(hello) - 1, len(hello)]:
                with socket.create_connection(("127.0.0.1", server.port)) as connection:
                    connection.sendall(hello[:length])
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.sendall(hello)
            self.good(server)

    def record_hello(self, port):
        """The first bytes that `sspi connect` sends."""
        del port
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = subprocess.Popen(
                [SSPI, "connect", f"localhost:{listener.getsockname()[1]}", "--quiet"],
                stderr=subprocess.DEVNULL)
            connection, _ = listener.accept()
            with connection:
                hello = connection.recv(65536)
            self.assertEqual(client.wait(PATIENCE), 1)
        return hello

    def test_a_handshake_byte_by_byte(self):
        with Server(self.site) as server:
            hello = self.record_hello(server.port)
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in hello:
                    connection.sendall(bytes([byte]))
                self.assertEqual(connection.recv(1), b"\x16")
            self.good(server)

    def test_slow_clients_are_dropped_in_time(self):
        with Server(self.site, "--handshake-timeout", "500") as server:
            begin = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
                self.assertEqual(connection.recv(1), b"")
            self.assertGreater(time.monotonic() - begin, 0.4)
            server.wait_for("the handshake took too long")
        with Server(self.site, "--idle-timeout", "700") as server:
            # Half a request, and then nothing.
            result = self.send(server.port, b"GET / HT", "--timeout", 20000)
            self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
            self.good(server)

    def test_more_clients_than_places_wait(self):
        with Server(self.site, "--max-connections", "2", "--idle-timeout", "1500") as server:
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
            results = []
            threads = [threading.Thread(target=lambda: results.append(self.get(server.port, "/")))
                       for _ in range(6)]
            for thread in threads:
                thread.start()
            for connection in idle:
                connection.close()
            for thread in threads:
                thread.join(PATIENCE)
            self.assertEqual(len(results), 6)

    def test_a_client_that_takes_nothing_does_not_hold_the_server(self):
        (self.site / "big").write_bytes(b"x" * (32 << 20))
        with Server(self.site, "--idle-timeout", "1000") as server:
            client = subprocess.Popen(
                [SSPI, "connect", f"localhost:{server.port}", "--ca", CA, "--send", "--quiet"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            client.stdin.write(b"GET /big HTTP/1.0\r\n\r\n")
            client.stdin.flush()
            server.wait_for("the answer was not taken in time")
            self.good(server)
            client.kill()
            client.communicate()

    def test_a_client_killed_in_the_middle(self):
        (self.site / "big").write_bytes(b"x" * (64 << 20))
        with Server(self.site) as server:
            for _ in range(5):
                client = subprocess.Popen(
                    [SSPI, "connect", f"localhost:{server.port}", "--ca", CA, "--send", "--quiet"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                client.stdin.write(b"GET /big HTTP/1.0\r\n\r\n")
                client.stdin.flush()
                client.stdout.read(100000)
                client.send_signal(signal.SIGKILL)
                client.communicate()
            self.good(server)

    def test_the_server_stops_while_clients_are_busy(self):
        (self.site / "big").write_bytes(b"x" * (64 << 20))
        with Server(self.site) as server:
            clients = [subprocess.Popen(
                [SSPI, "connect", f"localhost:{server.port}", "--ca", CA, "--send", "--quiet"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for _ in range(3)]
            for client in clients:
                client.stdin.write(b"GET /big HTTP/1.0\r\n\r\n")
                client.stdin.flush()
                client.stdout.read(1000)
            half = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
            self.assertEqual(server.stop(), 0)
            for client in clients:
                client.kill()
                client.communicate()
            for connection in half:
                connection.close()

    def serve_raw(self, behaviour):
        """A server that is no TLS server; yields the result of connecting to it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def accept():
                connection, _ = listener.accept()
                with connection:
                    behaviour(connection)
            thread = threading.Thread(target=accept)
            thread.start()
            result = run("connect", f"localhost:{listener.getsockname()[1]}", "--timeout", 2000)
            thread.join(PATIENCE)
        return result

    def test_servers_that_misbehave(self):
        def take_everything(connection):
            connection.settimeout(PATIENCE)
            while connection.recv(65536):
                pass

        def speak(data):
            def behaviour(connection):
                connection.recv(65536)
                connection.sendall(data)
            return behaviour

        for behaviour, words in [
                (lambda connection: connection.recv(65536), "closed the connection"),
                (take_everything, "no answer within 2000 ms"),
                (speak(b"HTTP/1.1 400 Bad Request\r\n\r\nno TLS here"), "SEC_E_"),
                (speak(b"\x15\x03\x03\x00\x02\x02\x28"), "SEC_E_"),
                (speak(b"\x16\x03\x03\x40\x00" + b"\xff" * 0x4000), "SEC_E_"),
                (speak(b"\0" * 100), "SEC_E_")]:
            result = self.serve_raw(behaviour)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn(words, result.stderr)

    def test_nobody_there_exits_3(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        result = run("connect", f"127.0.0.1:{port}")
        self.assertEqual(result.returncode, 3)
        self.assertIn("Connection refused", result.stderr)
        self.assertEqual(run("connect", "no-such-host.invalid").returncode, 3)


class Bench(unittest.TestCase):
    def test_json_has_both_forms(self):
        for version, ca in [("1.3", ["--ca", CA]), ("1.2", [])]:
            result = run("bench", "handshake", *SERVER, *ca, "--tls", version, "--count", 20,
                         "--live", 8, "--rounds", 2, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            value = json.loads(result.stdout)
            self.assertEqual(value["protocol"], f"TLS {version}")
            self.assertEqual(value["rounds"], 2)
            self.assertEqual(value["verified"], bool(ca))
            self.assertFalse(value["resumed"])
            for figure in ["handshakes_per_second", "cpu_us_per_handshake"]:
                self.assertGreater(value[figure]["inline"], 0)
                self.assertGreater(value[figure]["async"], 0)

    def test_text_and_odd_counts(self):
        result = run("bench", "handshake", *SERVER, "--count", 3, "--live", 7, "--rounds", 1,
                     "--workers", 1)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("async/inline", result.stdout)

    def test_loop_is_a_form_of_its_own(self):
        result = run("bench", "loop", *SERVER, "--count", 10, "--live", 5, "--rounds", 1, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("loop_delay_p99_ms", json.loads(result.stdout))

    def test_scale_steps_up_to_live(self):
        result = run("bench", "scale", *SERVER, "--count", 4, "--live", 25, "--rounds", 1, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        steps = json.loads(result.stdout)["steps"]
        self.assertEqual([step["live"] for step in steps], [1, 10, 25])
        self.assertEqual([step["count"] for step in steps], [4, 10, 25])
        text = run("bench", "scale", *SERVER, "--count", 4, "--live", 3, "--rounds", 1)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("async/inline", text.stdout)

    def test_dispatch_needs_no_certificate(self):
        result = run("bench", "dispatch", "--count", 100, "--live", 10, "--rounds", 2, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        value = json.loads(result.stdout)
        for way in ["uv_queue_work", "completion_queue", "wait"]:
            self.assertGreater(value[way]["ns_per_call"], 0)
        self.assertEqual(value["uv_queue_work"]["ratio"], 1)
        text = run("bench", "dispatch", "--count", 20, "--live", 7, "--rounds", 1, "--workers", 1)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("waiter helps", text.stdout)

    def test_a_verdict_fails_the_run(self):
        result = run("bench", "handshake", "--cert", cert("wrongname.pem"), "--key",
                     cert("wrongname.key"), "--ca", CA, "--count", 5)
        self.assertEqual(result.returncode, 1)
        self.assertIn("SEC_E_WRONG_PRINCIPAL", result.stderr)


# --- Peers -------------------------------------------------------------------------------------------


class Peers(Folder):
    def curl(self, port, *args):
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE),
             "--cacert", CA, *[arg.replace("BASE", f"https://localhost:{port}") for arg in args]],
            capture_output=True, timeout=PATIENCE + 10, check=False)

    def test_curl(self):
        with Server(self.site) as server:
            for version in [["--tls-max", "1.2"], ["--tlsv1.3"]]:
                result = self.curl(server.port, *version, "BASE/", "BASE/empty", "BASE/list/")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertTrue(result.stdout.startswith(b"<p>hello</p>\n<!doctype html>"))
            result = self.curl(server.port, "--head", "BASE/index.html")
            self.assertRegex(result.stdout, b"^HTTP/[0-9.]+ 200")
            self.assertEqual(self.curl(server.port, "--fail", "BASE/none").returncode, 22)
            result = self.curl(server.port, "--path-as-is", "BASE/../outside.txt")
            self.assertNotIn(b"outside\n", result.stdout)

    def test_200_at_a_time(self):
        with Server(self.site) as server:
            result = self.curl(server.port, "--no-progress-meter", "--parallel",
                               "--parallel-immediate", "--parallel-max", "200", "--output",
                               "/dev/null", "--http1.1", "--header", "Connection: close",
                               "--write-out", "%{http_code}\\n", "BASE/index.html?[1-200]")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout.split().count(b"200"), 200)

    def test_s_client(self):
        with Server(self.site) as server:
            for version in ["-tls1_2", "-tls1_3"]:
                result = subprocess.run(
                    ["openssl", "s_client", "-connect", f"localhost:{server.port}", "-servername",
                     "localhost", "-CAfile", CA, "-verify_return_error", "-alpn", "http/1.1",
                     "-quiet", "-no_ign_eof", "-ign_eof", version],
                    input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=PATIENCE,
                    check=False)
                self.assertIn(b"<p>hello</p>", result.stdout, result.stderr)

    def s_server(self, *args, name="server"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert(f"{name}.pem"),
             "-cert_chain", cert(f"{name}.pem"), "-key", cert(f"{name}.key"), *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        for _ in range(200):
            line = process.stdout.readline()
            if not line or line.startswith(b"ACCEPT"):
                break
        return port, process

    def test_s_server(self):
        for version in ["1.2", "1.3"]:
            port, _ = self.s_server("-www", "-alpn", "http/1.1",
                                    "-tls" + version.replace(".", "_"))
            result = run("connect", f"localhost:{port}", "--ca", CA, "--alpn", "h2,http/1.1",
                         "--send", stdin=b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn("HTTP/1.0 200 ok", result.stdout, result.stderr)
            self.assertIn(f"TLS {version}", result.stderr)
            self.assertRegex(result.stderr, r"application +http/1\.1")
            result = run("connect", f"localhost:{port}", "--ca", CA, "--json", "--repeat", 2)
            resumed = [entry["resumed"] for entry in json.loads(result.stdout)["connections"]]
            self.assertEqual(resumed, [False, True], version)

    def read_until(self, process, line):
        """Reads lines until this one comes; a process that is silent for too long is killed."""
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        try:
            for found in process.stdout:
                if found == line:
                    return
        finally:
            timer.cancel()
        self.fail(f"no {line} came")

    def test_s_server_key_updates_then_is_killed(self):
        port, process = self.s_server("-tls1_3")
        client = subprocess.Popen(
            [SSPI, "connect", f"localhost:{port}", "--ca", CA, "--send", "--quiet"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def say(pipe, text):
            pipe.write(text)
            pipe.flush()

        say(client.stdin, b"one\n")
        self.read_until(process, b"one\n")
        for command in [b"k\n", b"K\n", b"K\n"]: # its keys; its keys, and it asks for ours
            say(process.stdin, command)
            time.sleep(0.3) # s_server takes a command only at the beginning of what it reads
            say(process.stdin, b"two\n")
            self.read_until(client, b"two\n")
            say(client.stdin, b"three\n")
            self.read_until(process, b"three\n")
        process.kill()
        _, error = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 1)
        self.assertIn(b"closed the connection without a close_notify", error)

    def test_client_certificate(self):
        for version in ["-tls1_2", "-tls1_3"]:
            port, _ = self.s_server("-www", "-Verify", "2", "-CAfile", CA, "-verify_return_error",
                                    version)
            request = b"GET / HTTP/1.0\r\n\r\n"
            result = run("connect", f"localhost:{port}", "--ca", CA, "--cert", cert("client.pem"),
                         "--key", cert("client.key"), "--send", stdin=request)
            self.assertIn("HTTP/1.0 200 ok", result.stdout, result.stderr)
            result = run("connect", f"localhost:{port}", "--ca", CA, "--send", stdin=request)
            self.assertEqual(result.returncode, 1, result.stderr)


SETS = {
    "alone": [CommandLine, Status, Packages, ServeAndConnect, Http, StatusPage, BadPeers, Bench],
    "peers": [Peers],
}


def main():
    global SSPI
    if len(sys.argv) < 3 or sys.argv[2] not in SETS:
        print(__doc__, file=sys.stderr)
        return 2
    SSPI = sys.argv[1]
    if sys.argv[2] == "peers":
        missing = [name for name in ["openssl", "curl"] if not shutil.which(name)]
        if missing:
            print(f"missing: {missing}")
            return 1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in SETS[sys.argv[2]])
    if len(sys.argv) > 3:
        names = sys.argv[3:]
        tests = [test for group in suite for test in group]
        suite = unittest.TestSuite(test for test in tests
                                   if any(name in test.id() for name in names))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
