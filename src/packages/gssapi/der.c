/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading DER; see der.h. Every length is held against what is there before it is used.
 */
#include "packages/gssapi/der.h"

bool osspi_der_take(struct osspi_der *der, uint8_t *ret_tag, struct osspi_der *ret_inside)
{
    size_t len, head = 2;

    if (der->len < head)
        return false;
    *ret_tag = der->bytes[0];
    len = der->bytes[1];
    if (len > 0x80) {
        size_t count = len & 0x7Fu;

        if (count > 3 || der->len < head + count)
            return false;
        for (len = 0; count > 0; count--)
            len = len << 8 | der->bytes[head++];
    } else if (len == 0x80) {
        return false; /* no length: not in DER */
    }
    if (len > der->len - head)
        return false;
    *ret_inside = (struct osspi_der){der->bytes + head, len};
    der->bytes += head + len;
    der->len -= head + len;
    return true;
}

bool osspi_der_enter(struct osspi_der *der, uint8_t tag)
{
    struct osspi_der inside;
    uint8_t found;

    if (!osspi_der_take(der, &found, &inside) || found != tag)
        return false;
    *der = inside;
    return true;
}
