# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""A Kerberos realm of a test's own: MIT's KDC on a copy of the test realm, for tests in Python.

The realm sets the environment (KRB5_CONFIG, KRB5CCNAME, ...) of this process and of what it starts. Its folder and its KDC
end with the with statement. NTLM's users are in a file beside it.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from sspi_server import PATIENCE, die_with_parent

NAME = "OPENSSPI.TEST"


def missing():
    """What the realm needs and this machine has not."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    return [name for name in ["krb5kdc", "kadmin.local", "kinit"] if not shutil.which(name)]


def secret(user):
    return f"secret of {user}"


class Realm:
    """OPENSSPI.TEST with a KDC. alice has tickets (unless tickets=False); services have host names as
    in script/make-test-realm, and HTTP/localhost."""

    def __init__(self, tickets=True):
        self.tickets = tickets

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sspi-realm-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        for file in Path(os.environ["OSSPI_TEST_REALM"]).iterdir():
            shutil.copy(file, self.folder)
        # A port that is free for datagrams and for connections.
        while True:
            with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
                stream.bind(("127.0.0.1", 0))
                self.port = stream.getsockname()[1]
                try:
                    datagram.bind(("127.0.0.1", self.port))
                    break
                except OSError:
                    continue
        self.write("krb5.conf", self.configuration(self.port))
        self.write("kdc.conf", f"""[realms]
            {NAME} = {{
                database_name = {self.folder}/principal
                key_stash_file = {self.folder}/stash
                kdc_listen = 127.0.0.1:{self.port}
                kdc_tcp_listen = 127.0.0.1:{self.port}
            }}
            [logging]
                kdc = FILE:{self.folder}/kdc.log
            """)
        self.write("password", secret("alice") + "\n")
        self.write("wrong", "not the secret\n")
        self.write("users", "".join(f"{NAME}:{user}:{secret(user)}\n" for user in ["alice", "bob"]))
        os.environ.update(
            KRB5_CONFIG=self.path("krb5.conf"), KRB5_KDC_PROFILE=self.path("kdc.conf"),
            KRB5_KTNAME="FILE:" + self.path("server.keytab"), KRB5CCNAME="FILE:" + self.path("ccache"),
            KRB5RCACHENAME="file2:" + self.path("rcache"), KRB5_CLIENT_KTNAME="FILE:" + self.path("none"),
            NTLM_USER_FILE=self.path("users"))
        for order in ["addprinc -randkey HTTP/localhost",
                      f"ktadd -k {self.folder}/server.keytab HTTP/localhost"]:
            subprocess.run(["kadmin.local", "-r", NAME, "-q", order], check=True, timeout=PATIENCE,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.kdc = subprocess.Popen(["krb5kdc", "-n"], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.await_port()
        if self.tickets:
            self.log_in()

    def configuration(self, port):
        return f"""[libdefaults]
            default_realm = {NAME}
            dns_lookup_kdc = false
            dns_lookup_realm = false
            dns_canonicalize_hostname = false
            rdns = false
        [realms]
            {NAME} = {{
                kdc = 127.0.0.1:{port}
            }}
        [domain_realm]
            server.test = {NAME}
            localhost = {NAME}
        """

    def await_port(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.kdc.poll() is not None or time.monotonic() > end:
                    raise AssertionError("the KDC does not start") from None
                time.sleep(0.02)

    def log_in(self, user="alice"):
        subprocess.run(["kinit", user], input=secret(user).encode(), check=True,
                       stdout=subprocess.DEVNULL, timeout=PATIENCE)

    def log_out(self):
        Path(self.path("ccache")).unlink(missing_ok=True)

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, text):
        Path(self.path(name)).write_text(text, encoding="utf-8")

    def __exit__(self, *_):
        kdc = getattr(self, "kdc", None)
        if kdc:
            kdc.kill()
            kdc.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Silence:
    """Takes connections and datagrams on a port, and never answers: a KDC that has lost interest."""

    def __enter__(self):
        self.stream, self.datagram = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self.stream.bind(("127.0.0.1", 0))
        self.port = self.stream.getsockname()[1]
        self.datagram.bind(("127.0.0.1", self.port))
        self.stream.listen(64)
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.datagram.close()
