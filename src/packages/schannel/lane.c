/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which lane a leg starts on, and the class it is counted under; see package.h and the head of
 * leg.c. A call asks when it is queued, while another leg of the same context may be at work, and
 * again when it has answered OSSPI_WANT_BLOCKING. So what a context has to say is guarded by a lock
 * of its own, and the context's credential is not looked at: a leg may be about to change it.
 */
#include <stdio.h>

#include "packages/schannel/context.h"
#include "packages/schannel/sni.h"

static void choose(struct osspi_lane_choice *choice, const char *class_name)
{
    choice->lane = OSSPI_LANE_BLOCKING;
    snprintf(choice->class_name, sizeof(choice->class_name), "%s", class_name);
}

void osspi_schannel_lane(enum osspi_operation operation, struct osspi_credential *credential,
                         struct osspi_context *context, struct osspi_lane_choice *ret_choice)
{
    const struct osspi_schannel_credential *data = credential ? credential->data : NULL;
    struct osspi_schannel_context *sc = context ? osspi_schannel(context) : NULL;

    if (data && operation == OSSPI_OP_ACQUIRE && data->acquire_class)
        choose(ret_choice, data->acquire_class);
    if (data && data->config) {
        const char *class_name = data->blocking_class;

        if (!class_name && data->config->server && data->config->flags & SCH_CRED_SNI_CREDENTIAL)
            class_name = osspi_sni_blocking_class();
        if (class_name)
            choose(ret_choice, class_name);
    }
    if (!sc)
        return;
    OSSPI_LOCKED(&sc->lane_lock);
    if (sc->handshake && sc->handshake->lane_class[0] != '\0')
        choose(ret_choice, sc->handshake->lane_class);
}

void osspi_schannel_lane_note(struct osspi_schannel_context *sc, const char *class_name)
{
    OSSPI_LOCKED(&sc->lane_lock);
    if (sc->handshake)
        snprintf(sc->handshake->lane_class, sizeof(sc->handshake->lane_class), "%s",
                 class_name ? class_name : "");
}
