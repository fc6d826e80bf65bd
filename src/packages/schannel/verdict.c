/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The verdict cache; see verdict.h.
 *
 * The key is a hash of everything that the verdict depends on. Policy and private roots are the
 * credential's, and its number is never used again in the process; the machine's roots are read
 * once by each shard and each child, so that shard and fork epoch name them.
 */
#include "packages/schannel/verdict.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "cert/crypto.h"
#include "cert/shelf.h"

#define KEPT_S 300

static struct osspi_shelf verdicts; /* guards itself */

/* Fixed sizes and order: what differs in any of it is another verdict. */
struct circumstances {
    uint64_t credential_id;
    uint64_t generation; /* of the credential's policy for client certificates, among others */
    uint32_t shard, epoch;
    uint32_t count; /* certificates */
    uint32_t auth_level;
    uint8_t server, verify_name, target_is_ip, has_target;
};

static bool add_certificates(EVP_MD_CTX *digest, const EVP_MD *sha256, X509_STORE_CTX *store)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len;

    if (X509_digest(X509_STORE_CTX_get0_cert(store), sha256, hash, &len) != 1 ||
        EVP_DigestUpdate(digest, hash, len) != 1)
        return false;
    for (int i = 0; i < sk_X509_num(sent); i++) {
        if (X509_digest(sk_X509_value(sent, i), sha256, hash, &len) != 1 ||
            EVP_DigestUpdate(digest, hash, len) != 1)
            return false;
    }
    return true;
}

static bool add_all(EVP_MD_CTX *digest, const EVP_MD *sha256, const struct osspi_tls *tls,
                    X509_STORE_CTX *store)
{
    struct circumstances about;

    memset(&about, 0, sizeof(about)); /* padding too */
    about.credential_id = tls->config->credential_id;
    about.generation = tls->config->generation;
    about.shard = tls->config->shard->index;
    about.epoch = osspi_fork_epoch();
    about.count = (uint32_t)sk_X509_num(X509_STORE_CTX_get0_untrusted(store));
    about.auth_level = (uint32_t)X509_VERIFY_PARAM_get_auth_level(X509_STORE_CTX_get0_param(store));
    about.server = tls->server;
    about.verify_name = tls->verify_name;
    about.target_is_ip = tls->target_is_ip;
    about.has_target = tls->target != NULL;
    return EVP_DigestInit_ex2(digest, sha256, NULL) == 1 &&
           EVP_DigestUpdate(digest, &about, sizeof(about)) == 1 &&
           add_certificates(digest, sha256, store) &&
           (tls->target == NULL || EVP_DigestUpdate(digest, tls->target, strlen(tls->target)) == 1);
}

bool osspi_verdict_key(const struct osspi_tls *tls, X509_STORE_CTX *store,
                       struct osspi_verdict_key *ret_key)
{
    const struct osspi_crypto *crypto = osspi_crypto_get();
    EVP_MD_CTX *digest = crypto == NULL ? NULL : EVP_MD_CTX_new();
    const bool made = digest != NULL && add_all(digest, crypto->sha256, tls, store) &&
                      EVP_DigestFinal_ex(digest, ret_key->bytes, NULL) == 1;

    EVP_MD_CTX_free(digest);
    return made;
}

bool osspi_verdict_known(const struct osspi_verdict_key *key, int64_t *ret_not_after)
{
    return osspi_shelf_get(&verdicts, key->bytes, ret_not_after, NULL);
}

void osspi_verdict_keep(const struct osspi_verdict_key *key, int64_t not_after, int64_t good_until)
{
    int64_t until = (int64_t)time(NULL) + KEPT_S;

    if (not_after < until)
        until = not_after;
    if (good_until < until)
        until = good_until;
    osspi_shelf_put(&verdicts, key->bytes, not_after, until);
}

void osspi_verdict_forget(void)
{
    osspi_shelf_empty(&verdicts);
}
