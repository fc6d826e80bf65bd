/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The package whose legs do what the test says; see mock_package.h. Thread-safe.
 */
#include "support/mock_package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffers.h"
#include "core/object.h"
#include "packages/package.h"
#include "packages/registry.h"

#define ALIVE   UINT32_C(0xA11FE)
#define CLEARED UINT32_C(0xDEAD)

struct mock_credential {
    uint32_t state; /* 0 before acquire, ALIVE, CLEARED */
    enum osspi_lane lane;
    char class_name[OSSPI_CLASS_NAME_SIZE];
    struct mock_auth *kept; /* taken over, or NULL */
};

struct mock_context {
    uint32_t state;
    _Atomic uint32_t inside;   /* legs that run now: 0 or 1 */
    bool again;                /* the last leg answered WANT_BLOCKING and comes back */
    struct mock_record record; /* guarded by the context's turn; plain on purpose */
};

struct mock_totals mock_totals; /* atomic, each of them */

static _Atomic uint64_t next_order;

static struct {
    pthread_mutex_t lock;
    struct osspi_lane_choice choice; /* guarded by lock */
} acquire_lane = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void misuse(const char *what)
{
    fprintf(stderr, "mock package: %s\n", what);
    atomic_fetch_add(&mock_totals.misuses, 1);
}

static void copy_name(char (*out)[OSSPI_CLASS_NAME_SIZE], const char *name)
{
    snprintf(*out, sizeof(*out), "%s", name ? name : "");
}

/* ---- auth data ---- */

static SECURITY_STATUS capture_auth(const void *auth, bool encoding_wide, void **ret_captured)
{
    const struct mock_auth *given = auth;
    struct mock_auth *copy;

    (void)encoding_wide;
    *ret_captured = NULL;
    if (given->magic != MOCK_AUTH)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (given->capture_status != SEC_E_OK)
        return given->capture_status;
    copy = calloc(1, sizeof(*copy) + OSSPI_CLASS_NAME_SIZE);
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    *copy = *given;
    if (given->class_name)
        copy->class_name = memcpy(copy + 1, given->class_name, strlen(given->class_name) + 1);
    atomic_fetch_add(&mock_totals.captured, 1);
    *ret_captured = copy;
    return SEC_E_OK;
}

static void release_auth(void *captured)
{
    struct mock_auth *auth = captured;

    if (!auth)
        return;
    if (auth->magic != MOCK_AUTH)
        misuse("auth data released twice");
    auth->magic = 0;
    atomic_fetch_add(&mock_totals.released, 1);
    free(auth);
}

/* ---- lanes ---- */

static void choose_lane(enum osspi_operation operation, struct osspi_credential *credential,
                        struct osspi_context *context, struct osspi_lane_choice *ret_choice)
{
    const struct mock_credential *data;

    if (operation == OSSPI_OP_ACQUIRE) {
        pthread_mutex_lock(&acquire_lane.lock);
        *ret_choice = acquire_lane.choice;
        pthread_mutex_unlock(&acquire_lane.lock);
        return;
    }
    if (!credential && context)
        credential = context->credential;
    ret_choice->lane = OSSPI_LANE_CPU;
    if (!credential)
        return;
    data = credential->data;
    ret_choice->lane = data->lane;
    copy_name(&ret_choice->class_name, data->class_name);
}

/* ---- what every entry does ---- */

static void enter(struct mock_step *step, enum osspi_lane lane)
{
    atomic_store(&step->order, atomic_fetch_add(&next_order, 1) + 1);
    atomic_store(&step->thread, test_thread_id());
    atomic_store(&step->lane, lane);
    atomic_fetch_add(&step->entries, 1);
}

/* The orders behind the entry; the answer is the step's status or WANT_BLOCKING. */
static SECURITY_STATUS obey(struct mock_step *step, enum osspi_lane lane)
{
    if (step->want_blocking && lane == OSSPI_LANE_CPU)
        return OSSPI_WANT_BLOCKING;
    if (step->gate)
        test_gate_pass(step->gate);
    if (step->inside)
        step->inside(step);
    return step->status;
}

static void count_in(void)
{
    uint64_t now = atomic_fetch_add(&mock_totals.in_leg, 1) + 1;
    uint64_t most = atomic_load(&mock_totals.most_in_leg);

    atomic_fetch_add(&mock_totals.entries, 1);
    while (now > most && !atomic_compare_exchange_weak(&mock_totals.most_in_leg, &most, now))
        ;
}

static void count_out(void)
{
    atomic_fetch_sub(&mock_totals.in_leg, 1);
}

/* ---- credentials ---- */

static SECURITY_STATUS acquire(struct osspi_credential *credential, struct osspi_acquire *args)
{
    struct mock_credential *data = credential->data;
    struct mock_auth *auth = args->auth;
    SECURITY_STATUS status = SEC_E_OK;

    count_in();
    if (data->state == CLEARED)
        misuse("acquire on a cleared credential");
    if (args->has_auth != (auth != NULL))
        misuse("acquire without the auth data it was given");
    data->state = ALIVE;
    args->expiry.QuadPart = MOCK_EXPIRY;
    if (auth && auth->step) {
        enter(auth->step, args->lane);
        status = obey(auth->step, args->lane);
    }
    if (auth && status == SEC_E_OK) {
        data->lane = auth->lane;
        copy_name(&data->class_name, auth->class_name);
    }
    if (status != OSSPI_WANT_BLOCKING)
        atomic_fetch_add(&mock_totals.acquires, 1);
    count_out();
    if (auth && auth->step)
        atomic_fetch_add(&auth->step->exits, 1);
    if (auth && auth->take_over && status == SEC_E_OK) {
        data->kept = auth;
        args->auth = NULL;
    }
    return status;
}

static void clear_credential(struct osspi_credential *credential)
{
    struct mock_credential *data = credential->data;

    if (data->state == CLEARED)
        misuse("credential cleared twice");
    data->state = CLEARED;
    release_auth(data->kept);
    data->kept = NULL;
    atomic_fetch_add(&mock_totals.credentials_cleared, 1);
}

/* ---- contexts ---- */

static struct mock_step *step_of(const struct osspi_leg *leg)
{
    const SecBuffer *token = osspi_buffers_find(&leg->in, SECBUFFER_TOKEN);
    struct mock_ticket ticket;

    if (!token || token->cbBuffer < sizeof(ticket))
        return NULL;
    memcpy(&ticket, token->pvBuffer, sizeof(ticket));
    return ticket.magic == MOCK_TICKET ? ticket.step : NULL;
}

static void require_sound_objects(const struct osspi_context *context, const struct osspi_leg *leg)
{
    const struct mock_context *data = context->data;
    const struct mock_credential *credential = leg->credential ? leg->credential->data : NULL;

    if (data->state == CLEARED)
        misuse("leg on a cleared context");
    if (!credential || credential->state != ALIVE)
        misuse("leg without a live credential");
    if (!context->credential)
        misuse("context without a credential");
}

static void record_leg(struct mock_context *data, const struct osspi_leg *leg,
                       const struct mock_step *step)
{
    struct mock_record *record = &data->record;

    if (record->legs == 0 && leg->target)
        snprintf(record->target, sizeof(record->target), "%s", leg->target);
    if (record->legs < MOCK_LOG)
        record->log[record->legs] = step ? step->number : 0;
    record->legs++;
}

static SECURITY_STATUS give_output(const struct osspi_leg *leg, const struct mock_step *step)
{
    SecBuffer *token = osspi_buffers_find(&leg->out, SECBUFFER_TOKEN);

    if (!token)
        return SEC_E_OK;
    if (!step || !step->output) {
        token->cbBuffer = 0;
        return SEC_E_OK;
    }
    return osspi_buffer_give(token, SECBUFFER_TOKEN, step->output, strlen(step->output),
                             (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0, SEC_E_BUFFER_TOO_SMALL);
}

static SECURITY_STATUS work(struct osspi_leg *leg, struct mock_step *step)
{
    SECURITY_STATUS status = step ? obey(step, leg->lane) : SEC_I_CONTINUE_NEEDED;
    SECURITY_STATUS given = SEC_E_OK;

    if (status == OSSPI_WANT_BLOCKING)
        return status;
    given = give_output(leg, step);
    leg->attributes = leg->flags & 0xFFFFFFFF;
    leg->expiry.QuadPart = MOCK_EXPIRY;
    return given != SEC_E_OK ? given : status;
}

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg)
{
    struct mock_context *data = context->data;
    struct mock_step *step = step_of(leg);
    SECURITY_STATUS status;

    count_in();
    if (atomic_exchange(&data->inside, 1) != 0)
        atomic_fetch_add(&mock_totals.overlaps, 1);
    require_sound_objects(context, leg);
    if (leg->first != (data->state == 0) && !data->again)
        misuse("`first` does not tell whether the context is new");
    data->state = ALIVE;
    if (!data->again)
        record_leg(data, leg, step);
    if (step)
        enter(step, leg->lane);
    status = work(leg, step);
    data->again = status == OSSPI_WANT_BLOCKING;
    atomic_store(&data->inside, 0);
    count_out();
    if (step)
        atomic_fetch_add(&step->exits, 1);
    return status;
}

static void clear_context(struct osspi_context *context)
{
    struct mock_context *data = context->data;
    const struct mock_credential *credential =
        context->credential ? context->credential->data : NULL;

    if (data->state == CLEARED)
        misuse("context cleared twice");
    if (atomic_load(&data->inside) != 0)
        misuse("context cleared while a leg runs");
    if (credential && credential->state == CLEARED)
        misuse("credential cleared before its context");
    data->state = CLEARED;
    atomic_fetch_add(&mock_totals.contexts_cleared, 1);
}

static SECURITY_STATUS query_context(struct osspi_context *context, uint32_t attribute,
                                     void *buffer, size_t size)
{
    const struct mock_context *data = context->data;

    if (attribute != MOCK_ATTRIBUTE_RECORD || size < sizeof(data->record))
        return SEC_E_UNSUPPORTED_FUNCTION;
    memcpy(buffer, &data->record, sizeof(data->record));
    return SEC_E_OK;
}

/* ---- messages: nothing is changed, they only have to get here ---- */

static SECURITY_STATUS encrypt(struct osspi_context *context, uint32_t qop,
                               const struct osspi_buffers *message, uint32_t sequence)
{
    (void)context;
    (void)qop;
    (void)message;
    (void)sequence;
    atomic_fetch_add(&mock_totals.messages, 1);
    return SEC_E_OK;
}

static SECURITY_STATUS decrypt(struct osspi_context *context, const struct osspi_buffers *message,
                               uint32_t sequence, uint32_t *ret_qop)
{
    *ret_qop = 0;
    return encrypt(context, 0, message, sequence);
}

static SECURITY_STATUS control(struct osspi_context *context, const struct osspi_buffers *token)
{
    return encrypt(context, 0, token, 0);
}

static void forked(void)
{
    atomic_fetch_add(&mock_totals.forks, 1);
}

void mock_acquire_lane(enum osspi_lane lane, const char *class_name)
{
    pthread_mutex_lock(&acquire_lane.lock);
    acquire_lane.choice.lane = lane;
    copy_name(&acquire_lane.choice.class_name, class_name);
    pthread_mutex_unlock(&acquire_lane.lock);
}

void mock_require_sound(void)
{
    TEST_REQUIRE_EQUAL(atomic_load(&mock_totals.overlaps), 0);
    TEST_REQUIRE_EQUAL(atomic_load(&mock_totals.misuses), 0);
    TEST_REQUIRE_EQUAL(atomic_load(&mock_totals.captured), atomic_load(&mock_totals.released));
    TEST_REQUIRE_EQUAL(atomic_load(&mock_totals.in_leg), 0);
}

static const struct osspi_package mock_package = {
    .name = MOCK_NAME,
    .comment = "Does what the test says",
    .capabilities = SECPKG_FLAG_CONNECTION,
    .rpc_id = SECPKG_ID_NONE,
    .max_token = 256,
    .cred_size = sizeof(struct mock_credential),
    .ctx_size = sizeof(struct mock_context),
    .capture_auth = capture_auth,
    .release_auth = release_auth,
    .lane = choose_lane,
    .acquire = acquire,
    .clear_credential = clear_credential,
    .initialize = run_leg,
    .accept = run_leg,
    .control = control,
    .clear_context = clear_context,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .query_context = query_context,
    .forked = forked,
};

void mock_register(void)
{
    TEST_REQUIRE(osspi_package_add(&mock_package));
}
