/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys that stay in a device; see pkcs11.h.
 *
 * Sessions (pkcs11_backend.h) are kept in a list for the process, one for each module (and PIN),
 * each with the keys that it has opened. A key is opened once, and tried with a signature before it
 * is given out again; one that fails is set aside, and opened anew. Neither sessions nor keys are
 * ever freed: that would talk to the device, on a thread that may not wait. Their number is that of
 * different URIs and PINs.
 *
 * The list's lock is held for looking alone. A session's lock is held while it talks to the device:
 * who wants the same session waits for it, on the blocking lane as well.
 */
#include "cert/pkcs11.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ui.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign.h"
#include "base/lock.h"
#include "cert/pkcs11_backend.h"

struct osspi_token_key {
    _Atomic uint32_t refs;
    char *path; /* constant, with the two below */
    char *module;
    struct osspi_secret pin;
    /* The device has refused the PIN: it is not tried again with this description, because each
     * handshake would try it, and the device would lock itself. */
    _Atomic bool denied;
};

/* A key that was opened. */
struct opened {
    struct opened *next;
    char *path;
    EVP_PKEY *key;
};

struct session {
    struct session *next; /* constant once it is in the list, with the four below */
    char *module;         /* or NULL */
    struct osspi_secret pin;
    const struct osspi_token_backend *backend;
    uint32_t epoch; /* fork epoch in which it was made */
    struct osspi_lock lock;
    void *running;         /* guarded by lock; NULL: not started yet */
    struct opened *opened; /* guarded by lock */
    struct opened *broken; /* guarded by lock; kept in reach, no more */
};

static struct {
    struct osspi_lock lock;
    struct session *first; /* guarded by lock */
} sessions;

/* ---- descriptions ---- */

struct osspi_token_key *osspi_token_key_new(struct osspi_token_uri *uri)
{
    struct osspi_token_key *key = osspi_alloc(sizeof(*key));

    if (!key)
        return NULL;
    atomic_init(&key->refs, 1);
    key->path = OSSPI_TAKE(uri->path);
    key->module = OSSPI_TAKE(uri->module);
    key->pin = uri->pin;
    uri->pin = (struct osspi_secret){0};
    return key;
}

struct osspi_token_key *osspi_token_key_ref(struct osspi_token_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void osspi_token_key_unref(struct osspi_token_key *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    osspi_secret_clear(&key->pin);
    osspi_free(key->module);
    osspi_free(key->path);
    osspi_free(key);
}

void osspi_token_key_unrefp(struct osspi_token_key **key)
{
    osspi_token_key_unref(*key);
}

/* ---- what went wrong ---- */

/* Return values of PKCS #11 (its section 5.1, "CKR_"), which both libraries pass on as reasons. */
enum {
    CKR_HOST_MEMORY = 0x02,
    CKR_PIN_INCORRECT = 0xA0,
    CKR_PIN_INVALID = 0xA1,
    CKR_PIN_LEN_RANGE = 0xA2,
    CKR_PIN_EXPIRED = 0xA3,
    CKR_PIN_LOCKED = 0xA4,
    CKR_USER_NOT_LOGGED_IN = 0x101,
    CKR_USER_PIN_NOT_INITIALIZED = 0x102
};

static SECURITY_STATUS status_of_return_value(int value)
{
    switch (value) {
    case CKR_HOST_MEMORY:
        return SEC_E_INSUFFICIENT_MEMORY;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_USER_PIN_NOT_INITIALIZED:
        return SEC_E_LOGON_DENIED;
    default:
        return SEC_E_NO_CREDENTIALS;
    }
}

/* The libraries have no fixed numbers, only names: "PKCS#11 module" (the engine's return values),
 * "pkcs11 engine", "libp11", "PKCS#11 Provider" or "pkcs11". */
bool osspi_token_error(unsigned long error, SECURITY_STATUS *ret_status)
{
    const char *name = ERR_lib_error_string(error);

    if (!name)
        return false;
    if (strncmp(name, "pkcs11", 6) != 0 && strncmp(name, "PKCS#11", 7) != 0 &&
        strncmp(name, "libp11", 6) != 0)
        return false;
    *ret_status = SEC_E_NO_CREDENTIALS;
    /* Reasons of the engine itself and of libp11 are numbers of their own. */
    if (strstr(name, "engine") == NULL && strncmp(name, "libp11", 6) != 0)
        *ret_status = status_of_return_value(ERR_GET_REASON(error));
    return true;
}

/* The first entry is the cause, unless the application had left entries before it; the last one is
 * surely ours. */
SECURITY_STATUS osspi_token_failure(void)
{
    const unsigned long entries[] = {ERR_peek_error(), ERR_peek_last_error()};
    SECURITY_STATUS status;

    for (size_t i = 0; i < OSSPI_COUNT_OF(entries); i++) {
        if (ERR_GET_REASON(entries[i]) == ERR_R_MALLOC_FAILURE)
            return SEC_E_INSUFFICIENT_MEMORY;
        if (osspi_token_error(entries[i], &status) && status != SEC_E_NO_CREDENTIALS)
            return status;
    }
    return SEC_E_NO_CREDENTIALS;
}

/* ---- the user interface ---- */

static int answer(UI *ui, UI_STRING *question)
{
    struct osspi_token_asked *asked = UI_get0_user_data(ui);
    const bool for_secret = UI_get_string_type(question) == UIT_PROMPT;

    if (!for_secret)
        return 1;
    if (asked)
        asked->count++;
    if (!asked || !asked->pin || asked->pin->len == 0)
        return UI_set_result_ex(ui, question, "", 0) == 0;
    return UI_set_result_ex(ui, question, (const char *)asked->pin->bytes, (int)asked->pin->len) ==
           0;
}

UI_METHOD *osspi_token_ui(void)
{
    static _Atomic(UI_METHOD *) made; /* set once, constant then */
    UI_METHOD *method = atomic_load(&made);
    UI_METHOD *expected = NULL;

    if (method)
        return method;
    method = UI_create_method("OpenSSPI");
    if (!method || UI_method_set_reader(method, answer) != 0) {
        UI_destroy_method(method);
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&made, &expected, method)) {
        UI_destroy_method(method);
        return expected;
    }
    return method;
}

/* ---- sessions ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_secret(const struct osspi_secret *a, const struct osspi_secret *b)
{
    return a->len == b->len && (a->len == 0 || osspi_secret_equal(a->bytes, b->bytes, a->len));
}

/* Which module: the URI's, else what the environment says as the users of both libraries know it. A
 * program with more rights than its caller is not told by the environment what to load. */
static const char *module_of(const struct osspi_token_key *key)
{
    const char *name = key->module;

    if (!name)
        name = secure_getenv("PKCS11_MODULE_PATH");
    if (!name || name[0] == '\0')
        name = secure_getenv("PKCS11_PROVIDER_MODULE");
    return name && name[0] != '\0' ? name : NULL;
}

static struct session *find_locked(const char *module, const struct osspi_token_key *key,
                                   const struct osspi_token_backend *backend)
{
    for (struct session *session = sessions.first; session; session = session->next) {
        if (session->epoch == osspi_fork_epoch() && session->backend == backend &&
            same_text(session->module, module) &&
            (!backend->by_pin || same_secret(&session->pin, &key->pin)))
            return session;
    }
    return NULL;
}

static void session_free(struct session *session)
{
    osspi_free(session->module);
    osspi_secret_clear(&session->pin);
    osspi_free(session);
}

static struct session *session_new(const char *module, const struct osspi_token_key *key,
                                   const struct osspi_token_backend *backend)
{
    struct session *session = osspi_alloc(sizeof(*session));

    if (!session)
        return NULL;
    session->backend = backend;
    session->epoch = osspi_fork_epoch();
    session->module = osspi_strdup(module);
    if (backend->by_pin && key->pin.len > 0) {
        session->pin.bytes = osspi_memdup(key->pin.bytes, key->pin.len);
        session->pin.len = session->pin.bytes ? key->pin.len : 0;
    }
    if ((module && !session->module) || (backend->by_pin && session->pin.len != key->pin.len)) {
        session_free(session);
        return NULL;
    }
    return session;
}

/* The session of a key; not started yet if it is new. NULL: no memory. */
static struct session *session_of(const struct osspi_token_key *key,
                                  const struct osspi_token_backend *backend)
{
    const char *module = module_of(key);
    struct session *session;

    OSSPI_LOCKED(&sessions.lock);
    session = find_locked(module, key, backend);
    if (session)
        return session;
    session = session_new(module, key, backend);
    if (!session)
        return NULL;
    session->next = sessions.first;
    sessions.first = session;
    return session;
}

static _Atomic uint32_t starts; /* see osspi_token_starts() */

uint32_t osspi_token_starts(void)
{
    return atomic_load(&starts);
}

/* A module that cannot be loaded is none; the engine would tell so on standard error. It stays
 * loaded: its code may run on any thread until the process ends. */
static SECURITY_STATUS start_locked(struct session *session)
{
    if (session->running)
        return SEC_E_OK;
    if (session->module && !dlopen(session->module, RTLD_NOW | RTLD_LOCAL))
        return SEC_E_NO_CREDENTIALS;
    session->running = session->backend->start(session->module, &session->pin);
    atomic_fetch_add(&starts, 1);
    return session->running ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION;
}

/* ---- keys ---- */

/* Does the device still sign with it? Nothing else tells whether it was pulled out meanwhile. */
static bool still_works(EVP_PKEY *key)
{
    OSSPI_CRYPTO_CALL; /* for the error queue */
    static const unsigned char sample[] = "OpenSSPI";
    const struct osspi_crypto *crypto = osspi_crypto_get_full();
    EVP_MD_CTX *context = crypto ? EVP_MD_CTX_new() : NULL;
    unsigned char signature[2048];
    size_t len = sizeof(signature);
    bool works;

    if (!context)
        return false;
    works = EVP_DigestSignInit_ex(context, NULL, "SHA256", crypto->library, NULL, key, NULL) == 1 &&
            (size_t)EVP_PKEY_get_size(key) <= sizeof(signature) &&
            EVP_DigestSign(context, signature, &len, sample, sizeof(sample)) == 1;
    EVP_MD_CTX_free(context);
    return works;
}

/* One that was opened before and still works, with a reference for the caller; or NULL. */
static EVP_PKEY *reuse_locked(struct session *session, const char *path)
{
    for (struct opened **link = &session->opened; *link; link = &(*link)->next) {
        struct opened *opened = *link;

        if (strcmp(opened->path, path) != 0)
            continue;
        if (still_works(opened->key) && EVP_PKEY_up_ref(opened->key) == 1)
            return opened->key;
        *link = opened->next;
        opened->next = session->broken;
        session->broken = opened;
        return NULL;
    }
    return NULL;
}

static SECURITY_STATUS open_locked(struct session *session, const struct osspi_token_key *key,
                                   EVP_PKEY **ret_key)
{
    struct opened *opened = osspi_alloc(sizeof(*opened));
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;

    if (opened)
        opened->path = osspi_strdup(key->path);
    if (opened && opened->path)
        status = session->backend->key(session->running, key->path, &key->pin, &opened->key);
    if (status == SEC_E_OK && EVP_PKEY_up_ref(opened->key) != 1)
        status = SEC_E_INSUFFICIENT_MEMORY;
    if (status != SEC_E_OK) {
        if (opened)
            osspi_free(opened->path);
        osspi_free(opened);
        return status;
    }
    *ret_key = opened->key;
    opened->next = session->opened;
    session->opened = opened;
    return SEC_E_OK;
}

static SECURITY_STATUS open_in(struct session *session, struct osspi_token_key *key,
                               EVP_PKEY **ret_key)
{
    OSSPI_CRYPTO_CALL; /* what one library leaves in the error queue is not told of the other */
    OSSPI_LOCKED(&session->lock);
    SECURITY_STATUS status = start_locked(session);
    if (status != SEC_E_OK)
        return status;
    *ret_key = reuse_locked(session, key->path);
    if (*ret_key)
        return SEC_E_OK;
    if (atomic_load(&key->denied))
        return SEC_E_LOGON_DENIED;
    status = open_locked(session, key, ret_key);
    if (status == SEC_E_LOGON_DENIED && key->pin.len > 0)
        atomic_store(&key->denied, true);
    return status;
}

static SECURITY_STATUS read_in(struct session *session, const struct osspi_token_key *key,
                               X509 **ret_certificate)
{
    OSSPI_CRYPTO_CALL; /* what one library leaves in the error queue is not told of the other */
    OSSPI_LOCKED(&session->lock);
    SECURITY_STATUS status = start_locked(session);
    if (status != SEC_E_OK)
        return status;
    return session->backend->certificate(session->running, key->path, &key->pin, ret_certificate);
}

/* ---- by the provider if it is there, else by the engine ---- */

static const struct osspi_token_backend *const backends[] = {&osspi_token_provider,
                                                             &osspi_token_engine};

SECURITY_STATUS osspi_token_open(struct osspi_token_key *key, EVP_PKEY **ret_key)
{
    SECURITY_STATUS status = SEC_E_UNSUPPORTED_FUNCTION;
    OSSPI_CRYPTO_CALL;
    OSSPI_FOREIGN_SLOW;

    for (size_t i = 0; status == SEC_E_UNSUPPORTED_FUNCTION && i < OSSPI_COUNT_OF(backends); i++) {
        struct session *session = session_of(key, backends[i]);

        status = session ? open_in(session, key, ret_key) : SEC_E_INSUFFICIENT_MEMORY;
    }
    return status;
}

static SECURITY_STATUS take_der(X509 *certificate, struct osspi_secret *ret_der)
{
    int len = i2d_X509(certificate, NULL);
    unsigned char *end;

    if (len <= 0)
        return SEC_E_UNKNOWN_CREDENTIALS;
    ret_der->bytes = end = osspi_alloc((size_t)len);
    if (!ret_der->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    ret_der->len = (size_t)len;
    return i2d_X509(certificate, &end) == len ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_token_certificate(const struct osspi_token_key *key,
                                        struct osspi_secret *ret_der)
{
    SECURITY_STATUS status = SEC_E_UNSUPPORTED_FUNCTION;
    X509 *certificate = NULL;
    OSSPI_CRYPTO_CALL;
    OSSPI_FOREIGN_SLOW;

    for (size_t i = 0; status == SEC_E_UNSUPPORTED_FUNCTION && i < OSSPI_COUNT_OF(backends); i++) {
        struct session *session = session_of(key, backends[i]);

        status = session ? read_in(session, key, &certificate) : SEC_E_INSUFFICIENT_MEMORY;
    }
    if (status == SEC_E_OK)
        status = take_der(certificate, ret_der);
    X509_free(certificate);
    return status;
}
