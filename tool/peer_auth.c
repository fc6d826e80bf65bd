/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Who speaks on a connection of `sspi serve --auth` (RFC 4559; "NTLM" the same way).
 */
#include "peer_auth.h"

#include <stdlib.h>
#include <string.h>

#include <opensspi.h>

#include "http_auth.h"
#include "peer.h"
#include "text.h"

#define AUTH_FLAGS    (ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_CONNECTION | ASC_REQ_EXTENDED_ERROR)
#define AUTH_SPARE_MS 2000 /* for the answer, behind the leg's own deadline */

struct peer_auth {
    SspiAsyncContext *call;
    CtxtHandle context; /* all-ones: none; only while legs are to come */
    enum http_scheme scheme;
    bool pending, keep_alive;
    bool shared;                     /* by several clients, behind a proxy */
    peer_auth_done *done;            /* of the leg that is pending */
    SecPkgContext_Bindings bindings; /* empty: the certificate has none */
    struct bytes token;              /* the leg's input */
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    struct bytes reply; /* the token for the answer */
    char *user;         /* NULL: nobody yet */
};

static void on_leg_done(SspiAsyncContext *call, void *data);

const char *peer_auth_start(struct peer *peer)
{
    struct peer_auth *auth = calloc(1, sizeof(*auth));
    if (!auth)
        return "out of memory";
    peer->auth = auth;
    SecInvalidateHandle(&auth->context);
    auth->call = SspiCreateAsyncContext();
    if (!auth->call || SspiSetAsyncNotifyCallback(auth->call, on_leg_done, peer) != SEC_E_OK ||
        OsspiSetCompletionQueue(auth->call, peer->server->queue) != SEC_E_OK)
        return "out of memory";
    SECURITY_STATUS status =
        QueryContextAttributesA(&peer->context, SECPKG_ATTR_ENDPOINT_BINDINGS, &auth->bindings);
    /* RFC 5929 defines none for Ed25519. Then nobody can bind, so nobody may be asked to. */
    if (status == SEC_E_OK ||
        (status == SEC_E_UNSUPPORTED_FUNCTION && peer->server->options.allow_missing_bindings))
        return NULL;
    return status == SEC_E_UNSUPPORTED_FUNCTION
               ? "the certificate's signature has no channel bindings: take another certificate, "
                 "or --allow-missing-bindings"
               : text_status(status);
}

const char *peer_auth_user(const struct peer *peer)
{
    return peer->auth ? peer->auth->user : NULL;
}

static void forget_context(struct peer_auth *auth)
{
    tls_delete(&auth->context);
}

static void forget_user(struct peer_auth *auth)
{
    free(auth->user);
    auth->user = NULL;
}

/* The name that the package gives; a client without one is let in nowhere. */
static void learn_user(struct peer *peer)
{
    struct peer_auth *auth = peer->auth;
    SecPkgContext_NamesA names = {0};
    SecPkgContext_NegotiationInfoA info = {0};

    if (QueryContextAttributesA(&auth->context, SECPKG_ATTR_NAMES, &names) == SEC_E_OK &&
        names.sUserName && names.sUserName[0])
        auth->user = strdup(names.sUserName);
    (void)QueryContextAttributesA(&auth->context, SECPKG_ATTR_NEGOTIATION_INFO, &info);
    if (auth->user)
        server_log(peer->server, peer->name, "authenticated: %s, by %s", auth->user,
                   info.PackageInfo ? info.PackageInfo->Name : http_scheme_name(auth->scheme));
    FreeContextBuffer(names.sUserName);
    FreeContextBuffer(info.PackageInfo);
}

/* What a client can do nothing about, and may try again later. */
static bool is_our_trouble(SECURITY_STATUS status)
{
    return status == HRESULT_FROM_WIN32(ERROR_TIMEOUT) || status == SEC_E_NO_CREDENTIALS ||
           status == SEC_E_INSUFFICIENT_MEMORY || status == SEC_E_INTERNAL_ERROR ||
           status == SEC_E_NO_AUTHENTICATING_AUTHORITY;
}

static int fail(struct peer *peer, SECURITY_STATUS status)
{
    struct peer_auth *auth = peer->auth;
    char detail[256];

    text_detail(SecIsValidHandle(&auth->context) ? &auth->context : NULL, detail, sizeof(detail));
    server_log(peer->server, peer->name, "authentication failed: %s%s%s", text_status(status),
               detail[0] ? ": " : "", detail);
    forget_context(auth);
    bytes_clear(&auth->reply);
    return is_our_trouble(status) ? 503 : 401;
}

/* The verdict on a leg: 0 when it was the last one. */
static int conclude(struct peer *peer, SECURITY_STATUS status)
{
    struct peer_auth *auth = peer->auth;

    if (auth->out[0].pvBuffer && auth->out[0].cbBuffer > 0 && status >= 0 &&
        !bytes_append(&auth->reply, auth->out[0].pvBuffer, auth->out[0].cbBuffer))
        status = SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_I_CONTINUE_NEEDED && auth->keep_alive)
        return 401;
    if (status == SEC_I_CONTINUE_NEEDED) {
        server_log(peer->server, peer->name, "authentication needs a connection that stays open");
        forget_context(auth);
        bytes_clear(&auth->reply);
        return 401;
    }
    if (status != SEC_E_OK)
        return fail(peer, status);
    learn_user(peer);
    if (!auth->user)
        return fail(peer, SEC_E_LOGON_DENIED);
    forget_context(auth);
    return 0;
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct peer *peer = data;
    struct peer_auth *auth = peer->auth;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    int refusal = 0;

    auth->pending = false;
    if (peer->state == PEER_OPEN)
        refusal = conclude(peer, status);
    FreeContextBuffer(auth->out[0].pvBuffer);
    auth->out[0].pvBuffer = NULL;
    if (peer->state == PEER_OPEN)
        auth->done(peer, refusal);
    if (peer->state == PEER_DROPPED)
        peer_auth_drop(peer); /* which could only cancel while the leg was pending */
    peer_release(peer);
}

static SECURITY_STATUS begin_leg(struct peer *peer)
{
    struct peer_auth *auth = peer->auth;
    struct server *server = peer->server;
    bool first = !SecIsValidHandle(&auth->context);

    auth->in[0] = (SecBuffer){(ULONG)auth->token.len, SECBUFFER_TOKEN, auth->token.data};
    auth->in[1] = (SecBuffer){auth->bindings.BindingsLength, SECBUFFER_CHANNEL_BINDINGS,
                              auth->bindings.Bindings};
    auth->in_desc = (SecBufferDesc){SECBUFFER_VERSION, auth->bindings.Bindings ? 2 : 1, auth->in};
    auth->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    auth->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, auth->out};
    SspiReinitAsyncContext(auth->call);
    OsspiSetAsyncTimeout(auth->call, server->options.handshake_ms);
    return SspiAcceptSecurityContextAsync(
        auth->call, &server->auth[auth->scheme], first ? NULL : &auth->context, &auth->in_desc,
        AUTH_FLAGS | (server->options.allow_missing_bindings ? ASC_REQ_ALLOW_MISSING_BINDINGS : 0),
        SECURITY_NATIVE_DREP, &auth->context, &auth->out_desc, &auth->attributes, NULL);
}

/* The token belongs to the exchange under way, or begins one. */
static void judge(struct peer *peer, enum http_scheme scheme, peer_auth_done *done)
{
    struct peer_auth *auth = peer->auth;

    if (scheme != auth->scheme)
        forget_context(auth);
    forget_user(auth);
    auth->scheme = scheme;
    SECURITY_STATUS status = begin_leg(peer);
    if (status != SEC_E_OK) {
        done(peer, fail(peer, status));
        return;
    }
    auth->pending = true;
    auth->done = done;
    peer_hold(peer);
    peer_set_deadline(peer, peer->server->options.handshake_ms + AUTH_SPARE_MS);
}

void peer_auth_check(struct peer *peer, const struct bytes *value, bool keep_alive, bool forwarded,
                     peer_auth_done *done)
{
    struct peer_auth *auth = peer->auth;
    enum http_scheme scheme;
    enum http_auth_result result = HTTP_AUTH_OTHER;

    bytes_clear(&auth->reply);
    auth->keep_alive = keep_alive;
    auth->shared = auth->shared || forwarded;
    if (value)
        result = http_auth_read((const char *)value->data, value->len, &scheme, &auth->token);
    if (result == HTTP_AUTH_TOKEN && SecIsValidHandle(&peer->server->auth[scheme]) &&
        auth->token.len > 0) {
        judge(peer, scheme, done);
        return;
    }
    forget_context(auth);
    if (value || auth->shared)
        forget_user(auth); /* wants to be somebody, and is not; or may be somebody else */
    done(peer, result == HTTP_AUTH_BAD ? 400 : auth->user ? 0 : 401);
}

static bool add_challenge(struct answer *answer, enum http_scheme scheme, const struct bytes *token)
{
    struct bytes value = {0};
    bool done =
        http_auth_write(&value, scheme, token ? token->data : NULL, token ? token->len : 0) &&
        bytes_append(&value, "", 1) &&
        answer_add_long(answer, "WWW-Authenticate", (const char *)value.data);
    bytes_clear(&value);
    return done;
}

bool peer_auth_add(struct peer *peer, struct answer *answer)
{
    struct peer_auth *auth = peer->auth;
    bool done =
        !auth->user || answer_add(answer, "Persistent-Auth", auth->shared ? "false" : "true");

    if (auth->reply.len > 0) {
        done = done && add_challenge(answer, auth->scheme, &auth->reply);
        bytes_clear(&auth->reply);
        return done;
    }
    for (int i = 0; answer->status == 401 && i < HTTP_SCHEMES && done; i++) {
        if (SecIsValidHandle(&peer->server->auth[i]))
            done = add_challenge(answer, (enum http_scheme)i, NULL);
    }
    return done;
}

void peer_auth_drop(struct peer *peer)
{
    struct peer_auth *auth = peer->auth;

    if (auth && auth->pending)
        OsspiCancelAsyncCall(auth->call);
    else if (auth)
        forget_context(auth);
}

void peer_auth_clear(struct peer *peer)
{
    struct peer_auth *auth = peer->auth;

    if (!auth)
        return;
    forget_context(auth);
    SspiFreeAsyncContext(auth->call);
    FreeContextBuffer(auth->bindings.Bindings);
    bytes_clear(&auth->token);
    bytes_clear(&auth->reply);
    forget_user(auth);
    free(auth);
    peer->auth = NULL;
}
