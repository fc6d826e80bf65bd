/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Names; see name.h.
 */
#include "packages/gssapi/name.h"

#include <stdio.h>
#include <string.h>

SECURITY_STATUS osspi_gss_name(const char *text, gss_OID type, gss_name_t *ret_name)
{
    gss_buffer_desc buffer = {strlen(text), (void *)text};
    OM_uint32 minor;

    return gss_import_name(&minor, &buffer, type, ret_name) == GSS_S_COMPLETE
               ? SEC_E_OK
               : SEC_E_TARGET_UNKNOWN;
}

/* NTLM wants "service@host". Without a target the mechanism puts this host's name there: it takes
 * no name for none. */
SECURITY_STATUS osspi_gss_name_ntlm_target(const char *target, gss_name_t *ret_name)
{
    const char *name = target ? target : "host";
    const size_t service = strcspn(name, "/@");
    const size_t host = name[service] ? strcspn(name + service + 1, "@") : 0;
    char text[OSSPI_GSS_NAME_SIZE];

    if (host > 0)
        snprintf(text, sizeof(text), "%.*s@%.*s", (int)service, name, (int)host,
                 name + service + 1);
    else
        snprintf(text, sizeof(text), "%s%.*s", target ? "host@" : "", (int)service, name);
    return osspi_gss_name(text, GSS_C_NT_HOSTBASED_SERVICE, ret_name);
}

SECURITY_STATUS osspi_gss_name_ntlm_user(const struct osspi_gss_identity *identity,
                                         gss_name_t *ret_name)
{
    char text[OSSPI_GSS_NAME_SIZE];

    if (identity->domain && identity->domain[0])
        snprintf(text, sizeof(text), "%s\\%s", identity->domain, identity->user);
    else
        snprintf(text, sizeof(text), "%s", identity->user);
    return osspi_gss_name(text, GSS_C_NT_USER_NAME, ret_name);
}

SECURITY_STATUS osspi_gss_name_text(gss_name_t name, char **ret_text)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status = SEC_E_OK;
    OM_uint32 minor;

    *ret_text = NULL;
    if (name == GSS_C_NO_NAME || gss_display_name(&minor, name, &text, NULL) != GSS_S_COMPLETE)
        return SEC_E_OK;
    if (text.length > 0 && ((const char *)text.value)[text.length - 1] == '\0')
        text.length--;                                   /* gss-ntlmssp counts it */
    if (memchr(text.value, '\0', text.length) == NULL) { /* a NUL inside would hide the rest */
        *ret_text = osspi_alloc(text.length + 1);
        if (*ret_text)
            memcpy(*ret_text, text.value, text.length);
        else
            status = SEC_E_INSUFFICIENT_MEMORY;
    }
    (void)gss_release_buffer(&minor, &text);
    return status;
}
