/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a handshake in message mode keeps from one leg to the next; see leg_message.c. Both sides of
 * the context are held.
 */
#ifndef OSSPI_SCHANNEL_LEG_MESSAGE_H
#define OSSPI_SCHANNEL_LEG_MESSAGE_H

#include "packages/schannel/message_mode.h"

struct osspi_leg_run;
struct osspi_schannel_context;

/** Input that was taken, to be told from other input: a caller may mix things up, nobody is
 * protected from by it. */
struct osspi_message_mark {
    size_t len; /* 0: none */
    uint64_t checksum;
};

enum osspi_message_phase {
    OSSPI_MESSAGE_IDLE,   /* the next input is new */
    OSSPI_MESSAGE_PAUSED, /* the leg comes back on the blocking lane */
    OSSPI_MESSAGE_ASKED,  /* the caller was told SEC_I_INCOMPLETE_CREDENTIALS */
    OSSPI_MESSAGE_READY   /* the result of a leg waits for room */
};

struct osspi_message_handshake {
    struct osspi_messages tls;
    enum osspi_message_phase phase;
    SECURITY_STATUS result;            /* READY: what the leg will answer */
    bool repeats;                      /* the caller is to bring `taken` again, or nothing */
    struct osspi_message_mark taken;   /* of its input */
    struct osspi_message_mark painted; /* the same after an extension was written over it */
    uint8_t *inbox;                    /* owned: whole messages that were taken; NULL: none */
    size_t inbox_len, inbox_at;        /* at: fed up to there */
};

/** Makes it in sc->handshake, if it is not there. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_message_begin(struct osspi_schannel_context *sc);
void osspi_message_end(struct osspi_message_handshake *messages); /* wipes; NULL is a no-op */

/** Judges a client's first bytes before anything is made for it. SEC_E_OK; statuses of a leg. */
SECURITY_STATUS osspi_message_look(struct osspi_leg_run *run);

/** A leg of a context that has failed: repeats the alert. Returns status. */
SECURITY_STATUS osspi_message_failed(struct osspi_leg_run *run, SECURITY_STATUS status);

#endif
