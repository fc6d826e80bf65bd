/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TSRequests inside the TLS connection, and what both sides do with them alike; see leg.h.
 *
 * A message may come in several records, and several records in one leg. What is opened is kept:
 * a record can be opened only once.
 */
#include <opensspi.h>
#include <schannel.h>
#include <string.h>

#include "base/memory.h"
#include "packages/credssp/error_code.h"
#include "packages/credssp/key_auth.h"
#include "packages/credssp/leg.h"
#include "packages/gssapi/initiate.h"
#include "packages/gssapi/ntlm_guard.h"

/* What the messages inside need: secrecy and order. Kerberos proves the server too. */
#define ISC_NEGO \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT | \
     ISC_REQ_SEQUENCE_DETECT | ISC_REQ_MUTUAL_AUTH | ISC_REQ_ALLOCATE_MEMORY | \
     ISC_REQ_EXTENDED_ERROR)
#define ASC_NEGO \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_REPLAY_DETECT | \
     ASC_REQ_SEQUENCE_DETECT | ASC_REQ_MUTUAL_AUTH | ASC_REQ_ALLOCATE_MEMORY | \
     ASC_REQ_EXTENDED_ERROR)

/* ---- receiving ---- */

/* A message of the handshake between the others: a session ticket, a KeyUpdate. */
static SECURITY_STATUS handshake_again(struct osspi_credssp_run *run)
{
    struct osspi_context *tls = run->cc->tls;
    struct osspi_inner_leg leg = {
        .lane = run->leg->lane,
        .in = run->in.at + run->at,
        .in_len = run->in.len - run->at,
    };
    SECURITY_STATUS status;

    run->ex->renegotiating = true;
    status = osspi_inner_leg(run->context, tls, &leg, &run->ex->out);
    if (status == OSSPI_WANT_BLOCKING) {
        osspi_credssp_note_lane(run, tls->package, tls->credential, tls);
        return status;
    }
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        run->missing = leg.missing;
        return status;
    }
    run->at += leg.taken;
    if (status < 0)
        return status;
    run->ex->renegotiating = status == SEC_I_CONTINUE_NEEDED;
    return SEC_E_OK;
}

static SECURITY_STATUS open_record(struct osspi_credssp_run *run)
{
    uint8_t *plain;
    size_t taken = 0, len;
    SECURITY_STATUS status = osspi_inner_open_tls(run->context, run->in.at + run->at,
                                                  run->in.len - run->at, &taken, &plain, &len);

    switch (status) {
    case SEC_E_OK:
        break;
    case SEC_I_RENEGOTIATE:
        run->at += taken;
        return handshake_again(run);
    case SEC_E_INCOMPLETE_MESSAGE:
        run->missing = taken;
        return status;
    case SEC_I_CONTEXT_EXPIRED:
        osspi_context_detail(run->context, "the peer closed the connection before it was done");
        return SEC_E_ILLEGAL_MESSAGE;
    default:
        return status < 0 ? status : SEC_E_ILLEGAL_MESSAGE;
    }
    run->at += taken;
    if (!osspi_bytes_add(&run->ex->plain, plain, len))
        status = SEC_E_INSUFFICIENT_MEMORY;
    if (len > 0)
        osspi_secure_zero(plain, len);
    return status;
}

/* Takes a message out of what is opened, if it is whole. */
static SECURITY_STATUS cut(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;
    size_t len;
    SECURITY_STATUS status = osspi_ts_request_measure(ex->plain.at, ex->plain.len, &len);

    if (status == SEC_E_OK && (len == 0 || len > ex->plain.len))
        return SEC_I_CONTINUE_NEEDED;
    if (status == SEC_E_OK)
        status = osspi_ts_request_decode(ex->plain.at, len, &ex->request);
    if (status != SEC_E_OK) {
        if (status == SEC_E_INVALID_TOKEN)
            osspi_context_detail(run->context, "the peer's message is no TSRequest");
        return status;
    }
    osspi_bytes_drop(&ex->plain, len);
    ex->has_request = true;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_exchange_receive(struct osspi_credssp_run *run)
{
    const size_t begin = run->at;
    SECURITY_STATUS status = SEC_E_OK;

    if (run->ex->has_request) /* this leg was here before */
        return SEC_E_OK;
    for (;;) {
        status = cut(run);
        if (status != SEC_I_CONTINUE_NEEDED)
            return status;
        if (run->at == run->in.len)
            return run->at == begin && run->at == 0 ? SEC_E_INCOMPLETE_MESSAGE
                                                    : SEC_I_CONTINUE_NEEDED;
        status = run->ex->renegotiating ? handshake_again(run) : open_record(run);
        /* What is taken is taken: what is missing belongs to the next leg. */
        if (status == SEC_E_INCOMPLETE_MESSAGE && run->at > 0)
            return SEC_I_CONTINUE_NEEDED;
        if (status != SEC_E_OK)
            return status;
    }
}

SECURITY_STATUS osspi_exchange_check_version(struct osspi_credssp_run *run)
{
    struct osspi_credssp_exchange *ex = run->ex;
    const uint32_t version = ex->request.version;

    if (ex->peer_version != 0 && ex->peer_version != version) {
        osspi_context_detail(run->context, "the peer's CredSSP version changed from %u to %u",
                             ex->peer_version, version);
        return SEC_E_ILLEGAL_MESSAGE;
    }
    ex->peer_version = version;
    ex->version = version < ex->max_version ? version : ex->max_version;
    if (ex->version >= ex->min_version)
        return SEC_E_OK;
    osspi_context_detail(run->context, "the peer speaks CredSSP %u, and at least %u is required",
                         version, ex->min_version);
    return SEC_E_DELEGATION_POLICY;
}

/* ---- sending ---- */

SECURITY_STATUS osspi_exchange_send(struct osspi_credssp_run *run, struct osspi_ts_request *request)
{
    struct osspi_bytes der osspi_auto(osspi_bytes_clear) = {0};
    SECURITY_STATUS status;

    request->version = run->ex->max_version;
    status = osspi_ts_request_encode(request, &der);
    return status == SEC_E_OK ? osspi_inner_seal_tls(run->context, &der, &run->ex->out) : status;
}

/* ---- tokens ---- */

static SECURITY_STATUS begin_nego(struct osspi_credssp_run *run)
{
    struct osspi_credential *credential = osspi_credssp_credential(run->cc->credential)->nego;
    struct osspi_lane_choice choice = {OSSPI_LANE_CPU, ""};
    struct osspi_context *nego;

    /* Where the package wants a first leg to start, nobody has asked yet. */
    credential->package->lane(run->cc->server ? OSSPI_OP_ACCEPT : OSSPI_OP_INITIALIZE, credential,
                              NULL, &choice);
    if (run->leg->lane == OSSPI_LANE_CPU && choice.lane == OSSPI_LANE_BLOCKING) {
        osspi_credssp_note_lane(run, credential->package, credential, NULL);
        return OSSPI_WANT_BLOCKING;
    }
    if (run->cc->nego)
        return SEC_E_OK;
    nego = osspi_inner_new(osspi_credssp_nego(), credential, run->cc->server);
    if (!nego)
        return SEC_E_INSUFFICIENT_MEMORY;
    osspi_gss_go_bare(nego);
    atomic_store_explicit(&run->cc->nego, nego, memory_order_release);
    return SEC_E_OK;
}

/* The TLS connection, for a server that looks at it; not all hashes have bindings. */
static SECURITY_STATUS get_bindings(struct osspi_credssp_run *run, SecBuffer *ret_bindings)
{
    struct osspi_context *tls = run->cc->tls;
    SecPkgContext_Bindings bindings = {0};
    const SECURITY_STATUS status = tls->package->query_context(tls, SECPKG_ATTR_ENDPOINT_BINDINGS,
                                                               &bindings, sizeof(bindings));

    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    *ret_bindings =
        (SecBuffer){bindings.BindingsLength, SECBUFFER_CHANNEL_BINDINGS, bindings.Bindings};
    return SEC_E_OK;
}

/* Who cannot find out does not go on either. */
static SECURITY_STATUS refuse_ntlm(struct osspi_credssp_run *run)
{
    struct osspi_context *nego = run->cc->nego;
    SecPkgContext_NegotiationInfoA info = {0};
    SECURITY_STATUS status =
        nego->package->query_context(nego, SECPKG_ATTR_NEGOTIATION_INFO, &info, sizeof(info));

    if (status != SEC_E_OK)
        return status == SEC_E_INSUFFICIENT_MEMORY ? status : SEC_E_INTERNAL_ERROR;
    if (strcmp(info.PackageInfo->Name, "NTLM") == 0) {
        osspi_context_detail(run->context, "the server is known by NTLM alone");
        status = SEC_E_POLICY_NLTM_ONLY;
    }
    (void)osspi_context_buffer_free(info.PackageInfo);
    return status;
}

static SECURITY_STATUS note_established(struct osspi_credssp_run *run,
                                        const struct osspi_inner_leg *leg)
{
    run->ex->nego_done = true;
    run->cc->expiry = leg->expiry;
    if (run->cc->server)
        return SEC_E_OK;
    if (leg->attributes & ISC_RET_MUTUAL_AUTH)
        run->cc->granted |= ISC_RET_MUTUAL_AUTH;
    return run->ex->refuses_ntlm ? refuse_ntlm(run) : SEC_E_OK;
}

/* NTLM whose flags somebody has taken away would bind nothing to anything. */
static SECURITY_STATUS check_strength(struct osspi_credssp_run *run,
                                      const struct osspi_bytes *token)
{
    if (!token || osspi_ntlm_is_strong(token->at, token->len))
        return SEC_E_OK;
    osspi_context_detail(run->context, "NTLM without extended session security or 128 bits");
    return SEC_E_DELEGATION_POLICY;
}

SECURITY_STATUS osspi_exchange_token(struct osspi_credssp_run *run, struct osspi_bytes *token,
                                     struct osspi_bytes *out)
{
    struct osspi_inner_leg leg = {
        .lane = run->leg->lane,
        .first = !run->ex->nego_begun,
        .target = run->ex->target,
        .flags = run->cc->server ? ASC_NEGO : ISC_NEGO,
        .in = token ? token->at : NULL,
        .in_len = token ? token->len : 0,
        .expiry = run->leg->expiry,
    };
    SecBuffer bindings = {0};
    SECURITY_STATUS status = leg.first ? begin_nego(run) : SEC_E_OK;

    if (status == SEC_E_OK)
        status = check_strength(run, token);
    if (status == SEC_E_OK && !run->cc->server)
        status = get_bindings(run, &bindings);
    if (status != SEC_E_OK)
        return status;
    leg.bindings = bindings.pvBuffer ? &bindings : NULL;
    status = osspi_inner_leg(run->context, run->cc->nego, &leg, out);
    (void)osspi_context_buffer_free(bindings.pvBuffer);
    if (status == OSSPI_WANT_BLOCKING) {
        osspi_credssp_note_lane(run, osspi_credssp_nego(), run->cc->nego->credential,
                                run->cc->nego);
        return status;
    }
    run->ex->nego_begun = true;
    if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED) {
        const SECURITY_STATUS strong = check_strength(run, out); /* our own word counts too */

        if (strong != SEC_E_OK)
            return strong;
    }
    if (status == SEC_E_OK)
        return note_established(run, &leg);
    if (status == SEC_I_CONTINUE_NEEDED || status < 0)
        return status;
    return SEC_E_INTERNAL_ERROR; /* nothing else is to be expected */
}

/* ---- the binding ---- */

static const uint8_t *nonce_of(const struct osspi_credssp_exchange *ex)
{
    return ex->version >= OSSPI_TS_HASHED ? ex->nonce : NULL;
}

/* The server's key: of the peer's certificate or our own. */
static SECURITY_STATUS find_key(struct osspi_credssp_run *run)
{
    struct osspi_context *tls = run->cc->tls;
    PCCERT_CONTEXT certificate = NULL;
    SECURITY_STATUS status;

    if (run->ex->key.len > 0)
        return SEC_E_OK;
    status = tls->package->query_context(
        tls, run->cc->server ? SECPKG_ATTR_LOCAL_CERT_CONTEXT : SECPKG_ATTR_REMOTE_CERT_CONTEXT,
        &certificate, sizeof(certificate));
    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    if (status != SEC_E_OK || !certificate) {
        osspi_context_detail(run->context, "the TLS connection has no certificate of the server");
        return SEC_E_ILLEGAL_MESSAGE;
    }
    status = osspi_key_of_certificate(certificate, &run->ex->key);
    CertFreeCertificateContext(certificate);
    return status;
}

SECURITY_STATUS osspi_exchange_prove(struct osspi_credssp_run *run, struct osspi_bytes *ret_sealed)
{
    struct osspi_bytes proof osspi_auto(osspi_bytes_clear) = {0};
    SECURITY_STATUS status = find_key(run);

    if (status == SEC_E_OK)
        status = osspi_key_auth_make(&run->ex->key, nonce_of(run->ex), run->cc->server, &proof);
    return status == SEC_E_OK ? osspi_inner_seal(run->context, &proof, ret_sealed) : status;
}

SECURITY_STATUS osspi_exchange_check_proof(struct osspi_credssp_run *run)
{
    uint8_t *proof;
    size_t len;
    SECURITY_STATUS status = find_key(run);

    if (status == SEC_E_OK)
        status = osspi_inner_open(run->context, &run->ex->request.key_auth, &proof, &len);
    if (status == SEC_E_OK)
        status =
            osspi_key_auth_check(&run->ex->key, nonce_of(run->ex), !run->cc->server, proof, len);
    if (status == SEC_E_MESSAGE_ALTERED)
        osspi_context_detail(run->context, "the peer does not prove that it has the TLS "
                                           "connection that we have: somebody may be between");
    return status;
}
