/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The mechanisms of GSSAPI that are used here, and whether the one is there that comes from another
 * package of the distribution. Asking loads it, so nobody asks before somebody wants it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "packages/gssapi/credential.h"

/* Constant: GSSAPI only asks for pointers that are not. 1.2.840.113554.1.2.2,
 * 1.3.6.1.4.1.311.2.2.10, 1.3.6.1.5.5.2. Constant after load. */
gss_OID_desc osspi_gss_oid_krb5 = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
gss_OID_desc osspi_gss_oid_ntlm = {10, "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"};
gss_OID_desc osspi_gss_oid_spnego = {6, "\x2b\x06\x01\x05\x05\x02"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic bool has_ntlm;
static const char *_Atomic winbind_of_test;

static void look(void)
{
    gss_OID_set all = GSS_C_NO_OID_SET;
    OM_uint32 minor;
    int present = 0;

    OSSPI_GSS_CALL;
    if (gss_indicate_mechs(&minor, &all) == GSS_S_COMPLETE)
        (void)gss_test_oid_set_member(&minor, &osspi_gss_oid_ntlm, all, &present);
    (void)gss_release_oid_set(&minor, &all);
    atomic_store(&has_ntlm, present != 0);
}

bool osspi_gss_has_ntlm(void)
{
    (void)pthread_once(&once, look);
    return atomic_load(&has_ntlm);
}

bool osspi_gss_has_winbind(void)
{
    const char *path = atomic_load(&winbind_of_test);

    return access(path ? path : "/run/samba/winbindd/pipe", F_OK) == 0; /* as Debian has it */
}

void osspi_gss_use_winbind(const char *path)
{
    atomic_store(&winbind_of_test, path);
}
