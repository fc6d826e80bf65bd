/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A Schannel security context, and what the files that serve it share.
 *
 *     handshake     sc->tls speaks; legs feed it one record at a time
 *     complete      facts are taken, sc->record has taken sc->tls over; the last flight may still
 *                   wait for a buffer that is large enough
 *     established   the leg that delivered the last flight has answered SEC_E_OK
 *     failed        at any time: sc->failure is the status that every later call repeats
 *
 * A handshake of an established context (renegotiation, or authentication after the handshake; see
 * later.h) goes on beside all that: nothing but `handshake` and `renewed` changes by it.
 *
 * Locks: "both" below means both sides of the context, which legs, ApplyControlToken and clearing
 * hold; "read" the read side, which DecryptMessage holds as well. Queries hold nothing: they read
 * only what is constant once `established` is true.
 */
#ifndef OSSPI_SCHANNEL_CONTEXT_H
#define OSSPI_SCHANNEL_CONTEXT_H

#include <stdatomic.h>

#include "core/object.h"
#include "packages/package.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/name.h"
#include "packages/schannel/record.h"
#include "packages/schannel/tls.h"

#define OSSPI_MAX_TOKEN 24576u

/* Bytes of a record that must agree for it to be the one meant: its header, and its end, which is
 * an authentication tag or a MAC. */
#define OSSPI_FINGERPRINT_TAIL 16u

/** A record that the TLS library has absorbed while the caller still holds its bytes. */
struct osspi_absorbed {
    uint16_t len; /* 0: none */
    uint8_t header[OSSPI_TLS_HEADER];
    uint8_t tail[OSSPI_FINGERPRINT_TAIL];
};

/** A leg that is over but for its output, which did not fit. */
struct osspi_held_leg {
    bool active;
    SECURITY_STATUS status; /* what the leg will answer */
    size_t consumed;        /* bytes of input that it took */
    uint64_t checksum;      /* of these bytes */
    uint64_t painted;       /* of these bytes after something was written over them; 0: nothing */
};

/** Bytes that were taken, to be told from others when they come again. */
struct osspi_replay {
    size_t len;
    uint8_t digest[32]; /* SHA-256; undefined if len is 0 */
};

/** A leg that waits for its second entry, on the blocking lane. */
struct osspi_paused_leg {
    bool active;
    struct osspi_replay taken; /* of its input, by the TLS library */
};

/** The caller was told SEC_I_INCOMPLETE_CREDENTIALS, and the handshake stands still until it comes
 * back: with the same input, with none, or with what that leg called EXTRA. */
struct osspi_awaited_credentials {
    bool active;
    struct osspi_replay taken; /* of that leg's input, by the TLS library or into the backlog */
    struct osspi_replay rest;  /* EXTRA; len 0: none */
};

/** Whole records that the caller has given and the TLS library could not take yet. */
struct osspi_backlog {
    uint8_t *bytes; /* NULL: none */
    size_t len, at; /* at: fed up to there */
    bool in_input;  /* the leg under way has brought them again */
};

/** What may be asked about the peer while the handshake is under way; guarded by the lock. */
struct osspi_peer_news {
    struct osspi_lock lock;
    struct osspi_tls_check check;
    struct osspi_ders *issuers; /* a reference; NULL: no CertificateRequest was seen, or sent */
};

/** Keying material that SetContextAttributes has said what it is for. */
struct osspi_export_request {
    char *label; /* without its NUL */
    size_t label_len;
    uint8_t *context; /* NULL: none */
    size_t context_len;
    size_t len;
};

/** Early data (early.c). */
struct osspi_early {
    ULONG status;   /* OSSPI_EARLY_DATA_ */
    uint8_t *bytes; /* received and not asked for yet; wiped */
    size_t len, size;
};

/** What SetContextAttributes has left with a context, and what else only few have. */
struct osspi_left {
    struct osspi_early early;
    struct osspi_export_request *export; /* NULL: nothing was asked for */
    uint8_t *app_data;                   /* NULL: none */
    size_t app_data_len;
    DWORD app_flags;
};

/** What ApplyControlToken asked for. */
struct osspi_wanted_alert {
    bool wanted;
    uint8_t level, description;
};

/** The same of a KeyUpdate. */
struct osspi_wanted_update {
    bool wanted, request; /* request: the peer shall update its key as well */
};

/** What only a handshake needs. It is gone once the context is established, or a later handshake is
 * over: there are many of those, and most of them are idle. */
struct osspi_handshake {
    bool heard;                     /* both; a record of the peer was fed */
    bool shut;                      /* both; close_notify was made before the handshake's end */
    struct osspi_held_leg held;     /* both */
    struct osspi_paused_leg paused; /* both */
    struct osspi_awaited_credentials awaited;  /* both */
    struct osspi_backlog backlog;              /* both */
    struct osspi_message_handshake *messages;  /* both; owned; NULL unless in message mode */
    struct osspi_extensions *extensions;       /* both; owned; NULL: none of the caller's */
    struct osspi_datagram_handshake *datagram; /* both; owned; NULL unless of a datagram context */
    char lane_class[OSSPI_CLASS_NAME_SIZE];    /* guarded by lane_lock; "": the CPU lane */
};

/** What travels in a context's tokens. */
enum osspi_schannel_kind {
    OSSPI_KIND_STREAM,   /* TLS records */
    OSSPI_KIND_MESSAGES, /* handshake messages of TLS 1.3, for QUIC; leg_message.c */
    OSSPI_KIND_DATAGRAM  /* DTLS; leg_datagram.c */
};

/** What a later handshake has changed; constant once it is published. Those before it stay until
 * the context goes, because somebody may be reading them; the number of such handshakes is limited.
 */
struct osspi_renewed {
    struct osspi_tls_facts facts;
    uint64_t granted;
    struct osspi_renewed *before;
};

struct osspi_schannel_context {
    enum osspi_schannel_kind kind; /* constant after the first leg, with the four below */
    bool server;
    bool verifies;                   /* the peer's certificate is verified by us */
    bool name_is_ip;                 /* of a target that is normalised */
    bool has_name;                   /* target is normalised; else it is as the first leg gave it */
    bool closing;                    /* both; a closing alert was made, hence nothing is to come */
    bool peer_closed;                /* read */
    _Atomic uint16_t mtu;            /* of a datagram context */
    _Atomic bool established;        /* stored last, with release order */
    struct osspi_wanted_alert alert; /* both */
    struct osspi_wanted_update update; /* both */
    struct osspi_absorbed absorbed;    /* read */
    _Atomic int32_t failure;           /* SEC_E_OK, or the status that ended the context */
    struct osspi_lock lane_lock;
    struct osspi_lock export_lock;
    struct osspi_left *left; /* NULL: nothing; guarded by export_lock */
    char *target;            /* constant after the first leg; or NULL */

    struct osspi_tls *tls; /* both; NULL once record has taken it over */
    /* NULL once established, but for later handshakes; both, and the pointer changes under
     * lane_lock. */
    struct osspi_handshake *handshake;
    /* NULL: nothing has changed since; stored under both, with release order. */
    struct osspi_renewed *_Atomic renewed;

    struct osspi_tls_facts facts; /* the first handshake's; see osspi_schannel_facts(). Constant
                                     once established, with the three below */
    struct osspi_record *record;  /* the pointer; it guards itself */
    uint64_t granted;             /* ISC_RET_ or ASC_RET_ */
    int64_t since;                /* unix seconds */

    struct osspi_peer_news news;
};

static inline struct osspi_schannel_context *osspi_schannel(struct osspi_context *context)
{
    return context->data;
}

static inline bool osspi_schannel_established(const struct osspi_schannel_context *sc)
{
    return atomic_load_explicit(&sc->established, memory_order_acquire);
}

/** What holds of an established connection now. Constant, and there as long as the context; two
 * calls may give two answers, so a query makes one. No lock is needed. */
static inline const struct osspi_tls_facts *
osspi_schannel_facts(const struct osspi_schannel_context *sc)
{
    const struct osspi_renewed *renewed = atomic_load_explicit(&sc->renewed, memory_order_acquire);

    return renewed ? &renewed->facts : &sc->facts;
}

static inline uint64_t osspi_schannel_granted(const struct osspi_schannel_context *sc)
{
    const struct osspi_renewed *renewed = atomic_load_explicit(&sc->renewed, memory_order_acquire);

    return renewed ? renewed->granted : sc->granted;
}

/** Ends the context: the first status given stays. */
void osspi_schannel_fail(struct osspi_context *context, SECURITY_STATUS status);

/* ---- credentials: credential.c ---- */

SECURITY_STATUS osspi_schannel_acquire(struct osspi_credential *credential,
                                       struct osspi_acquire *args);
void osspi_schannel_clear_credential(struct osspi_credential *credential);

/* ---- legs: leg.c and others, see leg.h ---- */

SECURITY_STATUS osspi_schannel_initialize(struct osspi_context *context, struct osspi_leg *leg);
SECURITY_STATUS osspi_schannel_accept(struct osspi_context *context, struct osspi_leg *leg);
void osspi_schannel_clear_context(struct osspi_context *context);

/** Makes, and frees, what only the handshake needs. Both sides are held. */
SECURITY_STATUS osspi_schannel_begin(struct osspi_schannel_context *sc);
void osspi_schannel_end_handshake(struct osspi_schannel_context *sc);

/* ---- lanes: lane.c ---- */

/** The package's lane slot. Holds nothing but the context's lane_lock. */
void osspi_schannel_lane(enum osspi_operation operation, struct osspi_credential *credential,
                         struct osspi_context *context, struct osspi_lane_choice *ret_choice);

/** The next leg starts on the blocking lane, in this class; NULL: on the CPU lane. */
void osspi_schannel_lane_note(struct osspi_schannel_context *sc, const char *class_name);

/* ---- their input: leg_input.c, pure functions ---- */

/** What a leg was given. Pointers are into the caller's buffers. */
struct osspi_leg_input {
    struct osspi_buffers buffers;
    SecBuffer *token; /* NULL: none */
    const uint8_t *bytes;
    size_t len;          /* 0: no input */
    const uint8_t *alpn; /* protocol ids in wire form, or NULL */
    size_t alpn_len;
};

/** SEC_E_OK; SEC_E_INVALID_TOKEN; SEC_E_UNSUPPORTED_FUNCTION: a buffer type that asks for what this
 * release does not do. */
SECURITY_STATUS osspi_leg_input_parse(const struct osspi_buffers *buffers,
                                      struct osspi_leg_input *ret_input);

/** Finds the one ALPN list in a SECBUFFER_APPLICATION_PROTOCOLS. SEC_E_OK, with *ret_list NULL if
 * there are only lists of other kinds; SEC_E_INVALID_TOKEN. */
SECURITY_STATUS osspi_alpn_parse(const void *buffer, size_t size, const uint8_t **ret_list,
                                 size_t *ret_len);

/** Tells the caller that bytes at the end of the input, or bytes that are still to come, count. */
void osspi_leg_input_extra(const struct osspi_leg_input *input, size_t len);
void osspi_leg_input_missing(const struct osspi_leg_input *input, size_t len);

enum osspi_header_verdict {
    OSSPI_HEADER_GOOD,    /* the whole record is there */
    OSSPI_HEADER_SHORT,   /* more bytes are needed */
    OSSPI_HEADER_GARBAGE, /* no TLS */
    OSSPI_HEADER_VERSION, /* not one of TLS' version numbers */
    OSSPI_HEADER_LARGE    /* claims more than the protocol allows */
};

/** Which records are possible where. */
enum osspi_header_place {
    OSSPI_PLACE_FIRST,     /* the peer's first: a handshake message or an alert */
    OSSPI_PLACE_HANDSHAKE, /* any, of any version */
    OSSPI_PLACE_TLS12,     /* established */
    OSSPI_PLACE_TLS13
};

/**
 * Judges the record at bytes by what is there of its header.
 *
 * @param[out] ret_len  GOOD: bytes of the record with its header; SHORT: bytes that are missing
 */
enum osspi_header_verdict osspi_header_judge(const uint8_t *bytes, size_t len,
                                             enum osspi_header_place place, size_t *ret_len);

/** Alert that answers a bad header. */
uint8_t osspi_header_alert(enum osspi_header_verdict verdict);

/** FNV-1a: tells two inputs apart that a caller mixes up, no protection against anybody. */
uint64_t osspi_input_checksum(const uint8_t *bytes, size_t len);
/** Goes on from the checksum of what stands before. */
uint64_t osspi_input_checksum_on(uint64_t sum, const uint8_t *bytes, size_t len);

/** Remembers bytes that were taken. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR. */
SECURITY_STATUS osspi_replay_set(struct osspi_replay *replay, const uint8_t *bytes, size_t len);

/** Do bytes start with those that were taken? SEC_E_OK; SEC_E_INVALID_TOKEN: no;
 * SEC_E_INSUFFICIENT_MEMORY, SEC_E_INTERNAL_ERROR: it cannot be told. */
SECURITY_STATUS osspi_replay_check(const struct osspi_replay *replay, const uint8_t *bytes,
                                   size_t len);

/** Remembers an absorbed record; is it the one at the start of bytes? */
void osspi_absorbed_set(struct osspi_absorbed *absorbed, const uint8_t *record, size_t len);
bool osspi_absorbed_matches(const struct osspi_absorbed *absorbed, const uint8_t *bytes,
                            size_t len);

/* ---- their output: leg_output.c ---- */

struct osspi_leg_output {
    SecBuffer *token;
    SecBuffer *alert; /* NULL: not supplied */
    bool allocate;
    bool extended_error; /* an alert may travel in the token */
    bool allocated;      /* out: memory was given to the caller */
};

/** SEC_E_OK; SEC_E_INVALID_TOKEN: no buffer for a token; SEC_E_INSUFFICIENT_MEMORY: a buffer for
 * an alert that can hold nothing. */
SECURITY_STATUS osspi_leg_output_parse(const struct osspi_leg *leg, bool server,
                                       struct osspi_leg_output *ret_output);

/** Gives the token, maybe empty. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY: it does not fit (nothing was
 * written) or there is no memory. */
SECURITY_STATUS osspi_leg_output_token(struct osspi_leg_output *output, const uint8_t *bytes,
                                       size_t len);

/** Empties the buffers for a leg that failed, but for the alert, which goes where the caller looks
 * for it. True: delivered, or there is no place for it. */
bool osspi_leg_output_failure(struct osspi_leg_output *output, const uint8_t *alert, size_t len);

/** Flags to return: what was asked for and is there. */
uint64_t osspi_leg_granted(const struct osspi_schannel_context *sc, const struct osspi_leg *leg,
                           const struct osspi_leg_output *output, bool complete);

/** Plaintext bytes that a record may hold now: a datagram's depends on the MTU. (message.c) */
uint32_t osspi_schannel_maximum(const struct osspi_schannel_context *sc);

/* ---- the rest ---- */

SECURITY_STATUS osspi_schannel_control(struct osspi_context *context,
                                       const struct osspi_buffers *token);

/** Reads a control token: an alert or a KeyUpdate to send, or a change to resumption. SEC_E_OK;
 * SEC_E_INVALID_TOKEN; SEC_E_UNSUPPORTED_FUNCTION. */
enum osspi_control_kind { OSSPI_CONTROL_ALERT, OSSPI_CONTROL_SESSION, OSSPI_CONTROL_UPDATE };
struct osspi_control {
    enum osspi_control_kind kind;
    struct osspi_wanted_alert alert;
    struct osspi_wanted_update update;
    bool reconnects;
};
SECURITY_STATUS osspi_control_parse(const struct osspi_buffers *token,
                                    struct osspi_control *ret_control);

SECURITY_STATUS osspi_schannel_encrypt(struct osspi_context *context, uint32_t qop,
                                       const struct osspi_buffers *message, uint32_t sequence);
SECURITY_STATUS osspi_schannel_decrypt(struct osspi_context *context,
                                       const struct osspi_buffers *message, uint32_t sequence,
                                       uint32_t *ret_qop);

SECURITY_STATUS osspi_schannel_query(struct osspi_context *context, uint32_t attribute,
                                     void *buffer, size_t size);
SECURITY_STATUS osspi_schannel_set(struct osspi_context *context, uint32_t attribute,
                                   const void *buffer, size_t size);
SECURITY_STATUS osspi_schannel_query_credential(struct osspi_credential *credential,
                                                uint32_t attribute, void *buffer, size_t size);

/* Answers to single attributes that are known during the handshake too. */
SECURITY_STATUS osspi_attribute_issuers(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_check_result(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_early(struct osspi_schannel_context *sc, void *buffer);

/* Answers to single attributes; the context is established. */
SECURITY_STATUS osspi_attribute_connection(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_connection_ex(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_cipher(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_key(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_session(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_protocol(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_remote_certificate(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_local_certificate(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_remote_certificates(struct osspi_schannel_context *sc,
                                                    void *buffer);
SECURITY_STATUS osspi_attribute_unique_bindings(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_endpoint_bindings(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_set_keying(struct osspi_schannel_context *sc, const void *buffer);
SECURITY_STATUS osspi_attribute_keying(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_keying_inproc(struct osspi_schannel_context *sc, void *buffer);

SECURITY_STATUS osspi_attribute_names(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_authority(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_local_info(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_proto(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_target(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_remote_chain(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_serialized(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_extensions(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_signatures(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_eap(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_app_data(struct osspi_schannel_context *sc, void *buffer);
SECURITY_STATUS osspi_attribute_set_app_data(struct osspi_schannel_context *sc, const void *buffer);
SECURITY_STATUS osspi_attribute_set_eap_prf(struct osspi_schannel_context *sc, const void *buffer);

/** The subject of a certificate, from osspi_context_buffer_new(). SEC_E_OK; statuses of
 * osspi_certificate_new(). */
SECURITY_STATUS osspi_attribute_name_of(const struct osspi_der_view *certificate, char **ret_name);

void osspi_export_request_free(struct osspi_export_request *request); /* NULL is a no-op */

/** Made on first use; NULL: no memory. export_lock is held. */
struct osspi_left *osspi_left_locked(struct osspi_schannel_context *sc);
void osspi_left_free(struct osspi_left *left); /* wipes; NULL is a no-op */

#endif
