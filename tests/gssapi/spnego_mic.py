# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Whether the system's own SPNEGO finds the MIC in an answer. krb5 1.21's looks for it under another tag
(docs/negotiate.md), so that peers which use it cannot do NTLM inside SPNEGO, not even with one another. Tests with such
peers leave those cases out; what this library does with its own two sides, and with others, is tested all the same."""

import functools
import os
import subprocess
import sys
import tempfile

FINDS_NONE = 3


@functools.cache
def peers_read_it():
    """Two sides of python3-gssapi try. True as well where that cannot be found out."""
    with tempfile.NamedTemporaryFile("w", prefix="opensspi-mic-") as file:
        file.write("MIC:user:password\n")
        file.flush()
        # Debian's own python has the module, whatever python3 comes first.
        result = subprocess.run(["/usr/bin/python3", __file__], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env={**os.environ, "NTLM_USER_FILE": file.name}, timeout=60, check=False)
    return result.returncode != FINDS_NONE


def both_sides():
    import gssapi
    from gssapi.raw import acquire_cred_with_password, set_neg_mechs

    spnego, ntlm = map(gssapi.OID.from_int_seq, ("1.3.6.1.5.5.2", "1.3.6.1.4.1.311.2.2.10"))
    user = gssapi.Name("MIC\\user", gssapi.NameType.user)
    target = gssapi.Name("HTTP@server.test", gssapi.NameType.hostbased_service)
    ours = acquire_cred_with_password(user, b"password", mechs=[spnego], usage="initiate").creds
    theirs = gssapi.Credentials(mechs=[spnego], usage="accept")
    for creds in (ours, theirs):
        set_neg_mechs(creds, [ntlm])
    client = gssapi.SecurityContext(name=target, creds=ours, mech=spnego, usage="initiate",
                                    flags=gssapi.RequirementFlag.integrity)
    server = gssapi.SecurityContext(creds=theirs, usage="accept")
    try:
        token = client.step()
        while token:
            token = server.step(token)
            token = client.step(token) if token else None
    except gssapi.exceptions.InvalidTokenError:
        return FINDS_NONE
    return 0


if __name__ == "__main__":
    sys.exit(both_sides())
