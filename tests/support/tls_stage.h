/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A connection of an end of ours with a peer whose keys the test has (tls_seal.h): hand-made
 * records in, and what must come of them. One thread uses a stage, and there is one at a time.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_STAGE_H
#define OSSPI_TESTS_SUPPORT_TLS_STAGE_H

#include "support/tls_seal.h"

#define STAGE_FRAGMENT  16384u
#define STAGE_ANY_ALERT 0u
#define STAGE_NO_ALERT  255u /* none of ours: the peer has ended it */

struct stage {
    struct raw_peer raw;
    struct seal_log log;
    struct peer_end end;
    struct seal_keys to_us, from_us;
    struct peer_end wire; /* only its stream: what our end has sent */
    unsigned updates;     /* KeyUpdates that our end has sent */
    uint8_t alert;        /* the last that it has sent */
    unsigned alert_count;
    SECURITY_STATUS status; /* of the last DecryptMessage */
};

/** The case that runs; printed when it fails. */
extern const char *stage_case;

#define STAGE_REQUIRE(condition) \
    ((condition) ? (void)0 : (stage_tell(), test_fail(__FILE__, __LINE__, #condition)))
void stage_tell(void);

/** What a stage is made with. */
struct stage_kind {
    bool serve; /* our end is the server */
    int version;
    const char *suite;
};

/** Sides and suites of each version; so many of them are used. */
#define STAGE_KINDS (TEST_SANITIZED ? 2u : 4u)
extern const struct stage_kind stage_kinds13[4], stage_kinds12[4];

/** As peer_run_cases(), but in the synchronous form only: a record is opened on the caller's thread
 * in both. */
int stage_run_cases(const char *group, const struct peer_case *cases, size_t count);

void stage_open(struct stage *stage, const struct peer_form *form, const struct stage_kind *kind);
void stage_close(struct stage *stage);

/** Opens what our end has sent, and counts its answers and alerts. The text of the last data (less
 * than 16 bytes), or nothing. */
void stage_read_wire(struct stage *stage, char ret_text[16]);

/** Reads on as a caller does who answers everything at once, until there is no more or something
 * has ended. *ret_len is that of the last data; they lie in stage_data. */
void stage_read(struct stage *stage, size_t *ret_len);
extern uint8_t stage_data[STAGE_FRAGMENT];

/** All is read, and afterwards both directions work. */
void stage_expect_goes_on(struct stage *stage);
/** Something ends the connection with SEC_E_ILLEGAL_MESSAGE and this alert. */
void stage_expect_ends(struct stage *stage, uint8_t alert);
/** It is over (stage->status), nothing is left to be read, and a leg has told the peer. */
void stage_expect_dead(struct stage *stage);

#endif
