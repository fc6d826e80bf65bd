/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Changes of passwords; see kpasswd.h.
 *
 * A ticket for kadmin/changepw is asked for with the old password. Under its key goes the new one,
 * in KRB-PRIV behind an AP-REQ; libkrb5 makes and reads both, here stands the frame around them.
 * The request goes to one server once: whoever got it twice would find it replayed, or the new
 * password in use already. The rules of a Windows domain come in the answer as 30 bytes, see
 * MS-KPP in the MS docs' open specifications.
 *
 * Each call has a krb5_context of its own; thread-safe.
 */
#include "packages/gssapi/kpasswd.h"

#include <compat/ntsecapi.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/wait.h"
#include "packages/gssapi/foreign.h"
#include "packages/gssapi/principal.h"
#include "packages/gssapi/status.h"
#include "packages/gssapi/ticket.h"

#define FRAME       6u /* length, version, length of the AP-REQ or AP-REP; 16 bits each */
#define VERSION     1u
#define SET_VERSION 0xFF80u /* some servers answer with the other form's */
#define RULES       30u     /* bytes in which a Windows domain tells its rules */

struct work {
    krb5_context k5;
    krb5_principal client;
    krb5_creds ticket;
    krb5_auth_context auth;
    const char *new_password;
};

static void end_work(struct work *work)
{
    if (!work->k5)
        return;
    OSSPI_GSS_CALL;
    if (work->auth)
        (void)krb5_auth_con_free(work->k5, work->auth);
    krb5_free_cred_contents(work->k5, &work->ticket);
    krb5_free_principal(work->k5, work->client);
    krb5_free_context(work->k5);
}

/* ---- numbers in network order ---- */

static uint64_t get(const uint8_t *at, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | at[i];
    return value;
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* ---- the request ---- */

static void set_address(const union osspi_address *local, krb5_address *ret_address)
{
    const bool is_v6 = local->any.sa_family == AF_INET6;

    *ret_address = (krb5_address){
        .addrtype = is_v6 ? ADDRTYPE_INET6 : ADDRTYPE_INET,
        .length = is_v6 ? sizeof(local->v6.sin6_addr) : sizeof(local->v4.sin_addr),
        .contents = is_v6 ? (krb5_octet *)&local->v6.sin6_addr : (krb5_octet *)&local->v4.sin_addr,
    };
}

static krb5_error_code seal(struct work *work, const union osspi_address *local,
                            krb5_data *ret_request, krb5_data *ret_sealed)
{
    krb5_data text = {.length = (unsigned)strlen(work->new_password),
                      .data = (char *)work->new_password};
    krb5_address address;
    krb5_error_code code = krb5_mk_req_extended(work->k5, &work->auth, AP_OPTS_USE_SUBKEY, NULL,
                                                &work->ticket, ret_request);

    set_address(local, &address);
    if (code == 0)
        code = krb5_auth_con_setflags(work->k5, work->auth, KRB5_AUTH_CONTEXT_DO_SEQUENCE);
    if (code == 0)
        code = krb5_auth_con_setaddrs(work->k5, work->auth, &address, NULL);
    if (code == 0)
        code = krb5_mk_priv(work->k5, work->auth, &text, ret_sealed, NULL);
    return code;
}

static krb5_error_code frame(const krb5_data *request, const krb5_data *sealed, uint8_t **ret_bytes,
                             size_t *ret_len)
{
    const size_t len = FRAME + (size_t)request->length + sealed->length;
    uint8_t *bytes = len <= UINT16_MAX ? osspi_alloc(len) : NULL;

    if (!bytes)
        return ENOMEM;
    put16(bytes, len);
    put16(bytes + 2, VERSION);
    put16(bytes + 4, request->length);
    memcpy(bytes + FRAME, request->data, request->length);
    memcpy(bytes + FRAME + request->length, sealed->data, sealed->length);
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

static krb5_error_code make(void *data, const union osspi_address *local, uint8_t **ret_bytes,
                            size_t *ret_len)
{
    struct work *work = data;
    krb5_data request = {0}, sealed = {0};
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = seal(work, local, &request, &sealed);
    if (code == 0)
        code = frame(&request, &sealed, ret_bytes, ret_len);
    krb5_free_data_contents(work->k5, &sealed);
    krb5_free_data_contents(work->k5, &request);
    return code;
}

/* ---- the answer ---- */

bool osspi_kpasswd_read(const uint8_t *bytes, size_t len, struct osspi_kpasswd_answer *ret_answer)
{
    const uint8_t *rules;

    memset(ret_answer, 0, sizeof(*ret_answer));
    if (len < 2)
        return false;
    rules = bytes + 2;
    ret_answer->code = (int)get(bytes, 2);
    /* Words never begin with two zeros. */
    if (len != 2 + RULES || get(rules, 2) != 0)
        return true;
    ret_answer->has_policy = true;
    ret_answer->min_len = (uint32_t)get(rules + 2, 4);
    ret_answer->history = (uint32_t)get(rules + 6, 4);
    ret_answer->properties = (uint32_t)get(rules + 10, 4);
    ret_answer->max_age = get(rules + 14, 8);
    ret_answer->min_age = get(rules + 22, 8);
    return true;
}

static krb5_error_code read_error(struct work *work, const uint8_t *bytes, size_t len,
                                  struct osspi_kpasswd_answer *answer)
{
    krb5_data data = {.length = (unsigned)len, .data = (char *)bytes};
    krb5_error *error = NULL;
    krb5_error_code code = krb5_rd_error(work->k5, &data, &error);
    bool told;

    if (code != 0)
        return code;
    told = osspi_kpasswd_read((const uint8_t *)error->e_data.data,
                              error->e_data.data ? error->e_data.length : 0, answer);
    code = ERROR_TABLE_BASE_krb5 + (krb5_error_code)error->error;
    krb5_free_error(work->k5, error);
    /* Anybody may have sent it, so it never says that all is well. */
    return told && answer->code != KRB5_KPASSWD_SUCCESS ? 0 : code;
}

/* The server answers under the key that the client has chosen, as RFC 3244 has it. */
static krb5_error_code open_answer(struct work *work, krb5_data *reply, krb5_data *sealed,
                                   krb5_data *ret_text)
{
    krb5_ap_rep_enc_part *unused = NULL;
    krb5_keyblock *key = NULL;
    krb5_error_code code = krb5_auth_con_getsendsubkey(work->k5, work->auth, &key);

    if (code == 0)
        code = krb5_rd_rep(work->k5, work->auth, reply, &unused);
    if (code == 0)
        code = krb5_auth_con_setrecvsubkey(work->k5, work->auth, key);
    if (code == 0)
        code = krb5_rd_priv(work->k5, work->auth, sealed, ret_text, NULL);
    if (unused)
        krb5_free_ap_rep_enc_part(work->k5, unused);
    krb5_free_keyblock(work->k5, key);
    return code;
}

static krb5_error_code read_sealed(struct work *work, const uint8_t *bytes, size_t len,
                                   size_t reply_len, struct osspi_kpasswd_answer *answer)
{
    krb5_data reply = {.length = (unsigned)reply_len, .data = (char *)bytes + FRAME};
    krb5_data sealed = {.length = (unsigned)(len - FRAME - reply_len),
                        .data = (char *)bytes + FRAME + reply_len};
    krb5_data text = {0};
    krb5_error_code code = open_answer(work, &reply, &sealed, &text);

    if (code == 0 && !osspi_kpasswd_read((const uint8_t *)text.data, text.length, answer))
        code = KRB5KRB_AP_ERR_MSG_TYPE;
    answer->sealed = code == 0;
    krb5_free_data_contents(work->k5, &text);
    return code;
}

static krb5_error_code read_answer(struct work *work, const struct osspi_kdc_reply *reply,
                                   struct osspi_kpasswd_answer *ret_answer)
{
    const uint8_t *bytes = reply->bytes;
    const size_t len = reply->len;
    size_t reply_len;

    OSSPI_GSS_CALL;
    if (len < FRAME || get(bytes, 2) != len) /* a bare KRB-ERROR; kdc_message.c has looked at it */
        return read_error(work, bytes, len, ret_answer);
    reply_len = (size_t)get(bytes + 4, 2);
    if ((get(bytes + 2, 2) != VERSION && get(bytes + 2, 2) != SET_VERSION) ||
        reply_len > len - FRAME)
        return KRB5KRB_AP_ERR_MSG_TYPE;
    if (reply_len == 0)
        return read_error(work, bytes + FRAME, len - FRAME, ret_answer);
    return read_sealed(work, bytes, len, reply_len, ret_answer);
}

/* ---- the change ---- */

static SECURITY_STATUS status_of(const struct osspi_kpasswd_answer *answer)
{
    switch (answer->code) {
    case KRB5_KPASSWD_SUCCESS:
        return answer->sealed ? SEC_E_OK : SEC_E_NO_AUTHENTICATING_AUTHORITY;
    case KRB5_KPASSWD_SOFTERROR:
        return (SECURITY_STATUS)STATUS_PASSWORD_RESTRICTION;
    case KRB5_KPASSWD_AUTHERROR:
    case KRB5_KPASSWD_ACCESSDENIED:
    case KRB5_KPASSWD_INITIAL_FLAG_NEEDED:
        return SEC_E_LOGON_DENIED;
    default:
        return SEC_E_NO_AUTHENTICATING_AUTHORITY; /* it cannot do it, or does not speak this */
    }
}

static SECURITY_STATUS give_policy(const struct osspi_kpasswd_answer *answer,
                                   struct osspi_password_change *change)
{
    DOMAIN_PASSWORD_INFORMATION *policy;

    if (!answer->has_policy || !answer->sealed || answer->code == KRB5_KPASSWD_SUCCESS)
        return SEC_E_OK;
    policy = osspi_context_buffer_new(sizeof(*policy));
    if (!policy)
        return SEC_E_INSUFFICIENT_MEMORY;
    policy->MinPasswordLength = (USHORT)answer->min_len;
    policy->PasswordHistoryLength = (USHORT)answer->history;
    policy->PasswordProperties = answer->properties;
    /* Windows has times that are not of the calendar negative. */
    policy->MaxPasswordAge.QuadPart = (LONGLONG)(0 - answer->max_age);
    policy->MinPasswordAge.QuadPart = (LONGLONG)(0 - answer->min_age);
    change->policy = policy;
    return SEC_E_OK;
}

static krb5_error_code name_client(struct work *work, const struct osspi_password_change *change)
{
    const struct osspi_gss_identity identity = {.user = (char *)change->account,
                                                .domain = (char *)change->domain};
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = krb5_init_context(&work->k5);
    return code == 0 ? osspi_principal_user(work->k5, &identity, &work->client) : code;
}

/* A ticket for the change. Of a realm without a KDC, the default realm's KDC is asked, as it is for
 * a context: it may be a domain's short name. */
static krb5_error_code prove(struct work *work, const struct osspi_password_change *change)
{
    const uint64_t deadline_ns = osspi_wait_until(UINT64_MAX);
    krb5_principal other = NULL;
    krb5_error_code code;

    code = osspi_ticket_password(work->k5, work->client, change->old_password, deadline_ns,
                                 &work->ticket);
    if (code != KRB5_REALM_UNKNOWN)
        return code;
    {
        OSSPI_GSS_CALL;
        if (osspi_principal_enterprise(work->k5, work->client, &other) != 0)
            return code;
        krb5_free_principal(work->k5, work->client);
        work->client = other;
    }
    code = osspi_ticket_password(work->k5, work->client, change->old_password, deadline_ns,
                                 &work->ticket);
    return code == KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN ? KRB5_REALM_UNKNOWN : code;
}

static krb5_error_code ask(struct work *work, struct osspi_kpasswd_answer *ret_answer)
{
    const krb5_data *name = &work->client->realm;
    char *realm osspi_auto(osspi_freep) = osspi_alloc((size_t)name->length + 1);
    const struct osspi_kdc_request request = {
        .k5 = work->k5,
        .realm = realm,
        .service = OSSPI_KDC_PASSWORDS,
        .make = make,
        .make_data = work,
        .deadline_ns = osspi_wait_until(UINT64_MAX),
    };
    struct osspi_kdc_reply reply = {0};
    krb5_error_code code;

    if (!realm)
        return ENOMEM;
    memcpy(realm, name->data, name->length);
    code = osspi_kdc_exchange(&request, &reply);
    if (code == 0)
        code = read_answer(work, &reply, ret_answer);
    osspi_free(reply.bytes);
    return code;
}

SECURITY_STATUS osspi_kpasswd(struct osspi_password_change *change)
{
    struct work work osspi_auto(end_work) = {.new_password = change->new_password};
    struct osspi_kpasswd_answer answer;
    krb5_error_code code = name_client(&work, change);
    SECURITY_STATUS status;

    if (code == KRB5_PARSE_MALFORMED)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (code == 0 && change->lane == OSSPI_LANE_CPU) {
        snprintf(change->lane_class, sizeof(change->lane_class), "kdc:%.*s",
                 (int)work.client->realm.length, work.client->realm.data);
        return OSSPI_WANT_BLOCKING;
    }
    if (code == 0)
        code = prove(&work, change);
    if (code != 0)
        return osspi_gss_status_krb5(code);
    code = ask(&work, &answer);
    if (code == 0)
        status = give_policy(&answer, change);
    else
        status = code == ENOMEM ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_NO_AUTHENTICATING_AUTHORITY;
    return status == SEC_E_OK ? status_of(&answer) : status;
}
