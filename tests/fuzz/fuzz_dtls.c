/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: DTLS, a client and a server of ours and what may come over UDP between them, from
 * the first datagram to the close: genuine, lost, doubled, damaged, cut, of long ago, made up.
 *
 * Input: one byte of options, two of MTUs, then steps: a byte that names one (and a side), and what
 * it takes. Checked besides the sanitizers: each status is one that the call documents; a datagram
 * is no larger than the MTU; and once an end is established, nothing but an authentic alert of the
 * other ends it, whatever arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

#define MAX_STEPS     120
#define MAX_DATAGRAMS 64u
#define MAX_FRAGMENTS 64
#define OUT_SIZE      2048u
#define LEAST_MTU     200u
#define HEADER        13u
#define MESSAGE       12u

enum { CLIENT, SERVER };

struct end {
    bool server, has_context, established;
    bool over;    /* a leg has failed, or the other end has closed */
    bool ordered; /* a control token was given to it: the other end may be ended by what it sends */
    CtxtHandle context;
    SecPkgContext_StreamSizes sizes; /* once established */
    ULONG flags;
    SEC_DTLS_MTU mtu;
    struct peer_stream sent[MAX_DATAGRAMS]; /* datagrams, some of them on their way */
    unsigned count, delivered;
};

struct scene {
    struct end ends[2];
    struct fuzz_input *input;
};

static CredHandle credentials[2]; /* guarded by being used on one thread */

static void acquire(bool server)
{
    PCCERT_CONTEXT certificate = server ? peer_certificate("server") : NULL;
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .grbitEnabledProtocols = server ? SP_PROT_DTLS1_2_SERVER : SP_PROT_DTLS1_2_CLIENT,
    };

    TEST_REQUIRE_EQUAL(
        AcquireCredentialsHandleA(NULL, (LPSTR)UNISP_NAME_A,
                                  server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL, &auth,
                                  NULL, NULL, &credentials[server], NULL),
        SEC_E_OK);
    CertFreeCertificateContext(certificate);
}

/* ---- legs ---- */

struct leg {
    SecBuffer in[4], out[1];
    ULONG in_count;
    uint8_t *room;
};

static void add_in(struct leg *leg, ULONG type, const void *bytes, size_t len)
{
    leg->in[leg->in_count++] = (SecBuffer){(ULONG)len, type, (void *)(uintptr_t)bytes};
}

static SECURITY_STATUS call(struct end *end, struct leg *leg)
{
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, leg->out};
    PCtxtHandle old = end->has_context ? &end->context : NULL;
    CtxtHandle made = end->context;
    ULONG attributes = 0;
    TimeStamp expiry;
    SECURITY_STATUS status;

    fuzz_draw_from(end->server ? FUZZ_STREAM_SERVER : FUZZ_STREAM_CLIENT);
    if (end->server)
        status = AcceptSecurityContext(&credentials[SERVER], old, &in, end->flags, 0, &made, &out,
                                       &attributes, &expiry);
    else
        status =
            InitializeSecurityContextA(&credentials[CLIENT], old, (LPSTR)PEER_TARGET, end->flags, 0,
                                       0, &in, 0, &made, &out, &attributes, &expiry);
    contract_require(end->server ? "AcceptSecurityContext" : "InitializeSecurityContextA", status);
    if (status >= 0 && !end->has_context) {
        end->context = made;
        end->has_context = true;
    }
    return status;
}

static void keep(struct end *end, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return;
    TEST_REQUIRE(len <= end->mtu.PathMTU);
    if (end->count < MAX_DATAGRAMS)
        peer_push(&end->sent[end->count++], bytes, len);
}

static SECURITY_STATUS one_leg(struct end *end, const uint8_t *bytes, size_t len, size_t *ret_extra)
{
    struct leg leg = {.room = fuzz_room(OUT_SIZE)};
    SECURITY_STATUS status;

    leg.out[0] = (SecBuffer){OUT_SIZE, SECBUFFER_TOKEN, leg.room};
    if (bytes)
        add_in(&leg, SECBUFFER_TOKEN, bytes, len);
    add_in(&leg, SECBUFFER_EMPTY, NULL, 0);
    if (!end->has_context)
        add_in(&leg, SECBUFFER_DTLS_MTU, &end->mtu, sizeof(end->mtu));
    if (!end->has_context && end->server)
        add_in(&leg, SECBUFFER_EXTRA, "address", 7);
    status = call(end, &leg);
    *ret_extra = 0;
    if (bytes && leg.in[1].BufferType == SECBUFFER_EXTRA)
        *ret_extra = leg.in[1].cbBuffer;
    TEST_REQUIRE(*ret_extra <= len);
    if (status >= 0 || end->has_context)
        keep(end, leg.room, leg.out[0].cbBuffer);
    free(leg.room);
    return status;
}

/* A leg and those that fetch the rest of its flight. */
static void run_leg(struct end *end, const uint8_t *bytes, size_t len, size_t *ret_extra)
{
    SECURITY_STATUS status = one_leg(end, bytes, len, ret_extra);
    size_t ignored;

    if (status == SEC_I_INCOMPLETE_CREDENTIALS) { /* there is none, and it shall go on so */
        end->flags |= ISC_REQ_USE_SUPPLIED_CREDS;
        status = one_leg(end, NULL, 0, &ignored);
    }
    for (int i = 0; status == SEC_I_MESSAGE_FRAGMENT; i++) {
        TEST_REQUIRE(i < MAX_FRAGMENTS);
        status = one_leg(end, NULL, 0, &ignored);
    }
    if (status < 0) {
        end->over = end->has_context;
    } else if (status == SEC_E_OK && !end->established) {
        end->established = QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES,
                                                   &end->sizes) == SEC_E_OK;
        TEST_REQUIRE(end->established || end->ordered);
        end->over = !end->established;
    }
}

/* ---- records ---- */

static size_t open_one(struct scene *scene, struct end *end, uint8_t *bytes, size_t len)
{
    const struct end *other = &scene->ends[!end->server];
    SecBuffer buffers[4] = {{(ULONG)len, SECBUFFER_DATA, bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;
    size_t extra;

    fuzz_draw_from(end->server ? FUZZ_STREAM_SERVER : FUZZ_STREAM_CLIENT);
    status = DecryptMessage(&end->context, &message, 0, NULL);
    contract_require("DecryptMessage", status);
    if (status < 0 || status == SEC_I_CONTEXT_EXPIRED) {
        TEST_REQUIRE(end->ordered || other->ordered || other->over);
        end->over = true;
        return 0;
    }
    extra = buffers[3].BufferType == SECBUFFER_EXTRA ? buffers[3].cbBuffer : 0;
    TEST_REQUIRE(extra <= len);
    if (status != SEC_I_RENEGOTIATE)
        return extra;
    run_leg(end, extra > 0 ? bytes + len - extra : NULL, extra, &extra);
    return extra;
}

static void open_all(struct scene *scene, struct end *end, uint8_t *bytes, size_t len)
{
    while (len > 0 && end->established && !end->over) {
        const size_t rest = open_one(scene, end, bytes, len);

        TEST_REQUIRE(rest < len);
        bytes += len - rest;
        len = rest;
    }
}

/* A datagram arrives. */
static void arrive(struct scene *scene, struct end *end, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = fuzz_room(len);
    size_t extra = len;

    if (len > 0)
        memcpy(copy, bytes, len);
    if (!end->over && (end->server || end->has_context)) {
        if (!end->established)
            run_leg(end, copy, len, &extra);
        if (end->established)
            open_all(scene, end, copy + len - extra, extra);
    }
    free(copy);
}

/* ---- steps ---- */

/* The next datagram that this end's peer has sent, or NULL. */
static const struct peer_stream *next_of(struct end *from)
{
    return from->delivered < from->count ? &from->sent[from->delivered++] : NULL;
}

static void deliver(struct scene *scene, struct end *end)
{
    const struct peer_stream *one = next_of(&scene->ends[!end->server]);

    if (one)
        arrive(scene, end, one->bytes, one->len);
}

static void deliver_all(struct scene *scene, struct end *end)
{
    struct end *from = &scene->ends[!end->server];

    while (from->delivered < from->count)
        deliver(scene, end);
}

static void lose(struct scene *scene, struct end *end)
{
    (void)next_of(&scene->ends[!end->server]);
}

static void deliver_old(struct scene *scene, struct end *end)
{
    const struct end *from = &scene->ends[!end->server];
    const unsigned at = fuzz_u8(scene->input);

    if (from->count > 0)
        arrive(scene, end, from->sent[at % from->count].bytes, from->sent[at % from->count].len);
}

static void deliver_damaged(struct scene *scene, struct end *end)
{
    const struct peer_stream *one = next_of(&scene->ends[!end->server]);
    const size_t place = fuzz_u16(scene->input);
    const uint8_t value = fuzz_u8(scene->input);
    struct peer_stream damaged = {0};

    if (!one)
        return;
    peer_push(&damaged, one->bytes, one->len);
    damaged.bytes[place % damaged.len] ^= value;
    arrive(scene, end, damaged.bytes, damaged.len);
    peer_clear(&damaged);
}

static void deliver_cut(struct scene *scene, struct end *end)
{
    const struct peer_stream *one = next_of(&scene->ends[!end->server]);
    const size_t len = fuzz_u16(scene->input);

    if (one)
        arrive(scene, end, one->bytes, len % (one->len + 1));
}

static void deliver_garbage(struct scene *scene, struct end *end)
{
    size_t len;
    uint8_t *bytes = fuzz_take(scene->input, fuzz_u8(scene->input), &len);

    arrive(scene, end, bytes, len);
    free(bytes);
}

static void deliver_record(struct scene *scene, struct end *end)
{
    struct peer_stream record = {0};
    uint8_t header[HEADER] = {(uint8_t)(20 + fuzz_pick(scene->input, 6)), 0xFE, 0xFD};
    size_t len;
    uint8_t *bytes;

    header[4] = (uint8_t)fuzz_pick(scene->input, 3);
    header[10] = fuzz_u8(scene->input);
    bytes = fuzz_take(scene->input, fuzz_u8(scene->input), &len);
    header[12] = (uint8_t)len;
    peer_push(&record, header, sizeof(header));
    peer_push(&record, bytes, len);
    arrive(scene, end, record.bytes, record.len);
    peer_clear(&record);
    free(bytes);
}

/* A part of a handshake message in the clear. */
static void deliver_fragment(struct scene *scene, struct end *end)
{
    uint8_t bytes[HEADER + MESSAGE + 255] = {22, 0xFE, 0xFD};
    uint8_t *message = bytes + HEADER;
    size_t len;
    uint8_t *body;

    bytes[10] = fuzz_u8(scene->input);
    message[0] = (uint8_t)fuzz_pick(scene->input, 25);
    message[2] = (uint8_t)fuzz_pick(scene->input, 3);
    message[3] = fuzz_u8(scene->input);
    message[5] = (uint8_t)fuzz_pick(scene->input, 12);
    message[8] = fuzz_u8(scene->input);
    message[11] = fuzz_u8(scene->input);
    body = fuzz_take(scene->input, message[11], &len);
    if (len > 0)
        memcpy(message + MESSAGE, body, len);
    bytes[12] = (uint8_t)(MESSAGE + len);
    bytes[11] = (uint8_t)((MESSAGE + len) >> 8);
    arrive(scene, end, bytes, HEADER + MESSAGE + len);
    free(body);
}

static void time_out(struct scene *scene, struct end *end)
{
    size_t ignored;

    (void)scene;
    if (!end->over && (end->has_context || !end->server))
        run_leg(end, NULL, 0, &ignored);
}

static void send_data(struct scene *scene, struct end *end)
{
    static const uint8_t data[OUT_SIZE];
    struct peer_end peer = {.context = end->context, .sizes = end->sizes}, sink = {.in = {0}};
    size_t len = fuzz_u16(scene->input);

    if (!end->established || end->over)
        return;
    len = len % (end->sizes.cbMaximumMessage + 1);
    fuzz_draw_from(end->server ? FUZZ_STREAM_SERVER : FUZZ_STREAM_CLIENT);
    contract_require("EncryptMessage", peer_send(&peer, &sink, data, len));
    keep(end, sink.in.bytes, sink.in.len);
    peer_clear(&sink.in);
}

static void control(struct scene *scene, struct end *end)
{
    DWORD order[3] = {fuzz_pick(scene->input, 5), fuzz_pick(scene->input, 3),
                      fuzz_u8(scene->input)};
    SecBuffer buffer = {sizeof(order), SECBUFFER_TOKEN, order};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};

    if (!end->has_context)
        return;
    contract_require("ApplyControlToken", ApplyControlToken(&end->context, &token));
    end->ordered = true;
    time_out(scene, end);
}

/* To the call that is not for it. */
static void swap_calls(struct scene *scene, struct end *end)
{
    const struct peer_stream *one = next_of(&scene->ends[!end->server]);
    uint8_t *copy;
    size_t ignored;

    if (!one || !end->has_context || end->over)
        return;
    copy = fuzz_room(one->len);
    memcpy(copy, one->bytes, one->len);
    if (end->established) {
        run_leg(end, copy, one->len, &ignored);
    } else {
        SecBuffer buffers[4] = {{(ULONG)one->len, SECBUFFER_DATA, copy}};
        SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};

        contract_require("DecryptMessage", DecryptMessage(&end->context, &message, 0, NULL));
    }
    free(copy);
}

static void look(struct scene *scene, struct end *end)
{
    (void)scene;
    if (end->has_context)
        context_look(&end->context);
}

static void change_mtu(struct scene *scene, struct end *end)
{
    SEC_DTLS_MTU mtu = {fuzz_u16(scene->input)};
    SECURITY_STATUS status;

    if (!end->has_context || mtu.PathMTU > OUT_SIZE)
        return;
    status = SetContextAttributesA(&end->context, SECPKG_ATTR_DTLS_MTU, &mtu, sizeof(mtu));
    contract_require("SetContextAttributes", status);
    /* What waits was made for the larger one of the two. */
    if (status == SEC_E_OK && mtu.PathMTU > end->mtu.PathMTU)
        end->mtu = mtu;
    if (status == SEC_E_OK && end->established)
        TEST_REQUIRE_EQUAL(
            QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, &end->sizes),
            SEC_E_OK);
}

static void (*const steps[])(struct scene *scene, struct end *end) = {
    deliver,
    deliver_all,
    deliver_all,
    lose,
    deliver_old,
    deliver_damaged,
    deliver_cut,
    deliver_garbage,
    deliver_record,
    deliver_record,
    time_out,
    send_data,
    control,
    swap_calls,
    look,
    change_mtu,
    deliver,
    deliver,
    deliver_fragment,
    deliver_fragment,
};

/* ---- a scene ---- */

static void begin(struct scene *scene, struct fuzz_input *input)
{
    const uint8_t options = fuzz_u8(input);
    size_t ignored;

    *scene = (struct scene){.input = input};
    for (int side = 0; side < 2; side++) {
        struct end *end = &scene->ends[side];

        end->server = side == SERVER;
        end->mtu.PathMTU = (unsigned short)(LEAST_MTU + fuzz_u8(input) * 5);
        end->flags = end->server ? ASC_REQ_DATAGRAM | ASC_REQ_CONFIDENTIALITY
                                 : ISC_REQ_DATAGRAM | ISC_REQ_CONFIDENTIALITY;
        if (options & 2)
            end->flags |= end->server ? ASC_REQ_EXTENDED_ERROR : ISC_REQ_EXTENDED_ERROR;
    }
    if (options & 4)
        scene->ends[SERVER].flags |= ASC_REQ_MUTUAL_AUTH;
    run_leg(&scene->ends[CLIENT], NULL, 0, &ignored);
    if (!(options & 1))
        return;
    for (int i = 0; i < 4; i++) { /* the whole handshake */
        deliver_all(scene, &scene->ends[SERVER]);
        deliver_all(scene, &scene->ends[CLIENT]);
    }
    TEST_REQUIRE(scene->ends[CLIENT].established && scene->ends[SERVER].established);
}

static void end_scene(struct scene *scene)
{
    for (int side = 0; side < 2; side++) {
        struct end *end = &scene->ends[side];

        if (end->has_context)
            TEST_REQUIRE_EQUAL(DeleteSecurityContext(&end->context), SEC_E_OK);
        for (unsigned i = 0; i < end->count; i++)
            peer_clear(&end->sent[i]);
    }
}

void fuzz_prepare(void)
{
    static const uint8_t whole[] = {1};
    struct fuzz_input input = {whole, sizeof(whole)};
    struct scene scene;

    acquire(false);
    acquire(true);
    begin(&scene, &input);
    end_scene(&scene);
}

void fuzz_one(struct fuzz_input *input)
{
    struct scene scene;

    begin(&scene, input);
    for (int i = 0; i < MAX_STEPS && input->len > 0; i++) {
        const uint8_t step = fuzz_u8(input);

        steps[(step >> 1) % (sizeof(steps) / sizeof(steps[0]))](&scene, &scene.ends[step & 1]);
    }
    end_scene(&scene);
}
