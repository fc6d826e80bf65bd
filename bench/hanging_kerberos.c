/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contexts of Kerberos; see hanging_kerberos.h. A pair is used by one thread at a time; which one
 * may change from leg to leg.
 */
#include "hanging_kerberos.h"

#include <stdlib.h>

#include "common.h"
#include "hanging_ground.h"

#define TOKEN_MAX 16384

/* --- Credentials --- */

static void acquire_client(CredHandle *ret_credential)
{
    static unsigned char user[] = "alice", domain[] = GROUND_REALM, password[] = "secret of alice";
    static char package[] = "Kerberos";
    SEC_WINNT_AUTH_IDENTITY_A identity = {.User = user,
                                          .UserLength = sizeof(user) - 1,
                                          .Domain = domain,
                                          .DomainLength = sizeof(domain) - 1,
                                          .Password = password,
                                          .PasswordLength = sizeof(password) - 1,
                                          .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI};

    if (AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, &identity, NULL, NULL,
                                  ret_credential, NULL) != SEC_E_OK)
        bench_die("no credential for the client");
}

void kerberos_engine_open(struct kerberos_engine *engine, bool login)
{
    static char package[] = "Kerberos";

    *engine = (struct kerberos_engine){.login = login};
    if (!login)
        acquire_client(&engine->client);
    if (AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_INBOUND, NULL, NULL, NULL, NULL,
                                  &engine->server, NULL) != SEC_E_OK)
        bench_die("no credential for the server");
}

/* --- A leg --- */

static SECURITY_STATUS queue_leg(struct kerberos_end *end)
{
    static char target[] = GROUND_TARGET;
    struct kerberos_pair *pair = end->pair;
    struct kerberos_engine *engine = pair->engine;
    PCtxtHandle context = SecIsValidHandle(&end->context) ? &end->context : NULL;

    end->in = (SecBuffer){end->other->token_len, SECBUFFER_TOKEN, end->other->token};
    end->out = (SecBuffer){TOKEN_MAX, SECBUFFER_TOKEN, end->token};
    SspiReinitAsyncContext(end->call);
    if (end->server)
        return SspiAcceptSecurityContextAsync(end->call, &engine->server, context, &end->in_desc, 0,
                                              0, &end->context, &end->out_desc, &end->attributes,
                                              NULL);
    return SspiInitializeSecurityContextAsyncA(
        end->call, engine->login ? &pair->own : &engine->client, context, target,
        ISC_REQ_MUTUAL_AUTH, 0, 0, context ? &end->in_desc : NULL, 0, &end->context, &end->out_desc,
        &end->attributes, NULL);
}

static void next_leg(struct kerberos_end *end)
{
    const SECURITY_STATUS status = queue_leg(end);

    if (status != SEC_E_OK)
        bench_die("a leg was refused: %s", OsspiStatusName(status));
}

static void on_done(SspiAsyncContext *call, void *data)
{
    struct kerberos_end *end = data, *other = end->other;
    const SECURITY_STATUS status = SspiGetAsyncCallStatus(call);

    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
        bench_die("a leg of Kerberos's %s ended with %s", end->server ? "server" : "client",
                  OsspiStatusName(status));
    other->token_len = 0;
    end->token_len = end->out.cbBuffer;
    end->established = status == SEC_E_OK;
    if (end->token_len > 0)
        next_leg(other);
    else if (end->established && other->established)
        end->pair->finished(end->pair);
    else
        bench_die("Kerberos's %s has nothing to say", end->server ? "server" : "client");
}

static void init_end(struct kerberos_end *end, struct kerberos_pair *pair,
                     struct kerberos_end *other, bool server)
{
    end->pair = pair;
    end->other = other;
    end->server = server;
    end->token = malloc(TOKEN_MAX);
    end->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &end->in};
    end->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &end->out};
    end->call = SspiCreateAsyncContext();
    SecInvalidateHandle(&end->context);
    if (!end->token || SspiSetAsyncNotifyCallback(end->call, on_done, end) != SEC_E_OK)
        bench_die("out of memory");
}

/* --- A pair --- */

void kerberos_pair_init(struct kerberos_pair *pair, struct kerberos_engine *engine)
{
    *pair = (struct kerberos_pair){.engine = engine};
    init_end(&pair->client, pair, &pair->server, false);
    init_end(&pair->server, pair, &pair->client, true);
}

void kerberos_pair_go(struct kerberos_pair *pair)
{
    pair->client.established = pair->server.established = false;
    pair->client.token_len = pair->server.token_len = 0;
    if (pair->engine->login)
        acquire_client(&pair->own);
    next_leg(&pair->client);
}

static void delete_context(struct kerberos_end *end)
{
    DeleteSecurityContext(&end->context);
    SecInvalidateHandle(&end->context);
}

void kerberos_pair_end(struct kerberos_pair *pair)
{
    delete_context(&pair->client);
    delete_context(&pair->server);
    if (pair->engine->login)
        FreeCredentialsHandle(&pair->own);
}
