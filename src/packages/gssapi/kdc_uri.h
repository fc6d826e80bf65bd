/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What URI records say about a realm's servers ("krb5srv:m:udp:kdc.example.org:88"), as MIT
 * Kerberos' manual of realm configuration has it. Pure functions over text from the network.
 */
#ifndef OSSPI_GSSAPI_KDC_URI_H
#define OSSPI_GSSAPI_KDC_URI_H

#include "packages/gssapi/kdc_find.h"

struct osspi_kdc_uri {
    struct osspi_kdc_server server;
    enum osspi_kdc_transport transport;
    bool primary;
};

/** Takes a record's text apart; port: where it has none. False: it is none of these, or names a way
 * that is not gone here (an HTTPS proxy, "kkdcp"). */
bool osspi_kdc_uri_parse(const char *text, uint16_t port, struct osspi_kdc_uri *ret_uri);

#endif
