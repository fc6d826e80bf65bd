/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Tickets, asked for step by step, with the exchanges of kdc.h between the steps. So a wait for a
 * server ends with the deadline, or when nobody wants the ticket any more.
 *
 * Not to be called inside OSSPI_GSS_CALL. A krb5_context belongs to one thread at a time.
 */
#ifndef OSSPI_GSSAPI_TICKET_H
#define OSSPI_GSSAPI_TICKET_H

#include <krb5.h>
#include <stdint.h>

/** What a client proves his name with: one of the two. */
struct osspi_ticket_secret {
    const char *password;
    krb5_keytab keytab;
};

/**
 * A ticket for the client's own realm (AS exchange).
 *
 * @param[in] cache  initialised for the client; the ticket is stored there
 * @return 0 or libkrb5's own code, whose message the context has.
 */
krb5_error_code osspi_ticket_initial(krb5_context k5, krb5_principal client,
                                     const struct osspi_ticket_secret *secret, krb5_ccache cache,
                                     uint64_t deadline_ns);

/**
 * A ticket for the server of passwords, from the client's password alone (AS exchange): good for
 * some minutes, and also where the password has expired.
 *
 * @param[out] ret_creds  freed with krb5_free_cred_contents()
 */
krb5_error_code osspi_ticket_password(krb5_context k5, krb5_principal client, const char *password,
                                      uint64_t deadline_ns, krb5_creds *ret_creds);

/**
 * A ticket for a service (TGS exchanges, across realms where need be).
 *
 * @param[in]  cache      holds the client's ticket for his realm; what is found is stored there
 * @param[in]  server     its realm may be empty: then the realms tell where it is
 * @param[out] ret_creds  freed with krb5_free_cred_contents()
 */
krb5_error_code osspi_ticket_service(krb5_context k5, krb5_principal client, krb5_principal server,
                                     krb5_ccache cache, uint64_t deadline_ns,
                                     krb5_creds *ret_creds);

#endif
