/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The way of a leg through src/api, in its synchronous and its asynchronous form: which outputs are
 * written when, who owns the new context, what is refused before the package is asked, and the
 * lanes. The package is this file's own and does what the test at hand says.
 */
#include "support/test_util.h"

#include <opensspi.h>
#include <stdatomic.h>
#include <string.h>

#include "core/object.h"
#include "packages/registry.h"

#define NAME      "Leg Test"
#define UNTOUCHED 0x5A5A5A5Au
#define WIDE_NAME u"leg test"

/* What the package does; set while no call runs. */
static struct {
    SECURITY_STATUS status;
    bool wants_blocking; /* on the CPU lane, answer WANT_BLOCKING first */
    bool gives_token;
    uint64_t attributes;
} orders;

/* What it saw in the last leg. */
static struct {
    uint32_t legs;
    enum osspi_lane lane;
    bool first;
    uint64_t flags;
    char target[64];
    struct osspi_credential *credential;
    const SecBuffer *out;
} seen;

static uint32_t cleared; /* contexts; atomic is not needed, legs run one at a time */

static SECURITY_STATUS run_leg(struct osspi_context *context, struct osspi_leg *leg)
{
    SecBuffer *token = osspi_buffers_find(&leg->out, SECBUFFER_TOKEN);

    if (orders.wants_blocking && leg->lane == OSSPI_LANE_CPU)
        return OSSPI_WANT_BLOCKING;
    seen.legs++;
    seen.lane = leg->lane;
    seen.first = leg->first;
    seen.flags = leg->flags;
    seen.credential = leg->credential;
    seen.out = leg->out.items;
    strncpy(seen.target, leg->target ? leg->target : "(none)", sizeof(seen.target) - 1);
    osspi_context_detail(context, "leg %u", seen.legs);
    leg->attributes = orders.attributes;
    leg->expiry.QuadPart = 1234;
    if (orders.gives_token && token)
        return osspi_buffer_give(token, SECBUFFER_TOKEN, "token", 5,
                                 (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0,
                                 SEC_E_BUFFER_TOO_SMALL)
                   ? SEC_E_BUFFER_TOO_SMALL
                   : orders.status;
    return orders.status;
}

static SECURITY_STATUS acquire(struct osspi_credential *credential, struct osspi_acquire *args)
{
    TEST_REQUIRE(credential->data);
    return args->has_auth ? SEC_E_UNKNOWN_CREDENTIALS : SEC_E_OK;
}

static SECURITY_STATUS encrypt(struct osspi_context *context, uint32_t qop,
                               const struct osspi_buffers *message, uint32_t sequence)
{
    (void)context;
    (void)qop;
    (void)message;
    (void)sequence;
    return SEC_E_OK;
}

static void clear_context(struct osspi_context *context)
{
    (void)context;
    cleared++;
}

static SECURITY_STATUS query(struct osspi_context *context, uint32_t attribute, void *buffer,
                             size_t size)
{
    SecPkgContext_NamesA *names = buffer;

    (void)context;
    (void)size;
    if (attribute != SECPKG_ATTR_NAMES)
        return SEC_E_UNSUPPORTED_FUNCTION;
    names->sUserName = osspi_context_buffer_new(8);
    TEST_REQUIRE(names->sUserName);
    memcpy(names->sUserName, "J\xC3\xBCrgen", 8);
    return SEC_E_OK;
}

static const struct osspi_package package = {
    .name = NAME,
    .comment = "of a test",
    .rpc_id = SECPKG_ID_NONE,
    .max_token = 100,
    .cred_size = 8,
    .ctx_size = 8,
    .acquire = acquire,
    .initialize = run_leg,
    .accept = run_leg,
    .clear_context = clear_context,
    .encrypt = encrypt,
    .query_context = query,
};

/* ---- one leg in either form ---- */

struct fixture {
    bool async;
    bool bounded; /* synchronous calls have a deadline, so the blocking lane makes copies too */
    CredHandle credential;
};

struct call {
    bool accept;
    PCredHandle credential;
    PCtxtHandle context;
    const char *target;
    ULONG flags;
    PSecBufferDesc in;
    PSecBufferDesc out;
    /* outputs */
    CtxtHandle handle;
    ULONG attributes;
    TimeStamp expiry;
    bool no_handle; /* phNewContext is NULL */
};

static SECURITY_STATUS call_sync(struct call *call, PCtxtHandle handle)
{
    if (call->accept)
        return AcceptSecurityContext(call->credential, call->context, call->in, call->flags, 0,
                                     handle, call->out, &call->attributes, &call->expiry);
    return InitializeSecurityContextA(call->credential, call->context, (SEC_CHAR *)call->target,
                                      call->flags, 0, 0, call->in, 0, handle, call->out,
                                      &call->attributes, &call->expiry);
}

static SECURITY_STATUS queue(SspiAsyncContext *async, struct call *call, PCtxtHandle handle)
{
    if (call->accept)
        return SspiAcceptSecurityContextAsync(async, call->credential, call->context, call->in,
                                              call->flags, 0, handle, call->out, &call->attributes,
                                              &call->expiry);
    return SspiInitializeSecurityContextAsyncA(
        async, call->credential, call->context, (SEC_CHAR *)call->target, call->flags, 0, 0,
        call->in, 0, handle, call->out, &call->attributes, &call->expiry);
}

static SECURITY_STATUS make(const struct fixture *fixture, struct call *call)
{
    PCtxtHandle handle = call->no_handle ? NULL : &call->handle;
    SspiAsyncContext *async;
    SECURITY_STATUS status;

    call->handle.dwLower = call->handle.dwUpper = UNTOUCHED;
    call->attributes = UNTOUCHED;
    call->expiry.QuadPart = UNTOUCHED;
    if (!fixture->async)
        return call_sync(call, handle);
    async = SspiCreateAsyncContext();
    TEST_REQUIRE(async);
    TEST_REQUIRE_EQUAL(queue(async, call, handle), SEC_E_OK);
    status = OsspiWaitAsyncCall(async, UINT32_MAX);
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(async), status);
    SspiFreeAsyncContext(async);
    return status;
}

static void require_untouched(const struct call *call)
{
    assert_true(call->handle.dwLower == UNTOUCHED && call->handle.dwUpper == UNTOUCHED);
    assert_int_equal(call->expiry.QuadPart, UNTOUCHED);
}

/* A context after its first leg. */
static CtxtHandle begin(struct fixture *fixture, SECURITY_STATUS status)
{
    struct call call = {.credential = &fixture->credential, .target = "peer"};

    orders.status = status;
    assert_int_equal(make(fixture, &call), status);
    return call.handle;
}

static int set_up(void **state)
{
    struct fixture *fixture = *state;

    memset(&orders, 0, sizeof(orders));
    memset(&seen, 0, sizeof(seen));
    cleared = 0;
    assert_int_equal(AcquireCredentialsHandleA(NULL, (LPSTR)NAME, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                               NULL, NULL, &fixture->credential, NULL),
                     SEC_E_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(FreeCredentialsHandle(&fixture->credential), SEC_E_OK);
    assert_int_equal(osspi_context_live(), 0);
    assert_int_equal(osspi_credential_live(), 0);
    return 0;
}

/* ---- outputs ---- */

static void first_leg_that_continues_writes_all_outputs(void **state)
{
    struct fixture *fixture = *state;
    struct call call = {.credential = &fixture->credential, .target = "peer"};

    orders.status = SEC_I_CONTINUE_NEEDED;
    orders.attributes = 0x0000000300000007;
    assert_int_equal(make(fixture, &call), SEC_I_CONTINUE_NEEDED);
    assert_true(seen.first);
    assert_string_equal(seen.target, "peer");
    assert_int_equal(call.attributes, 7);
    assert_int_equal(call.expiry.QuadPart, 1234);
    assert_int_equal(DeleteSecurityContext(&call.handle), SEC_E_OK);
    assert_int_equal(cleared, 1);
}

static void first_leg_that_fails_leaves_no_context(void **state)
{
    struct fixture *fixture = *state;
    struct call call = {.credential = &fixture->credential};

    orders.status = SEC_E_ILLEGAL_MESSAGE;
    orders.attributes = ISC_RET_EXTENDED_ERROR;
    assert_int_equal(make(fixture, &call), SEC_E_ILLEGAL_MESSAGE);
    require_untouched(&call);
    assert_int_equal(call.attributes, ISC_RET_EXTENDED_ERROR);
    assert_int_equal(cleared, 1);
}

static void first_leg_that_is_incomplete_leaves_no_context(void **state)
{
    struct fixture *fixture = *state;
    struct call call = {.credential = &fixture->credential};

    orders.status = SEC_E_INCOMPLETE_MESSAGE;
    assert_int_equal(make(fixture, &call), SEC_E_INCOMPLETE_MESSAGE);
    require_untouched(&call);
    assert_int_equal(call.attributes, UNTOUCHED);
    assert_int_equal(cleared, 1);
}

static void later_leg_gives_the_same_handle_again(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_I_CONTINUE_NEEDED);
    struct call call = {.context = &context};

    orders.status = SEC_E_OK;
    assert_int_equal(make(fixture, &call), SEC_E_OK);
    assert_false(seen.first);
    assert_string_equal(seen.target, "(none)");
    assert_memory_equal(&call.handle, &context, sizeof(context));
    call.no_handle = true;
    assert_int_equal(make(fixture, &call), SEC_E_OK);
    orders.status = SEC_E_INCOMPLETE_MESSAGE;
    call.no_handle = false;
    assert_int_equal(make(fixture, &call), SEC_E_INCOMPLETE_MESSAGE);
    require_untouched(&call);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
}

static void later_leg_that_fails_leaves_the_context_to_be_deleted(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_I_CONTINUE_NEEDED);
    struct call call = {.context = &context};
    SecBuffer data = {0, SECBUFFER_DATA, NULL};
    SecBufferDesc message = {SECBUFFER_VERSION, 1, &data};
    char detail[32];

    assert_int_equal(EncryptMessage(&context, 0, &message, 0), SEC_E_INVALID_HANDLE);
    orders.status = SEC_E_UNTRUSTED_ROOT;
    assert_int_equal(make(fixture, &call), SEC_E_UNTRUSTED_ROOT);
    require_untouched(&call);
    assert_int_equal(EncryptMessage(&context, 0, &message, 0), SEC_E_CONTEXT_EXPIRED);
    assert_int_equal(OsspiGetErrorDetail(&context, detail, sizeof(detail)), SEC_E_OK);
    assert_string_equal(detail, "leg 2");
    assert_int_equal(cleared, 0);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
    assert_int_equal(OsspiGetErrorDetail(&context, detail, sizeof(detail)), SEC_E_INVALID_HANDLE);
}

static void later_leg_with_little_room_leaves_the_context_usable(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_I_CONTINUE_NEEDED);
    char room[8];
    SecBuffer token = {2, SECBUFFER_TOKEN, room};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &token};
    struct call call = {.context = &context, .out = &out};
    SecBuffer data = {0, SECBUFFER_DATA, NULL};
    SecBufferDesc message = {SECBUFFER_VERSION, 1, &data};

    orders.status = SEC_E_OK;
    orders.gives_token = true;
    assert_int_equal(make(fixture, &call), SEC_E_BUFFER_TOO_SMALL);
    token.cbBuffer = sizeof(room);
    assert_int_equal(make(fixture, &call), SEC_E_OK);
    assert_int_equal(token.cbBuffer, 5);
    assert_int_equal(EncryptMessage(&context, 0, &message, 0), SEC_E_OK);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
}

/* ---- arguments ---- */

static void leg_with_bad_handles_is_refused(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_I_CONTINUE_NEEDED);
    CredHandle none = {0, 0};
    CtxtHandle swapped = {fixture->credential.dwLower, fixture->credential.dwUpper};
    struct call bad[] = {
        {.credential = NULL},
        {.credential = &none},
        {.credential = &context},
        {.credential = &fixture->credential, .no_handle = true},
        {.context = &swapped},
        {.credential = &none, .context = &context},
        {.accept = true, .context = &context}, /* made by the other side */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(make(fixture, &bad[i]), SEC_E_INVALID_HANDLE);
        require_untouched(&bad[i]);
        assert_int_equal(bad[i].attributes, UNTOUCHED);
    }
    assert_int_equal(seen.legs, 1);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
    bad[0] = (struct call){.context = &context};
    assert_int_equal(make(fixture, &bad[0]), SEC_E_INVALID_HANDLE);
}

static void leg_of_the_wrong_direction_has_no_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct call call = {.accept = true, .credential = &fixture->credential};

    assert_int_equal(make(fixture, &call), SEC_E_NO_CREDENTIALS);
}

static void leg_with_bad_buffers_is_refused(void **state)
{
    struct fixture *fixture = *state;
    SEC_FLAGS narrow = {ISC_REQ_MESSAGES | 1};
    SecBuffer items[3] = {{5, SECBUFFER_TOKEN, NULL},
                          {sizeof(narrow), SECBUFFER_FLAGS, &narrow},
                          {sizeof(narrow) - 1, SECBUFFER_FLAGS, &narrow}};
    SecBufferDesc bad[] = {
        {SECBUFFER_VERSION, 1, &items[0]}, {SECBUFFER_VERSION, 1, &items[1]},
        {SECBUFFER_VERSION, 1, &items[2]}, {SECBUFFER_VERSION, UINT32_MAX, items},
        {SECBUFFER_VERSION + 1, 0, NULL},  {SECBUFFER_VERSION, 3, NULL},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct call call = {.credential = &fixture->credential, .in = &bad[i]};

        assert_int_equal(make(fixture, &call), SEC_E_INVALID_TOKEN);
    }
    assert_int_equal(seen.legs, 0);
}

static void leg_gets_wide_flags_and_long_targets(void **state)
{
    struct fixture *fixture = *state;
    SEC_FLAGS wide = {ISC_REQ_MESSAGES};
    SecBuffer item = {sizeof(wide), SECBUFFER_FLAGS, &wide};
    SecBufferDesc in = {SECBUFFER_VERSION, 1, &item};
    char target[1200];
    struct call call = {
        .credential = &fixture->credential, .in = &in, .flags = ISC_REQ_STREAM, .target = target};

    memset(target, 'a', sizeof(target));
    target[1024] = '\0';
    orders.status = SEC_E_ILLEGAL_MESSAGE;
    assert_int_equal(make(fixture, &call), SEC_E_ILLEGAL_MESSAGE);
    assert_int_equal(seen.flags, ISC_REQ_MESSAGES | ISC_REQ_STREAM);
    assert_int_equal(strlen(seen.target), sizeof(seen.target) - 1);
    target[1024] = 'a';
    target[1025] = '\0';
    assert_int_equal(make(fixture, &call), SEC_E_TARGET_UNKNOWN);
    memcpy(target, "\xC0\xAF", 3); /* overlong */
    assert_int_equal(make(fixture, &call), SEC_E_TARGET_UNKNOWN);
}

static void leg_takes_a_new_credential(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_I_INCOMPLETE_CREDENTIALS);
    struct osspi_credential *first = seen.credential;
    CredHandle second;
    struct call call = {.credential = &second, .context = &context};

    assert_int_equal(AcquireCredentialsHandleW(NULL, (SEC_WCHAR *)WIDE_NAME, SECPKG_CRED_OUTBOUND,
                                               NULL, NULL, NULL, NULL, &second, NULL),
                     SEC_E_OK);
    orders.status = SEC_I_CONTINUE_NEEDED;
    assert_int_equal(make(fixture, &call), SEC_I_CONTINUE_NEEDED);
    assert_ptr_not_equal(seen.credential, first);
    assert_int_equal(FreeCredentialsHandle(&second), SEC_E_OK);
    call.credential = NULL;
    first = seen.credential;
    assert_int_equal(make(fixture, &call), SEC_I_CONTINUE_NEEDED);
    assert_ptr_equal(seen.credential, first);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
}

/* ---- lanes ---- */

static void leg_that_wants_to_block_goes_on_there(void **state)
{
    struct fixture *fixture = *state;
    char room[8] = "before ";
    SecBuffer token = {sizeof(room), SECBUFFER_TOKEN, room};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &token};
    struct call call = {.credential = &fixture->credential, .target = "peer", .out = &out};
    CtxtHandle context;

    orders.status = SEC_I_CONTINUE_NEEDED;
    orders.gives_token = true;
    orders.wants_blocking = true;
    assert_int_equal(make(fixture, &call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(seen.legs, 1);
    assert_int_equal(seen.lane, OSSPI_LANE_BLOCKING);
    assert_string_equal(seen.target, "peer");
    /* There it worked on copies, unless the caller's own thread went on; the caller sees no
     * difference. */
    assert_int_equal(seen.out == &token, !fixture->async && !fixture->bounded);
    assert_int_equal(token.cbBuffer, 5);
    assert_memory_equal(room, "token", 5);
    context = call.handle;
    token.cbBuffer = sizeof(room);
    call.context = &context;
    assert_int_equal(make(fixture, &call), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
}

/* ---- attributes and packages ---- */

static void query_gives_names_in_both_widths(void **state)
{
    struct fixture *fixture = *state;
    CtxtHandle context = begin(fixture, SEC_E_OK);
    SecPkgContext_NamesW wide;
    SecPkgContext_NamesA narrow;
    SecPkgContext_PackageInfoW info;

    assert_int_equal(QueryContextAttributesA(&context, SECPKG_ATTR_NAMES, &narrow), SEC_E_OK);
    assert_string_equal(narrow.sUserName, "J\xC3\xBCrgen");
    assert_int_equal(QueryContextAttributesExW(&context, SECPKG_ATTR_NAMES, &wide, sizeof(wide)),
                     SEC_E_OK);
    assert_memory_equal(wide.sUserName, u"J\u00FCrgen", 7 * sizeof(WCHAR));
    assert_int_equal(QueryContextAttributesW(&context, SECPKG_ATTR_PACKAGE_INFO, &info), SEC_E_OK);
    assert_memory_equal(info.PackageInfo->Name, u"Leg Test", 9 * sizeof(WCHAR));
    assert_int_equal(info.PackageInfo->cbMaxToken, 100);
    assert_int_equal(FreeContextBuffer(narrow.sUserName), SEC_E_OK);
    assert_int_equal(FreeContextBuffer(wide.sUserName), SEC_E_OK);
    assert_int_equal(FreeContextBuffer(info.PackageInfo), SEC_E_OK);
    assert_int_equal(QueryContextAttributesExA(&context, SECPKG_ATTR_NAMES, &narrow, 7),
                     SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(QueryContextAttributesExA(&context, SECPKG_ATTR_NAMES, &narrow, 9),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(QueryContextAttributesA(&context, SECPKG_ATTR_NAMES, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(QueryContextAttributesA(&context, 0xABCD, &narrow),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(QueryCredentialsAttributesA(&fixture->credential, 1, &narrow),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(QueryCredentialsAttributesA(&fixture->credential, 1, NULL),
                     SEC_E_INTERNAL_ERROR);
    assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
}

static void package_unknown_is_told_apart(void **state)
{
    struct fixture *fixture = *state;
    CredHandle credential = {1, 2};
    PSecPkgInfoA info;
    int auth = 0;

    (void)fixture;
    assert_int_equal(AcquireCredentialsHandleA(NULL, NULL, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                               NULL, NULL, NULL),
                     SEC_E_SECPKG_NOT_FOUND);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (LPSTR) "No Such", SECPKG_CRED_OUTBOUND, NULL,
                                               NULL, NULL, NULL, &credential, NULL),
                     SEC_E_SECPKG_NOT_FOUND);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (LPSTR)NAME, SECPKG_CRED_OUTBOUND, NULL, &auth,
                                               NULL, NULL, NULL, NULL),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (LPSTR)NAME, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                               NULL, NULL, NULL, NULL),
                     SEC_E_INVALID_PARAMETER);
    assert_true(credential.dwLower == 1 && credential.dwUpper == 2);
    assert_int_equal(QuerySecurityPackageInfoA((LPSTR) "LEG TEST", &info), SEC_E_OK);
    assert_string_equal(info->Name, NAME);
    assert_string_equal(info->Comment, "of a test");
    assert_int_equal(FreeContextBuffer(info), SEC_E_OK);
}

#define LEG_TEST(function) \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, form)

static int run_form(void *data)
{
    struct fixture *form = data;
    const struct CMUnitTest tests[] = {
        LEG_TEST(first_leg_that_continues_writes_all_outputs),
        LEG_TEST(first_leg_that_fails_leaves_no_context),
        LEG_TEST(first_leg_that_is_incomplete_leaves_no_context),
        LEG_TEST(later_leg_gives_the_same_handle_again),
        LEG_TEST(later_leg_that_fails_leaves_the_context_to_be_deleted),
        LEG_TEST(later_leg_with_little_room_leaves_the_context_usable),
        LEG_TEST(leg_with_bad_handles_is_refused),
        LEG_TEST(leg_of_the_wrong_direction_has_no_credentials),
        LEG_TEST(leg_with_bad_buffers_is_refused),
        LEG_TEST(leg_gets_wide_flags_and_long_targets),
        LEG_TEST(leg_takes_a_new_credential),
        LEG_TEST(leg_that_wants_to_block_goes_on_there),
        LEG_TEST(query_gives_names_in_both_widths),
        LEG_TEST(package_unknown_is_told_apart),
    };
    const char *name = form->async     ? "api.leg, asynchronous"
                       : form->bounded ? "api.leg, synchronous with a deadline"
                                       : "api.leg, synchronous";

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

/* Options must come before all else, so this form has a process of its own. */
static int run_bounded(void *data)
{
    const OsspiOptions options = {.cbSize = sizeof(options), .default_timeout_ms = 60000};

    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    TEST_REQUIRE(osspi_package_add(&package));
    return run_form(data);
}

int main(void)
{
    struct fixture forms[] = {{.async = false}, {.async = true}, {.bounded = true}};
    int failed = test_child_join(test_child_fork(run_bounded, &forms[2]));

    test_watchdog(60);
    TEST_REQUIRE(osspi_package_add(&package));
    failed += run_form(&forms[0]);
    failed += run_form(&forms[1]);
    return failed;
}
