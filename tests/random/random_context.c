/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: security contexts and messages; see random.h. The contexts are of all states:
 * first legs make new ones, and those of the connections are used here as well.
 */
#include <string.h>

#include "random/random.h"
#include "support/context_look.h"
#include "support/contract_status.h"

static void made(struct random_thread *thread, SecHandle context)
{
    SecHandle left;

    if (random_put(thread, RANDOM_CONTEXTS, context, &left))
        random_delete_context(left);
}

/* ---- legs ---- */

struct leg {
    struct random_handle credential, context;
    SecBuffer in[2], out;
    SecBufferDesc in_desc, out_desc;
    ULONG flags, attributes;
    CtxtHandle made;
    bool first;
};

static const uint8_t garbage[600];

/* Bytes that mean something, that might, and none. */
static void make_leg(struct random_thread *thread, struct leg *leg)
{
    static const ULONG flags[] = {0,          ISC_REQ_EXTENDED_ERROR, ISC_REQ_MUTUAL_AUTH,
                                  0xFFFFFFFF, ISC_REQ_DELEGATE,       ASC_REQ_EXTENDED_ERROR};

    *leg = (struct leg){.credential = random_pick(thread, RANDOM_CREDENTIALS),
                        .context = random_pick(thread, RANDOM_CONTEXTS),
                        .first = random_chance(thread, 40)};
    switch (random_below(thread, 4)) {
    case 0:
        leg->in[0] = (SecBuffer){random_below(thread, sizeof(garbage)), SECBUFFER_TOKEN,
                                 (void *)(uintptr_t)garbage};
        break;
    case 1:
        leg->in[0] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
        break;
    default:
        leg->in[0] =
            (SecBuffer){(ULONG)random_world.hello_len, SECBUFFER_TOKEN, (void *)random_world.hello};
        if (random_chance(thread, 20))
            leg->in[0].cbBuffer = random_below(thread, leg->in[0].cbBuffer);
        break;
    }
    leg->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    leg->out = (SecBuffer){random_chance(thread, 90) ? RANDOM_OUT_SIZE : random_below(thread, 100),
                           SECBUFFER_TOKEN, thread->out};
    leg->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, leg->in};
    leg->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &leg->out};
    leg->flags = RANDOM_OF(thread, flags) & ~(ULONG)ISC_REQ_ALLOCATE_MEMORY;
}

/* On a later leg made is the same handle again. */
static void finish_leg(struct random_thread *thread, struct leg *leg, SECURITY_STATUS status)
{
    contract_require("AcceptSecurityContext", status);
    if (status >= 0 && leg->first)
        made(thread, leg->made);
}

static PCtxtHandle old_context(struct leg *leg)
{
    return leg->first ? NULL : random_arg(&leg->context);
}

/* A NULL context is a first leg, too. */
static void settle_first(struct leg *leg)
{
    leg->first = leg->first || leg->context.null;
}

static void call_accept(struct random_thread *thread)
{
    struct leg leg;

    make_leg(thread, &leg);
    settle_first(&leg);
    finish_leg(thread, &leg,
               AcceptSecurityContext(random_arg(&leg.credential), old_context(&leg), &leg.in_desc,
                                     leg.flags, 0, &leg.made, &leg.out_desc, &leg.attributes,
                                     NULL));
}

static void call_initialize_a(struct random_thread *thread)
{
    static const char *const targets[] = {PEER_TARGET, "other.test", "127.0.0.1", "",
                                          "\xFF",      "a..b",       NULL};
    struct leg leg;

    make_leg(thread, &leg);
    settle_first(&leg);
    if (leg.first && random_chance(thread, 80))
        leg.in_desc.cBuffers = 0;
    finish_leg(thread, &leg,
               InitializeSecurityContextA(random_arg(&leg.credential), old_context(&leg),
                                          (LPSTR)RANDOM_OF(thread, targets), leg.flags, 0, 0,
                                          &leg.in_desc, 0, &leg.made, &leg.out_desc,
                                          &leg.attributes, NULL));
}

static void call_initialize_w(struct random_thread *thread)
{
    static const WCHAR *const targets[] = {u"server.test", u"\xDC00", u"", NULL};
    struct leg leg;

    make_leg(thread, &leg);
    settle_first(&leg);
    if (leg.first && random_chance(thread, 80))
        leg.in_desc.cBuffers = 0;
    finish_leg(thread, &leg,
               InitializeSecurityContextW(random_arg(&leg.credential), old_context(&leg),
                                          (LPWSTR)RANDOM_OF(thread, targets), leg.flags, 0, 0,
                                          &leg.in_desc, 0, &leg.made, &leg.out_desc,
                                          &leg.attributes, NULL));
}

static void call_delete(struct random_thread *thread)
{
    struct random_handle context = random_take(thread, RANDOM_CONTEXTS);

    contract_require("DeleteSecurityContext", DeleteSecurityContext(random_arg(&context)));
}

static void call_control(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    DWORD words[3] = {random_below(thread, 5), random_below(thread, 4), random_below(thread, 256)};
    SecBuffer buffer = {random_below(thread, sizeof(words) + 1), SECBUFFER_TOKEN, words};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};

    contract_require(
        "ApplyControlToken",
        ApplyControlToken(random_arg(&context), random_chance(thread, 95) ? &token : NULL));
}

/* ---- attributes ---- */

static void look(struct random_thread *thread, enum context_look_form form)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);

    (void)context_look_at(random_arg(&context), random_below(thread, (uint32_t)context_look_count),
                          form);
}

static void call_query_a(struct random_thread *thread)
{
    look(thread, CONTEXT_LOOK_A);
}

static void call_query_w(struct random_thread *thread)
{
    look(thread, CONTEXT_LOOK_W);
}

static void call_query_ex_a(struct random_thread *thread)
{
    look(thread, CONTEXT_LOOK_EX_A);
}

static void call_query_ex_w(struct random_thread *thread)
{
    look(thread, CONTEXT_LOOK_EX_W);
}

static void set(struct random_thread *thread, bool wide)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    char label[] = "EXPORTER-random";
    SecPkgContext_KeyingMaterialInfo info = {.cbLabel = (WORD)random_below(thread, sizeof(label)),
                                             .pszLabel = label,
                                             .cbKeyingMaterial = random_below(thread, 100)};
    ULONG which = random_chance(thread, 80) ? SECPKG_ATTR_KEYING_MATERIAL_INFO : 0x7Fu;

    contract_require("SetContextAttributesA",
                     wide
                         ? SetContextAttributesW(random_arg(&context), which, &info, sizeof(info))
                         : SetContextAttributesA(random_arg(&context), which, &info, sizeof(info)));
}

static void call_set_a(struct random_thread *thread)
{
    set(thread, false);
}

static void call_set_w(struct random_thread *thread)
{
    set(thread, true);
}

static void call_detail(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    char text[100];
    ULONG size = random_below(thread, sizeof(text) + 1);
    SECURITY_STATUS status = OsspiGetErrorDetail(random_arg(&context), text, size);

    contract_require("OsspiGetErrorDetail", status);
    if (status == SEC_E_OK)
        TEST_REQUIRE(strnlen(text, size) < size);
}

/* ---- messages ---- */

static void message(struct random_thread *thread, bool decrypt)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    ULONG len = random_below(thread, 400);
    SecBuffer buffers[4] = {{0}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 3 + random_below(thread, 2), buffers};

    memset(thread->out, 0, 1024);
    if (decrypt) {
        buffers[0] = (SecBuffer){len, SECBUFFER_DATA, thread->out};
        if (random_chance(thread, 50))
            memcpy(thread->out, "\x17\x03\x03\x00\x20", 5);
        contract_require("DecryptMessage", DecryptMessage(random_arg(&context), &desc, 0, NULL));
        return;
    }
    buffers[0] = (SecBuffer){200, SECBUFFER_STREAM_HEADER, thread->out};
    buffers[1] = (SecBuffer){len, SECBUFFER_DATA, thread->out + 200};
    buffers[2] = (SecBuffer){200, SECBUFFER_STREAM_TRAILER, thread->out + 200 + len};
    contract_require("EncryptMessage",
                     EncryptMessage(random_arg(&context), random_below(thread, 2), &desc, 0));
}

static void call_encrypt(struct random_thread *thread)
{
    message(thread, false);
}

static void call_decrypt(struct random_thread *thread)
{
    message(thread, true);
}

static void signature(struct random_thread *thread, bool verify)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    SecBuffer buffers[2] = {{16, SECBUFFER_TOKEN, thread->out},
                            {16, SECBUFFER_DATA, thread->out + 16}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};

    contract_require("MakeSignature", verify ? VerifySignature(random_arg(&context), &desc, 0, NULL)
                                             : MakeSignature(random_arg(&context), 0, &desc, 0));
}

static void call_make_signature(struct random_thread *thread)
{
    signature(thread, false);
}

static void call_verify_signature(struct random_thread *thread)
{
    signature(thread, true);
}

/* ---- what Schannel does not have, on handles that it has to look at ---- */

static void call_complete(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    SecBufferDesc token = {SECBUFFER_VERSION, 0, NULL};

    contract_require("CompleteAuthToken", CompleteAuthToken(random_arg(&context), &token));
}

static void call_impersonate(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);

    contract_require("ImpersonateSecurityContext",
                     ImpersonateSecurityContext(random_arg(&context)));
}

static void call_revert(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);

    contract_require("RevertSecurityContext", RevertSecurityContext(random_arg(&context)));
}

static void call_token(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    void *token = NULL;

    contract_require("QuerySecurityContextToken",
                     QuerySecurityContextToken(random_arg(&context), &token));
}

static void call_export(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);
    SecBuffer packed = {0, SECBUFFER_EMPTY, NULL};
    void *token = NULL;

    contract_require(
        "ExportSecurityContext",
        ExportSecurityContext(random_arg(&context), random_below(thread, 8), &packed, &token));
}

static void call_import_a(struct random_thread *thread)
{
    SecBuffer packed = {16, SECBUFFER_TOKEN, thread->out};
    CtxtHandle context;

    contract_require("ImportSecurityContextA",
                     ImportSecurityContextA((LPSTR)UNISP_NAME_A, &packed, NULL, &context));
}

static void call_import_w(struct random_thread *thread)
{
    SecBuffer packed = {16, SECBUFFER_TOKEN, thread->out};
    CtxtHandle context;

    contract_require("ImportSecurityContextW",
                     ImportSecurityContextW((LPWSTR)u"Schannel", &packed, NULL, &context));
}

static void call_delegate(struct random_thread *thread)
{
    struct random_handle context = random_pick(thread, RANDOM_CONTEXTS);

    contract_require("DelegateSecurityContext", DelegateSecurityContext(random_arg(&context), NULL,
                                                                        SecFull, NULL, NULL, NULL));
}

static const struct random_row rows[] = {
    {"AcceptSecurityContext", call_accept, 12},
    {"InitializeSecurityContextA", call_initialize_a, 12},
    {"InitializeSecurityContextW", call_initialize_w, 8},
    {"DeleteSecurityContext", call_delete, 14},
    {"ApplyControlToken", call_control, 4},
    {"QueryContextAttributesA", call_query_a, 6},
    {"QueryContextAttributesW", call_query_w, 6},
    {"QueryContextAttributesExA", call_query_ex_a, 6},
    {"QueryContextAttributesExW", call_query_ex_w, 6},
    {"SetContextAttributesA", call_set_a, 3},
    {"SetContextAttributesW", call_set_w, 3},
    {"OsspiGetErrorDetail", call_detail, 4},
    {"EncryptMessage", call_encrypt, 4},
    {"DecryptMessage", call_decrypt, 4},
    {"MakeSignature", call_make_signature, 1},
    {"VerifySignature", call_verify_signature, 1},
    {"CompleteAuthToken", call_complete, 1},
    {"ImpersonateSecurityContext", call_impersonate, 1},
    {"RevertSecurityContext", call_revert, 1},
    {"QuerySecurityContextToken", call_token, 1},
    {"ExportSecurityContext", call_export, 1},
    {"ImportSecurityContextA", call_import_a, 1},
    {"ImportSecurityContextW", call_import_w, 1},
    {"DelegateSecurityContext", call_delegate, 1},
};
RANDOM_ROWS(random_context_rows, rows);
