/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handles, credentials and security contexts; see object.h.
 *
 *     dwLower   the table's identifier: generation << 32 | slot index
 *     dwUpper   kind << 56 | package index << 48 | keyed check of all the rest
 *
 * Kind is 1 or 2 and the table never gives 0 or all ones, so neither word is a value that SSPI
 * callers take for "none". The check is no secret-keeping device: it makes handles of another
 * process, of the other kind, swapped words and random numbers fail without a look at any object.
 */
#include "core/object.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/memory.h"

#define KIND_CREDENTIAL 1u
#define KIND_CONTEXT    2u
#define KIND_SHIFT      56u
#define PACKAGE_SHIFT   48u
#define CHECK_MASK      ((UINT64_C(1) << PACKAGE_SHIFT) - 1)
#define MIN_LINE        256u /* generations do the work; the line only spreads reuse */
#define LINE_SHARE      16u
#define WHOLE_LINES(n)  (((n) + 63u) & ~(size_t)63u)

_Static_assert(sizeof(ULONG_PTR) == sizeof(uint64_t), "a handle word holds an identifier");

static void destroy_credential(struct osspi_slot *slot);
static void destroy_context(struct osspi_slot *slot);

/* Guarded by their own locks. */
static struct osspi_table credentials = {
    .object_size = WHOLE_LINES(sizeof(struct osspi_credential)),
    .min_line = MIN_LINE,
    .line_share = LINE_SHARE,
    .destroy = destroy_credential,
};
static struct osspi_table contexts = {
    .object_size = WHOLE_LINES(sizeof(struct osspi_context)),
    .min_line = MIN_LINE,
    .line_share = LINE_SHARE,
    .destroy = destroy_context,
};

/* 0 until the first handle is made or checked, then constant. A forked child keeps it. */
static _Atomic uint64_t handle_key;

/* ---- handles ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two threads may both make a key; the first to store it wins. */
static uint64_t make_key(void)
{
    uint64_t key = 0;
    uint64_t expected = 0;

    if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key) || key == 0) {
        /* Early boot or a seccomp filter: clock and address layout still tell processes apart. */
        key = mix(osspi_now_ns() ^ UINT64_C(0x9E3779B97F4A7C15), (uintptr_t)&key | 1);
        key |= 1;
    }
    return atomic_compare_exchange_strong(&handle_key, &expected, key) ? key : expected;
}

static uint64_t check_of(uint64_t lower, uint64_t head)
{
    uint64_t key = atomic_load_explicit(&handle_key, memory_order_relaxed);

    if (key == 0)
        key = make_key();
    /* Two rounds: after one, flipped bits of `lower` would show too plainly. */
    lower = mix(lower ^ key, (key << 32 | key >> 32) | 1);
    return mix(lower ^ head, key ^ UINT64_C(0xD6E8FEB86659FD93)) & CHECK_MASK;
}

static void write_handle(const struct osspi_slot *slot, uint64_t kind, uint8_t package_index,
                         SecHandle *ret_handle)
{
    uint64_t head = kind << KIND_SHIFT | (uint64_t)package_index << PACKAGE_SHIFT;

    ret_handle->dwLower = osspi_slot_id(slot);
    ret_handle->dwUpper = head | check_of(ret_handle->dwLower, head);
}

/* Did write_handle() of this process make it? Says nothing about the object. */
static bool is_ours(const SecHandle *handle, uint64_t kind)
{
    uint64_t head = handle->dwUpper & ~CHECK_MASK;

    return head >> KIND_SHIFT == kind &&
           (handle->dwUpper & CHECK_MASK) == check_of(handle->dwLower, head);
}

static struct osspi_slot *look_up(struct osspi_table *table, const SecHandle *handle, uint64_t kind)
{
    if (!handle || !is_ours(handle, kind))
        return NULL;
    return osspi_table_lookup(table, handle->dwLower);
}

static struct osspi_slot *retire(struct osspi_table *table, const SecHandle *handle, uint64_t kind)
{
    struct osspi_slot *slot = look_up(table, handle, kind);
    bool owner;

    if (!slot)
        return NULL;
    owner = osspi_table_retire(table, slot, handle->dwLower);
    osspi_slot_unref(table, slot); /* the look-up's reference; the owner's is still there */
    return owner ? slot : NULL;
}

void osspi_credential_handle(const struct osspi_credential *credential, CredHandle *ret_handle)
{
    write_handle(&credential->slot, KIND_CREDENTIAL, credential->class->package_index, ret_handle);
}

void osspi_context_handle(const struct osspi_context *context, CtxtHandle *ret_handle)
{
    write_handle(&context->slot, KIND_CONTEXT, context->class->package_index, ret_handle);
}

struct osspi_credential *osspi_credential_lookup(const CredHandle *handle)
{
    return (struct osspi_credential *)look_up(&credentials, handle, KIND_CREDENTIAL);
}

struct osspi_context *osspi_context_lookup(const CtxtHandle *handle)
{
    return (struct osspi_context *)look_up(&contexts, handle, KIND_CONTEXT);
}

struct osspi_credential *osspi_credential_retire(const CredHandle *handle)
{
    return (struct osspi_credential *)retire(&credentials, handle, KIND_CREDENTIAL);
}

struct osspi_context *osspi_context_retire(const CtxtHandle *handle)
{
    return (struct osspi_context *)retire(&contexts, handle, KIND_CONTEXT);
}

bool osspi_context_was_deleted(const CtxtHandle *handle)
{
    struct osspi_context *context;

    /* The check cannot be guessed: what passes it and finds nothing was given out once. */
    if (!handle || !is_ours(handle, KIND_CONTEXT))
        return false;
    context = osspi_context_lookup(handle);
    osspi_context_unref(context);
    return !context;
}

/* ---- objects ---- */

/* The next user of the slot finds zeros, as on the first day. */
static void wipe_behind_slot(struct osspi_slot *slot, size_t object_size)
{
    osspi_secure_zero((char *)slot + sizeof(*slot), object_size - sizeof(*slot));
}

static void destroy_credential(struct osspi_slot *slot)
{
    struct osspi_credential *credential = (struct osspi_credential *)slot;

    if (credential->data) {
        if (credential->class->clear_credential)
            credential->class->clear_credential(credential);
        osspi_secret_free(credential->data, credential->class->cred_size);
    }
    wipe_behind_slot(slot, sizeof(*credential));
}

static void destroy_context(struct osspi_slot *slot)
{
    struct osspi_context *context = (struct osspi_context *)slot;

    if (context->data) {
        if (context->class->clear_context)
            context->class->clear_context(context);
        osspi_secret_free(context->data, context->class->ctx_size);
    }
    osspi_credential_unref(context->credential);
    osspi_context_clear_detail(context);
    wipe_behind_slot(slot, sizeof(*context));
}

struct osspi_credential *osspi_credential_new(const struct osspi_object_class *class, uint32_t use)
{
    struct osspi_credential *credential =
        (struct osspi_credential *)osspi_table_acquire(&credentials);

    if (!credential)
        return NULL;
    credential->class = class;
    credential->package = class->package;
    credential->use = use;
    credential->data = osspi_alloc(class->cred_size);
    if (!credential->data) {
        osspi_credential_discard(credential);
        return NULL;
    }
    return credential;
}

struct osspi_context *osspi_context_new(const struct osspi_object_class *class,
                                        struct osspi_credential *credential, bool accepting)
{
    struct osspi_context *context = (struct osspi_context *)osspi_table_acquire(&contexts);

    if (!context)
        return NULL;
    context->class = class;
    context->package = class->package;
    context->accepting = accepting;
    context->epoch = osspi_fork_epoch();
    atomic_store_explicit(&context->turn.home, 0, memory_order_relaxed);
    atomic_store_explicit(&context->state, OSSPI_CONTEXT_HANDSHAKE, memory_order_relaxed);
    if (credential) {
        osspi_credential_ref(credential);
        context->credential = credential;
    }
    context->data = osspi_alloc(class->ctx_size);
    if (!context->data) {
        osspi_context_discard(context);
        return NULL;
    }
    return context;
}

void osspi_credential_discard(struct osspi_credential *credential)
{
    if (osspi_table_retire(&credentials, &credential->slot, osspi_slot_id(&credential->slot)))
        osspi_credential_unref(credential);
}

void osspi_context_discard(struct osspi_context *context)
{
    if (osspi_table_retire(&contexts, &context->slot, osspi_slot_id(&context->slot)))
        osspi_context_unref(context);
}

void osspi_credential_ref(struct osspi_credential *credential)
{
    osspi_slot_ref(&credential->slot);
}

void osspi_context_ref(struct osspi_context *context)
{
    osspi_slot_ref(&context->slot);
}

void osspi_credential_unref(struct osspi_credential *credential)
{
    if (credential)
        osspi_slot_unref(&credentials, &credential->slot);
}

void osspi_context_unref(struct osspi_context *context)
{
    if (context)
        osspi_slot_unref(&contexts, &context->slot);
}

uint32_t osspi_credential_live(void)
{
    return osspi_table_live(&credentials);
}

uint32_t osspi_context_live(void)
{
    return osspi_table_live(&contexts);
}

void osspi_context_set_credential(struct osspi_context *context,
                                  struct osspi_credential *credential)
{
    struct osspi_credential *old = context->credential;

    if (old == credential)
        return;
    if (credential)
        osspi_credential_ref(credential);
    context->credential = credential;
    osspi_credential_unref(old);
}

void osspi_context_set_state(struct osspi_context *context, enum osspi_context_state state)
{
    uint32_t now = atomic_load_explicit(&context->state, memory_order_relaxed);

    while (now != OSSPI_CONTEXT_GIVEN_UP &&
           !atomic_compare_exchange_weak_explicit(&context->state, &now, (uint32_t)state,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
}

/* Takes the words over; NULL: none. */
static void change_detail(struct osspi_context *context, char *detail)
{
    char *old;

    osspi_lock_acquire(&context->detail_lock);
    old = context->detail;
    context->detail = detail;
    atomic_store_explicit(&context->has_detail, detail != NULL, memory_order_relaxed);
    osspi_lock_release(&context->detail_lock);
    osspi_free(old);
}

void osspi_context_detail(struct osspi_context *context, const char *format, ...)
{
    char text[OSSPI_DETAIL_SIZE];
    va_list arguments;
    int len;

    va_start(arguments, format);
    /* What does not fit is cut: the beginning says the most. */
    len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    change_detail(context, len > 0 ? osspi_strdup(text) : NULL);
}

void osspi_context_clear_detail(struct osspi_context *context)
{
    if (atomic_load_explicit(&context->has_detail, memory_order_relaxed))
        change_detail(context, NULL);
}

size_t osspi_context_get_detail(struct osspi_context *context, char *buffer, size_t size)
{
    size_t len;
    size_t copied;

    OSSPI_LOCKED(&context->detail_lock);
    len = context->detail ? strlen(context->detail) : 0;
    if (size > 0) {
        copied = len < size - 1 ? len : size - 1;
        if (copied > 0)
            memcpy(buffer, context->detail, copied);
        buffer[copied] = '\0';
    }
    return len;
}

SECURITY_STATUS osspi_context_usable(const struct osspi_context *context)
{
    /* The parent still has its copy of the keys and sequence numbers: never both. */
    if (context->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    /* A failed handshake stays open to legs: the package may still owe the peer an alert. */
    if (atomic_load_explicit(&context->state, memory_order_acquire) == OSSPI_CONTEXT_GIVEN_UP)
        return SEC_E_CONTEXT_EXPIRED;
    return SEC_E_OK;
}
