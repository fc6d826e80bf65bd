/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Cookies (RFC 6347, 4.2.1): a client gets one for its address and has to bring it back before
 * anything is made for it. A cookie is an HMAC over address, version, random and session id, under
 * a secret of the process that changes every few minutes; the one before still counts. Thread-safe;
 * a forked child has secrets of its own.
 */
#include "packages/schannel/datagram.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"

#define CLIENT_HELLO   1u
#define VERIFY_REQUEST 3u
#define RANDOM         32u
#define SECRET         32u
#define PERIOD_NS      UINT64_C(300000000000)

static struct {
    struct osspi_lock lock;
    uint32_t epoch; /* guarded by lock, like all that follows: fork epoch of the secrets */
    uint64_t since; /* when the first became current; 0: there is none */
    bool has_previous;
    uint8_t secrets[2][SECRET]; /* current, previous */
} cookies;

/* ---- the ClientHello ---- */

/* A field of a length that stands in front of it in one byte; NULL: it is cut off. */
static const uint8_t *take_counted(const uint8_t **at, const uint8_t *end, size_t most)
{
    const uint8_t *field = *at;

    if (end - field < 1 || field[0] > most || (size_t)(end - field - 1) < field[0])
        return NULL;
    *at = field + 1 + field[0];
    return field;
}

bool osspi_datagram_hello(const struct osspi_datagram_record *record,
                          struct osspi_datagram_hello *ret_hello)
{
    struct osspi_datagram_message message;
    const uint8_t *at, *end;

    if (!osspi_datagram_message(record, &message) || message.type != CLIENT_HELLO ||
        message.from != 0 || message.sequence > 1 || message.to < 2 + RANDOM ||
        message.body[0] != 0xFE)
        return false;
    end = message.body + message.to;
    at = message.body + 2 + RANDOM;
    *ret_hello = (struct osspi_datagram_hello){
        .number = record->number,
        .sequence = message.sequence,
        .version = message.body,
        .random = message.body + 2,
        .session_id = take_counted(&at, end, 32),
    };
    if (ret_hello->session_id)
        ret_hello->cookie = take_counted(&at, end, 255);
    return ret_hello->cookie != NULL;
}

/* ---- secrets ---- */

static bool fill_random(uint8_t *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t got = getrandom(bytes, len, 0);

        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0) {
            bytes += got;
            len -= (size_t)got;
        }
    }
    return true;
}

static bool refresh_locked(void)
{
    const uint64_t now = osspi_coarse_ns();
    uint8_t fresh[SECRET];

    if (cookies.epoch != osspi_fork_epoch()) {
        cookies.since = 0;
        cookies.epoch = osspi_fork_epoch();
    }
    if (cookies.since != 0 && now - cookies.since < PERIOD_NS)
        return true;
    if (!fill_random(fresh, sizeof(fresh)))
        return false;
    /* One that nobody was given a cookie under for two periods is none any more. */
    cookies.has_previous = cookies.since != 0 && now - cookies.since < 2 * PERIOD_NS;
    memcpy(cookies.secrets[1], cookies.secrets[0], SECRET);
    memcpy(cookies.secrets[0], fresh, SECRET);
    osspi_secure_zero(fresh, sizeof(fresh));
    cookies.since = now;
    return true;
}

/* The secrets of now. SEC_E_INTERNAL_ERROR: there is no randomness. */
static SECURITY_STATUS get_secrets(uint8_t ret_secrets[2][SECRET], bool *ret_has_previous)
{
    OSSPI_LOCKED(&cookies.lock);
    if (!refresh_locked())
        return SEC_E_INTERNAL_ERROR;
    memcpy(ret_secrets, cookies.secrets, sizeof(cookies.secrets));
    *ret_has_previous = cookies.has_previous;
    return SEC_E_OK;
}

/* ---- cookies ---- */

static void make(const uint8_t secret[SECRET], const struct osspi_datagram_hello *hello,
                 struct osspi_hmac_bytes address, uint8_t ret_cookie[OSSPI_DTLS_COOKIE])
{
    const uint8_t address_len[] = {(uint8_t)(address.len >> 8), (uint8_t)address.len};
    const struct osspi_hmac_bytes parts[] = {{address_len, sizeof(address_len)},
                                             address,
                                             {hello->version, 2},
                                             {hello->random, RANDOM},
                                             {hello->session_id, 1 + (size_t)hello->session_id[0]}};
    struct osspi_hmac_key key;

    _Static_assert(OSSPI_DTLS_COOKIE == SHA256_DIGEST_LENGTH, "a cookie is a whole MAC");
    osspi_hmac_key_set(&key, OSSPI_HMAC_SHA256, (struct osspi_hmac_bytes){secret, SECRET});
    osspi_hmac(&key, parts, OSSPI_COUNT_OF(parts), ret_cookie);
    osspi_hmac_key_clear(&key);
}

SECURITY_STATUS osspi_cookie_check(const struct osspi_datagram_hello *hello,
                                   struct osspi_hmac_bytes address)
{
    uint8_t secrets[2][SECRET], expected[OSSPI_DTLS_COOKIE];
    bool has_previous = false, good = false;
    SECURITY_STATUS status;

    if (hello->cookie[0] != OSSPI_DTLS_COOKIE)
        return SEC_E_INVALID_TOKEN;
    status = get_secrets(secrets, &has_previous);
    if (status != SEC_E_OK)
        return status;
    for (size_t i = 0; i < (has_previous ? 2 : 1); i++) {
        make(secrets[i], hello, address, expected);
        good = osspi_secret_equal(expected, hello->cookie + 1, sizeof(expected)) || good;
    }
    osspi_secure_zero(secrets, sizeof(secrets));
    return good ? SEC_E_OK : SEC_E_INVALID_TOKEN;
}

SECURITY_STATUS osspi_cookie_request(const struct osspi_datagram_hello *hello,
                                     struct osspi_hmac_bytes address,
                                     uint8_t ret_record[OSSPI_DTLS_VERIFY_SIZE])
{
    const uint8_t body = OSSPI_DTLS_MESSAGE + 3 + OSSPI_DTLS_COOKIE;
    const uint8_t len = 3 + OSSPI_DTLS_COOKIE;
    /* The version that every client knows, whatever is going to be spoken; the number is the
     * ClientHello's, since nothing is kept to count with. */
    const uint8_t head[] = {22,
                            0xFE,
                            0xFF,
                            0,
                            0,
                            (uint8_t)(hello->number >> 40),
                            (uint8_t)(hello->number >> 32),
                            (uint8_t)(hello->number >> 24),
                            (uint8_t)(hello->number >> 16),
                            (uint8_t)(hello->number >> 8),
                            (uint8_t)hello->number,
                            0,
                            body,
                            VERIFY_REQUEST,
                            0,
                            0,
                            len,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            len,
                            0xFE,
                            0xFF,
                            OSSPI_DTLS_COOKIE};
    uint8_t secrets[2][SECRET];
    bool has_previous;
    SECURITY_STATUS status = get_secrets(secrets, &has_previous);

    _Static_assert(sizeof(head) + OSSPI_DTLS_COOKIE == OSSPI_DTLS_VERIFY_SIZE, "a whole record");
    if (status != SEC_E_OK)
        return status;
    memcpy(ret_record, head, sizeof(head));
    make(secrets[0], hello, address, ret_record + sizeof(head));
    osspi_secure_zero(secrets, sizeof(secrets));
    return SEC_E_OK;
}
