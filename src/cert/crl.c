/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fetched revocation lists; see crl.h. Few and large, hence a short list in the order of their last
 * use, bounded in number and in bytes.
 */
#include "cert/crl.h"

#include <string.h>
#include <time.h>

#include "base/foreign.h"
#include "base/lock.h"
#include "cert/crypto.h"
#include "cert/fetch.h"

#define LIST_MAX_LEN  (10u << 20) /* bytes of one */
#define LISTS_MAX     32u
#define LISTS_MAX_LEN (32u << 20) /* bytes of all of them, as DER */
#define AGE_MAX_S     86400

struct kept {
    struct kept *next;
    char *url;
    X509_CRL *crl; /* a reference */
    size_t len;
    int64_t until; /* unix seconds */
};

static struct {
    struct osspi_lock lock;
    uint32_t epoch;
    struct kept *first;     /* the one used last */
    struct kept *abandoned; /* the parent's, not touched any more */
} lists;                    /* guarded by its lock */

static void kept_free(struct kept *kept)
{
    while (kept != NULL) {
        struct kept *next = kept->next;
        X509_CRL_free(kept->crl);
        osspi_free(kept->url);
        osspi_free(kept);
        kept = next;
    }
}

/* In a forked child the parent's stay reachable for leak checkers, no more. */
static void start_afresh_locked(void)
{
    if (lists.epoch == osspi_fork_epoch())
        return;
    lists.abandoned = lists.first;
    lists.first = NULL;
    lists.epoch = osspi_fork_epoch();
}

/* Takes out what is past its time, over the bounds, or under the URL; to be freed unlocked. */
static struct kept *prune_locked(const char *url)
{
    const int64_t now = (int64_t)time(NULL);
    struct kept *dropped = NULL;
    struct kept **link = &lists.first;
    size_t len = 0, count = 0;

    while (*link != NULL) {
        struct kept *kept = *link;
        len += kept->len;
        count++;
        if (kept->until > now && count < LISTS_MAX && len <= LISTS_MAX_LEN &&
            (url == NULL || strcmp(kept->url, url) != 0)) {
            link = &kept->next;
            continue;
        }
        len -= kept->len;
        count--;
        *link = kept->next;
        kept->next = dropped;
        dropped = kept;
    }
    return dropped;
}

static X509_CRL *find_locked(const char *url)
{
    const int64_t now = (int64_t)time(NULL);

    for (struct kept **link = &lists.first; *link != NULL; link = &(*link)->next) {
        struct kept *kept = *link;
        if (strcmp(kept->url, url) != 0)
            continue;
        if (kept->until <= now || X509_CRL_up_ref(kept->crl) != 1)
            return NULL;
        *link = kept->next;
        kept->next = lists.first;
        lists.first = kept;
        return kept->crl;
    }
    return NULL;
}

X509_CRL *osspi_crl_known(const char *url)
{
    OSSPI_LOCKED(&lists.lock);
    start_afresh_locked();
    return find_locked(url);
}

/* By way of the lock: who frees a list last comes after everybody's last look at it. OpenSSL's own
 * counts order that as well, but not for tools that cannot see into it. */
void osspi_crl_put(X509_CRL *crl)
{
    osspi_lock_acquire(&lists.lock);
    osspi_lock_release(&lists.lock);
    X509_CRL_free(crl);
}

int64_t osspi_crl_until(const X509_CRL *crl)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    struct tm parts;

    if (next == NULL || ASN1_TIME_to_tm(next, &parts) != 1)
        return 0;
    return (int64_t)timegm(&parts);
}

static bool is_signed(X509_CRL *crl, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);

    return key != NULL &&
           X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) == 0 &&
           X509_CRL_verify(crl, key) == 1;
}

void osspi_crl_keep(const char *url, X509_CRL *crl, size_t len, X509 *issuer)
{
    const int64_t latest = (int64_t)time(NULL) + AGE_MAX_S;
    const int64_t until = osspi_crl_until(crl);
    struct kept *kept = osspi_alloc(sizeof(*kept));
    char *copy = osspi_strdup(url);

    if (kept == NULL || copy == NULL || until <= (int64_t)time(NULL) || !is_signed(crl, issuer) ||
        X509_CRL_up_ref(crl) != 1) {
        osspi_free(kept);
        osspi_free(copy);
        return;
    }
    *kept = (struct kept){NULL, copy, crl, len, until < latest ? until : latest};
    osspi_foreign_enter(); /* before the lock; see base/foreign.h */
    osspi_lock_acquire(&lists.lock);
    start_afresh_locked();
    struct kept *dropped = prune_locked(url);
    kept->next = lists.first;
    lists.first = kept;
    osspi_lock_release(&lists.lock);
    kept_free(dropped);
    osspi_foreign_leave();
}

void osspi_crl_forget(void)
{
    osspi_foreign_enter();
    osspi_lock_acquire(&lists.lock);
    start_afresh_locked();
    struct kept *all = OSSPI_TAKE(lists.first);
    osspi_lock_release(&lists.lock);
    kept_free(all);
    osspi_foreign_leave();
}

/* Parsed in the thread's default context, whose algorithms its signature is verified with. */
SECURITY_STATUS osspi_crl_ask(const char *url, uint64_t deadline_ns, X509_CRL **ret_crl,
                              size_t *ret_len)
{
    const struct osspi_fetch fetch = {url, NULL, NULL, LIST_MAX_LEN, deadline_ns};
    uint8_t *der osspi_auto(osspi_freep) = NULL;
    size_t len = 0;
    const SECURITY_STATUS status = osspi_fetch_der(&fetch, &der, &len);

    if (status != SEC_E_OK)
        return status;
    const unsigned char *at = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)len);
    if (crl == NULL || at != der + len) {
        X509_CRL_free(crl);
        return CRYPT_E_REVOCATION_OFFLINE;
    }
    *ret_crl = crl;
    *ret_len = len;
    return SEC_E_OK;
}
