# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""A Samba domain controller for a test: on a copy of what script/make-test-ad has made, with all the
ports that clients expect, in a network, mounts and processes of the test's own. When the test ends,
however it ends, the kernel ends the domain controller.

Below /run is an empty file system there, which is where winbind listens and is looked for.
"""

import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

REALM, SHORT = "AD.OPENSSPI.TEST", "OPENAD"
SUFFIX = REALM.lower()
PATIENCE = 120
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

SETTINGS = """[global]
netbios name = DC
realm = {realm}
workgroup = {short}
server role = active directory domain controller
server services = rpc, ldap, kdc, winbindd
interfaces = lo
bind interfaces only = yes
tls enabled = no
disable spoolss = yes
load printers = no
usershare max shares = 0
private dir = {folder}/dc/private
state directory = {folder}/dc/state
lock directory = {folder}/dc
cache directory = {folder}/dc/cache
binddns dir = {folder}/dc/bind-dns
ncalrpc dir = {folder}/run/ncalrpc
pid directory = {folder}/run
log file = {folder}/log.%m
max log size = 0
posix:eadb = {folder}/dc/eadb.tdb
[sysvol]
path = {folder}/dc/state/sysvol
"""

KERBEROS = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
[realms]
{realm} = {{
kdc = 127.0.0.1
kpasswd_server = 127.0.0.1
}}
[domain_realm]
.{suffix} = {realm}
server.test = {realm}
"""


def password(name):
    """The first password of everybody."""
    return "Passw0rd of %s" % name


def missing(what):
    print("%s is missing" % what, file=sys.stderr)
    sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)


def may_mount_unseen():
    """Below a root that is no mount of its own nothing can be made private; it need not, where
    everything is already."""
    return "shared:" not in pathlib.Path("/proc/self/mountinfo").read_text()


def raise_loopback():
    """A new network has its lo, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def enter():
    """Starts the program anew in namespaces of its own, unless it is there; ends it with 77 where it
    has no right to."""
    if os.environ.get("OSSPI_AD_INSIDE") == str(os.getpid()):
        os.mkdir("/run/samba", 0o755)
        raise_loopback()
        return
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    for more in ([], ["--propagation", "unchanged"]):
        if more and not may_mount_unseen():
            break
        if subprocess.run([*command, *more, "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0:
            os.environ["OSSPI_AD_INSIDE"] = "1"
            os.execvp("unshare", [*command, *more, "sh", "-c",
                                  "mount -t tmpfs tmpfs /run && mount -t proc proc /proc && "
                                  'exec "$@"', "sh", sys.executable, *sys.argv])
    print("no right to a network of the test's own", file=sys.stderr)
    sys.exit(77)


class Domain:
    """The domain controller. Start it once; there is one per network."""

    def __init__(self, source):
        self.folder = tempfile.mkdtemp(prefix="opensspi-ad-")
        shutil.copytree(os.path.join(source, "dc"), self.path("dc"), symlinks=True)
        for name in ("service.keytab", "delegate.keytab"):
            shutil.copy(os.path.join(source, name), self.folder)
        os.mkdir(self.path("run"), 0o755)
        os.chmod(self.folder, 0o755)
        names = {"realm": REALM, "short": SHORT, "suffix": SUFFIX, "folder": self.folder}
        self.write("smb.conf", SETTINGS.format(**names))
        self.write("krb5.conf", KERBEROS.format(**names))
        os.environ.update(
            KRB5_CONFIG=self.path("krb5.conf"), KRB5_KTNAME=self.path("service.keytab"),
            KRB5_CLIENT_KTNAME=self.path("no.keytab"), KRB5CCNAME="FILE:" + self.path("ccache"),
            KRB5RCACHENAME="file2:" + self.path("rcache"))
        os.environ.pop("NTLM_USER_FILE", None)
        self.log = open(self.path("samba.log"), "wb")
        self.process = subprocess.Popen(
            ["samba", "-F", "-M", "single", "--no-process-group", "--debug-stdout", "-d", "1",
             "-s", self.path("smb.conf")], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def is_up(self):
        try:
            for port in (88, 389, 464):
                socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return subprocess.run(["wbinfo", "-p"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def wait(self):
        end = time.monotonic() + PATIENCE
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("the domain controller does not start:\n" + self.text())
            time.sleep(0.1)

    def text(self):
        with open(self.path("samba.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-5000:]

    def stop(self):
        if self.process.poll() is not None:
            print("the domain controller has ended:\n" + self.text(), file=sys.stderr)
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
