/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A program that does not link the library: it loads it with dlopen, uses it, synchronously and
 * asynchronously, closes it and begins again; in every mode, from several threads, in a namespace
 * of its own, across fork and exit. The library is linked with -z nodelete, so closing takes
 * nothing from under the feet of its threads. The path of the library is OSSPI_LIBRARY.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test_util.h"

TEST_FORKS_WITH_THREADS;

/* What the tests call, found by name. */
#define FUNCTIONS(X) \
    X(SspiCreateAsyncContext) \
    X(SspiFreeAsyncContext) \
    X(SspiSetAsyncNotifyCallback) \
    X(SspiAcquireCredentialsHandleAsyncA) \
    X(SspiInitializeSecurityContextAsyncA) \
    X(SspiDeleteSecurityContextAsync) \
    X(OsspiWaitAsyncCall) \
    X(OsspiCreateCompletionQueue) \
    X(OsspiSetCompletionQueue) \
    X(OsspiDrainCompletions) \
    X(OsspiCloseCompletionQueue) \
    X(OsspiShutdown) \
    X(InitSecurityInterfaceA)

#define MEMBER(name) __typeof__(&name) name;
struct library {
    void *handle;
    const void *base; /* where one of its functions lies */
    PSecurityFunctionTableA table;
    FUNCTIONS(MEMBER)
};

#define FIND(name) library->name = (__typeof__(&name))find(library->handle, #name);

static void *find(void *handle, const char *name)
{
    void *symbol = dlsym(handle, name);

    if (!symbol)
        fprintf(stderr, "%s\n", dlerror());
    TEST_REQUIRE(symbol != NULL);
    return symbol;
}

static void find_all(struct library *library)
{
    FUNCTIONS(FIND)
    library->base = dlsym(library->handle, "AcceptSecurityContext");
    library->table = library->InitSecurityInterfaceA();
    TEST_REQUIRE(library->table != NULL);
}

static void load(struct library *library, int mode)
{
    library->handle = dlopen(OSSPI_LIBRARY, mode);
    if (!library->handle)
        fprintf(stderr, "%s\n", dlerror());
    TEST_REQUIRE(library->handle != NULL);
    find_all(library);
}

static void unload(struct library *library)
{
    TEST_REQUIRE_EQUAL(dlclose(library->handle), 0);
}

/* ---- use ---- */

static char package[] = UNISP_NAME_A; /* constant after its definition; the API wants it writable */
static char target[] = "server.test"; /* the same */

struct hello {
    uint8_t bytes[4096];
    SecBuffer buffer;
    SecBufferDesc desc;
    CredHandle credential;
    CtxtHandle context;
    ULONG attributes;
};

static void prepare(struct hello *hello)
{
    hello->buffer = (SecBuffer){sizeof(hello->bytes), SECBUFFER_TOKEN, hello->bytes};
    hello->desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &hello->buffer};
}

static void require_hello(const struct hello *hello)
{
    TEST_REQUIRE(hello->buffer.cbBuffer > 50 && hello->bytes[0] == 22);
}

static void use_sync(const struct library *library)
{
    struct hello hello;

    prepare(&hello);
    TEST_REQUIRE_EQUAL(
        library->table->AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                                  NULL, NULL, &hello.credential, NULL),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->table->InitializeSecurityContextA(
                           &hello.credential, NULL, target, ISC_REQ_STREAM, 0, 0, NULL, 0,
                           &hello.context, &hello.desc, &hello.attributes, NULL),
                       SEC_I_CONTINUE_NEEDED);
    require_hello(&hello);
    TEST_REQUIRE_EQUAL(library->table->DeleteSecurityContext(&hello.context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->table->FreeCredentialsHandle(&hello.credential), SEC_E_OK);
}

static void count_call(SspiAsyncContext *context, void *data)
{
    (void)context;
    test_counter_add(data, 1);
}

/* Callbacks on workers, then one in a queue. */
static void use_async(const struct library *library)
{
    struct test_counter called = TEST_COUNTER_INIT;
    SspiAsyncContext *async = library->SspiCreateAsyncContext();
    OsspiCompletionQueue *queue;
    struct hello hello;

    prepare(&hello);
    TEST_REQUIRE_EQUAL(library->SspiSetAsyncNotifyCallback(async, count_call, &called), SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->SspiAcquireCredentialsHandleAsyncA(
                           async, NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                           &hello.credential, NULL),
                       SEC_E_OK);
    test_counter_await(&called, 1);
    TEST_REQUIRE_EQUAL(library->SspiInitializeSecurityContextAsyncA(
                           async, &hello.credential, NULL, target, ISC_REQ_STREAM, 0, 0, NULL, 0,
                           &hello.context, &hello.desc, &hello.attributes, NULL),
                       SEC_E_OK);
    test_counter_await(&called, 2);
    require_hello(&hello);
    TEST_REQUIRE_EQUAL(library->OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->OsspiSetCompletionQueue(async, queue), SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->SspiDeleteSecurityContextAsync(async, &hello.context), SEC_E_OK);
    TEST_REQUIRE_EQUAL(library->OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_OK);
    while (library->OsspiDrainCompletions(queue, 0) == 0)
        ;
    TEST_REQUIRE_EQUAL(test_counter_get(&called), 3);
    TEST_REQUIRE_EQUAL(library->OsspiCloseCompletionQueue(queue), SEC_E_OK);
    library->SspiFreeAsyncContext(async);
    TEST_REQUIRE_EQUAL(library->table->FreeCredentialsHandle(&hello.credential), SEC_E_OK);
}

static void use(const struct library *library)
{
    use_sync(library);
    use_async(library);
}

static unsigned count_entries(const char *path)
{
    DIR *entries = opendir(path);
    unsigned count = 0;

    TEST_REQUIRE(entries != NULL);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

/* ---- cases ---- */

static int before_anything(void *data)
{
    (void)data;
    TEST_REQUIRE(dlopen(OSSPI_LIBRARY, RTLD_NOW | RTLD_NOLOAD) == NULL);
    return 0;
}

static void library_is_not_linked(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(before_anything, NULL)), 0);
}

static int use_in_mode(void *data)
{
    struct library library;

    for (int i = 0; i < (TEST_SANITIZED ? 1 : 3); i++) {
        load(&library, *(const int *)data);
        use(&library);
        unload(&library);
    }
    return 0;
}

static void every_mode_works(void **state)
{
    static const int modes[] = {
        RTLD_NOW | RTLD_LOCAL,
        RTLD_NOW | RTLD_GLOBAL,
        RTLD_LAZY | RTLD_LOCAL,
        RTLD_LAZY | RTLD_GLOBAL,
        RTLD_NOW | RTLD_NODELETE,
#if !TEST_SANITIZED
        RTLD_NOW | RTLD_DEEPBIND,
#endif
    };

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        int mode = modes[i];

        assert_int_equal(test_child_join(test_child_fork(use_in_mode, &mode)), 0);
    }
}

static int again_and_again(void *data)
{
    const void *base = NULL;
    unsigned files = 0, tasks = 0;

    (void)data;
    for (uint32_t i = 0; i < TEST_ROUNDS(100) + 10; i++) {
        struct library library;

        load(&library, RTLD_NOW | RTLD_LOCAL);
        use(&library);
        unload(&library);
        TEST_REQUIRE(base == NULL || base == library.base); /* it has stayed where it was */
        base = library.base;
        if (i == 4) {
            files = count_entries("/proc/self/fd");
            tasks = count_entries("/proc/self/task");
        }
    }
    /* Workers come as they are needed, and a file may be open for a moment; what does not end shows
     * after so many rounds. */
    TEST_REQUIRE(count_entries("/proc/self/fd") < files + 10);
    TEST_REQUIRE(count_entries("/proc/self/task") < tasks + 10);
    return 0;
}

static void hundred_times_leave_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(again_and_again, NULL)), 0);
}

static void *load_and_use(void *data)
{
    for (uint32_t i = 0; i < TEST_ROUNDS(20); i++) {
        struct library library;

        load(&library, i % 2 ? RTLD_NOW : RTLD_LAZY);
        use(&library);
        unload(&library);
    }
    return data;
}

static int several_threads(void *data)
{
    pthread_t threads[6];

    for (int i = 0; i < 6; i++)
        threads[i] = test_thread_start(load_and_use, NULL);
    for (int i = 0; i < 6; i++)
        test_thread_join(threads[i]);
    (void)data;
    return 0;
}

static void threads_load_at_once(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(several_threads, NULL)), 0);
}

static void *use_on_this_thread(void *data)
{
    use(data);
    return NULL;
}

static void use_on_another_thread(struct library *library)
{
    test_thread_join(test_thread_start(use_on_this_thread, library));
}

/*
 * A second copy of everything, the C library included, with state of its own. One thing there is
 * once only: the array with a thread's values (pthread_setspecific), which glibc's copies index
 * alike. OpenSSL would take what it keeps for a thread here for what it keeps for it there. So each
 * thread uses one namespace.
 */
static int two_namespaces(void *data)
{
    struct library here, there;

    load(&here, RTLD_NOW);
    use_on_another_thread(&here);
    there.handle = dlmopen(LM_ID_NEWLM, OSSPI_LIBRARY, RTLD_NOW);
    if (!there.handle) {
        print_message("not loaded: %s\n", dlerror());
        return 77;
    }
    find_all(&there);
    TEST_REQUIRE(there.base != here.base);
    use_sync(&there);
    TEST_REQUIRE_EQUAL(there.OsspiShutdown(0), SEC_E_OK);
    use_on_another_thread(&here); /* closed there, not here */
    (void)data;
    return 0;
}

static void namespace_of_its_own_has_its_own_state(void **state)
{
    int result;

    (void)state;
    if (TEST_SANITIZED) {
        print_message("skipped: a sanitizer's run-time cannot be loaded twice\n");
        return;
    }
    result = test_child_join(test_child_fork(two_namespaces, NULL));
    assert_true(result == 0 || result == 77);
}

static int fork_after_close(void *data)
{
    struct library library;

    (void)data;
    load(&library, RTLD_NOW);
    use(&library);
    unload(&library);
    if (TEST_SANITIZED)
        test_await_quiet();
    for (int i = 0; i < 3; i++) {
        int mode = RTLD_NOW;

        TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(use_in_mode, &mode)), 0);
    }
    load(&library, RTLD_NOW);
    use(&library);
    return 0;
}

static void children_load_it_anew(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(fork_after_close, NULL)), 0);
}

/* A call is under way when the library is closed: it still ends, and its callback runs. */
static int close_while_a_call_runs(void *data)
{
    static struct test_counter called = TEST_COUNTER_INIT;
    static struct hello hello;
    struct library library;
    SspiAsyncContext *async;

    load(&library, RTLD_NOW);
    for (uint64_t i = 0; i < TEST_ROUNDS(40); i++) {
        struct library again;

        load(&again, RTLD_NOW);
        async = again.SspiCreateAsyncContext();
        TEST_REQUIRE_EQUAL(again.SspiSetAsyncNotifyCallback(async, count_call, &called), SEC_E_OK);
        TEST_REQUIRE_EQUAL(again.SspiAcquireCredentialsHandleAsyncA(
                               async, NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                               &hello.credential, NULL),
                           SEC_E_OK);
        again.SspiFreeAsyncContext(async);
        unload(&again);
        if (i == 0)
            unload(&library); /* now nobody holds it any more */
        test_counter_await(&called, i + 1);
        load(&again, RTLD_NOW);
        TEST_REQUIRE_EQUAL(again.table->FreeCredentialsHandle(&hello.credential), SEC_E_OK);
        unload(&again);
    }
    (void)data;
    return 0;
}

static void close_does_not_stop_what_runs(void **state)
{
    (void)state;
    assert_int_equal(test_child_join(test_child_fork(close_while_a_call_runs, NULL)), 0);
}

/* exit() with calls under way, after the library was closed, or inside a callback. */
static struct library ending;

static void exit_in_callback(SspiAsyncContext *context, void *data)
{
    (void)context;
    (void)data;
    exit(0);
}

static int exit_while_it_works(void *data)
{
    const int how = *(const int *)data;
    static struct hello hello[20];

    load(&ending, RTLD_NOW);
    for (int i = 0; i < 20; i++) {
        SspiAsyncContext *async = ending.SspiCreateAsyncContext();

        if (how == 2 && i == 10)
            TEST_REQUIRE_EQUAL(ending.SspiSetAsyncNotifyCallback(async, exit_in_callback, NULL),
                               SEC_E_OK);
        TEST_REQUIRE_EQUAL(ending.SspiAcquireCredentialsHandleAsyncA(
                               async, NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
                               &hello[i].credential, NULL),
                           SEC_E_OK);
    }
    if (how == 1)
        unload(&ending);
    if (how == 2)
        for (;;)
            pause();
    exit(0);
}

static void exit_ends_what_was_loaded(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(30) + 2; i++) {
        int how = (int)(i % 3);

        fflush(NULL);
        assert_int_equal(test_child_join(test_child_fork(exit_while_it_works, &how)), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_is_not_linked),
        cmocka_unit_test(every_mode_works),
        cmocka_unit_test(hundred_times_leave_nothing_behind),
        cmocka_unit_test(threads_load_at_once),
        cmocka_unit_test(namespace_of_its_own_has_its_own_state),
        cmocka_unit_test(children_load_it_anew),
        cmocka_unit_test(close_does_not_stop_what_runs),
        cmocka_unit_test(exit_ends_what_was_loaded),
    };

    test_watchdog(110);
    return cmocka_run_group_tests_name("fault.dlopen", tests, NULL, NULL);
}
