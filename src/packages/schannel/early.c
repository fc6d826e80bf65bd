/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Early data in a context; see early.h. Most connections have none, so what there is hangs with
 * what else only few of them have (struct osspi_left). Legs hold both sides of the context; a query
 * holds nothing, hence the lock.
 */
#include "packages/schannel/early.h"

#include <opensspi.h>
#include <string.h>

#include "base/memory.h"

SECURITY_STATUS osspi_early_send(struct osspi_leg_run *run)
{
    const SecBuffer *data = osspi_buffers_find(&run->in.buffers, SECBUFFER_DATA);

    if (!data)
        return SEC_E_OK;
    if (osspi_buffers_find_nth(&run->in.buffers, SECBUFFER_DATA, 1) ||
        (!data->pvBuffer && data->cbBuffer > 0))
        return SEC_E_INVALID_TOKEN;
    osspi_tls_send_early(run->sc->tls, data->pvBuffer, data->cbBuffer);
    return SEC_E_OK;
}

/* Behind what is there already; nothing is taken for want of memory. */
static bool append_locked(struct osspi_early *early, struct osspi_tls_early_news *news)
{
    uint8_t *both;

    if (news->len == 0)
        return true;
    if (early->len == 0) {
        osspi_secret_free(early->bytes, early->size);
        early->bytes = OSSPI_TAKE(news->bytes);
        early->len = news->len;
        early->size = news->size;
        return true;
    }
    if (news->len > early->size - early->len) {
        /* Twice as much: a client may send each byte by itself. */
        const size_t size = 2 * early->len + news->len;

        both = osspi_alloc(size);
        if (!both)
            return false;
        memcpy(both, early->bytes, early->len);
        osspi_secret_free(early->bytes, early->size);
        early->bytes = both;
        early->size = size;
    }
    memcpy(early->bytes + early->len, news->bytes, news->len);
    early->len += news->len;
    return true;
}

SECURITY_STATUS osspi_early_tell(struct osspi_schannel_context *sc)
{
    struct osspi_tls_early_news news;
    bool kept = true;

    if (!sc->tls) /* a handshake after the first */
        return SEC_E_OK;
    osspi_tls_take_early(sc->tls, &news);
    if (news.status != OSSPI_EARLY_DATA_NOT_SENT) {
        OSSPI_LOCKED(&sc->export_lock);
        struct osspi_left *left = osspi_left_locked(sc);

        kept = left && append_locked(&left->early, &news);
        if (kept)
            left->early.status = news.status;
    }
    osspi_secret_free(news.bytes, news.size);
    return kept ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_attribute_early(struct osspi_schannel_context *sc, void *buffer)
{
    OsspiEarlyData *answer = buffer;
    void *bytes = NULL;

    OSSPI_LOCKED(&sc->export_lock);
    struct osspi_early *early = sc->left ? &sc->left->early : NULL;

    if (early && early->len > 0) {
        bytes = osspi_context_buffer_new(early->len);
        if (!bytes)
            return SEC_E_INSUFFICIENT_MEMORY;
        memcpy(bytes, early->bytes, early->len);
    }
    *answer = (OsspiEarlyData){.status = early ? early->status : OSSPI_EARLY_DATA_NOT_SENT,
                               .cbData = early ? (ULONG)early->len : 0,
                               .pvData = bytes};
    if (bytes) {
        osspi_secret_free(OSSPI_TAKE(early->bytes), early->size);
        early->len = early->size = 0;
    }
    return SEC_E_OK;
}
