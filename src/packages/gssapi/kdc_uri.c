/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * URI records; see kdc_uri.h.
 */
#include "packages/gssapi/kdc_uri.h"

#include <string.h>
#include <strings.h>

/* One field, up to the next ":"; NULL: there is no further one. */
static const char *next_field(const char *text, size_t *ret_len)
{
    *ret_len = strcspn(text, ":");
    return text[*ret_len] == ':' ? text + *ret_len + 1 : NULL;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

bool osspi_kdc_uri_parse(const char *text, uint16_t port, struct osspi_kdc_uri *ret_uri)
{
    size_t scheme_len, flags_len, transport_len;
    const char *flags = next_field(text, &scheme_len), *transport, *host;

    if (!flags || !is_word(text, scheme_len, "krb5srv"))
        return false;
    transport = next_field(flags, &flags_len);
    host = transport ? next_field(transport, &transport_len) : NULL;
    if (!host)
        return false;
    if (is_word(transport, transport_len, "udp"))
        ret_uri->transport = OSSPI_KDC_UDP;
    else if (is_word(transport, transport_len, "tcp"))
        ret_uri->transport = OSSPI_KDC_TCP;
    else
        return false;
    /* Flags that are not known are passed over. */
    ret_uri->primary = memchr(flags, 'm', flags_len) || memchr(flags, 'M', flags_len);
    return osspi_kdc_list_parse(host, port, &ret_uri->server);
}
