/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Files that are not what they should be, where the library reads any: certificates, keys and the
 * file of trusted roots. Pipes, devices, folders, sockets, files of absurd size, files that change
 * while they are read, files one may not open, and no descriptor left. Nothing may hang, nothing
 * may pass for a certificate, and nobody may be trusted for a file that could not be read.
 *
 * Each case that asks for trust is a child, because a process reads its roots once.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <opensspi.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/tls_peer.h"

TEST_FORKS_WITH_THREADS;

static char folder[] = "/tmp/osspi-fault-XXXXXX";

static const char *scratch(const char *name)
{
    static _Thread_local char paths[2][256];
    static _Thread_local int turn;

    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", folder, name);
    return paths[turn];
}

/* A good file with the certificate, its chain and its key. */
static const char *good_file(void)
{
    static _Thread_local char path[512];

    peer_path("server-all", ".pem", path, sizeof(path));
    return path;
}

static const char *write_file(const char *name, const void *bytes, size_t len, off_t size)
{
    const char *path = scratch(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE_EQUAL(write(fd, bytes, len), len);
    TEST_REQUIRE_EQUAL(ftruncate(fd, size), 0);
    TEST_REQUIRE_EQUAL(close(fd), 0);
    return path;
}

static size_t read_good(uint8_t *bytes, size_t size)
{
    int fd = open(good_file(), O_RDONLY | O_CLOEXEC);
    ssize_t len;

    TEST_REQUIRE(fd >= 0);
    len = read(fd, bytes, size);
    TEST_REQUIRE(len > 0 && (size_t)len < size);
    close(fd);
    return (size_t)len;
}

static SECURITY_STATUS load(const char *cert, const char *key)
{
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = OsspiLoadCertificate(cert, key, NULL, &context);

    TEST_REQUIRE((status == SEC_E_OK) == (context != NULL));
    if (context)
        CertFreeCertificateContext(context);
    return status;
}

/* As certificate, and as key beside a good certificate. */
static void require_both(const char *path, SECURITY_STATUS expected)
{
    TEST_REQUIRE_EQUAL(load(path, NULL), expected);
    TEST_REQUIRE_EQUAL(load(good_file(), path), expected);
}

/* ---- what is no regular file ---- */

static void devices_and_folders_are_refused(void **state)
{
    static const char *const paths[] = {"/dev/zero", "/dev/null", "/dev/full", "/dev/urandom",
                                        "/proc",     "/",         "/dev/fd"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        require_both(paths[i], SEC_E_UNKNOWN_CREDENTIALS);
}

static void files_of_the_kernel_have_an_end(void **state)
{
    static const char *const paths[] = {"/proc/self/maps", "/proc/self/pagemap", "/proc/self/mem"};

    (void)state;
    /* Regular files of size 0 with content. Which status is up to the file; there has to be one. */
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_true(load(paths[i], NULL) < 0);
}

static void pipe_does_not_hang_with_or_without_writer(void **state)
{
    const char *path = scratch("pipe");
    uint8_t bytes[16384];
    size_t len = read_good(bytes, sizeof(bytes));
    int fd;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    require_both(path, SEC_E_UNKNOWN_CREDENTIALS);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    require_both(path, SEC_E_UNKNOWN_CREDENTIALS); /* nothing in it yet */
    assert_int_equal(write(fd, bytes, len), len);
    require_both(path, SEC_E_UNKNOWN_CREDENTIALS); /* not even with what it should hold */
    close(fd);
}

static void socket_is_refused(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", scratch("socket"));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    require_both(address.sun_path, SEC_E_UNKNOWN_CREDENTIALS);
    close(fd);
}

static void links_that_lead_nowhere_are_no_credentials(void **state)
{
    char endless[5000];

    (void)state;
    assert_int_equal(symlink("loop", scratch("loop")), 0);
    require_both(scratch("loop"), SEC_E_NO_CREDENTIALS);
    assert_int_equal(symlink("gone", scratch("dangling")), 0);
    require_both(scratch("dangling"), SEC_E_NO_CREDENTIALS);
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    require_both(endless, SEC_E_NO_CREDENTIALS);
    require_both("", SEC_E_NO_CREDENTIALS);
    require_both("/dev/null/below", SEC_E_NO_CREDENTIALS);
}

/* ---- sizes ---- */

static void absurd_sizes_are_refused_at_once(void **state)
{
    static const off_t sizes[] = {(1 << 20) + 1, (off_t)1 << 33, (off_t)1 << 42};
    uint8_t bytes[16384];
    size_t len = read_good(bytes, sizeof(bytes));

    (void)state;
    /* Holes take no place on the disk; some file systems end before the last of them. */
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const char *path = write_file("huge", bytes, len, (off_t)len);

        if (truncate(path, sizes[i]) != 0)
            break;
        require_both(path, SEC_E_UNKNOWN_CREDENTIALS);
    }
    assert_int_equal(unlink(scratch("huge")), 0);
}

static void truncated_files_never_pass(void **state)
{
    uint8_t bytes[16384];
    size_t len = read_good(bytes, sizeof(bytes));
    unsigned good = 0;

    (void)state;
    for (size_t at = 0; at <= len; at += at + 40 > len ? 1 : 37) {
        SECURITY_STATUS status = load(write_file("cut", bytes, at, (off_t)at), NULL);

        good += status == SEC_E_OK;
        /* Only what stands behind the last block may be missing. */
        if (status == SEC_E_OK ? at + 2 < len : status >= 0)
            fail_msg("cut at %zu of %zu: 0x%x", at, len, (unsigned)status);
    }
    assert_true(good > 0);
}

/* ---- files that change ---- */

static atomic_bool stop;
static _Atomic uint32_t attempts;

/* Each state of the file is seen a few times; the change itself comes at any moment. */
static void let_it_be_seen(void)
{
    uint32_t before = atomic_load(&attempts);

    while (!atomic_load(&stop) && atomic_load(&attempts) - before < 3)
        sched_yield();
}

static void *replace_file(void *data)
{
    uint8_t bytes[16384];
    size_t len = read_good(bytes, sizeof(bytes));
    char final_path[256];

    (void)data;
    snprintf(final_path, sizeof(final_path), "%s", scratch("moving"));
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        switch (i % 5) {
        case 0: /* as it should be done: whole, under another name, then moved */
            TEST_REQUIRE_EQUAL(rename(write_file("next", bytes, len, (off_t)len), final_path), 0);
            break;
        case 1:
            (void)unlink(final_path);
            break;
        case 2: /* grows and shrinks under the reader's hands */
            (void)write_file("moving", bytes, len, (off_t)len);
            TEST_REQUIRE_EQUAL(truncate(final_path, (off_t)len * 3), 0);
            break;
        case 3:
            TEST_REQUIRE_EQUAL(truncate(final_path, (off_t)len / 2), 0);
            break;
        default:
            (void)unlink(final_path);
            TEST_REQUIRE_EQUAL(mkfifo(final_path, 0600), 0);
            break;
        }
        let_it_be_seen();
    }
    return NULL;
}

static void file_that_changes_while_it_is_read_has_some_status(void **state)
{
    char path[256];
    pthread_t thread;
    unsigned counts[3] = {0};

    (void)state;
    snprintf(path, sizeof(path), "%s", scratch("moving"));
    thread = test_thread_start(replace_file, NULL);
    while (counts[0] < TEST_ROUNDS(60) || counts[2] < TEST_ROUNDS(60)) {
        SECURITY_STATUS status = load(path, NULL);

        atomic_fetch_add(&attempts, 1);
        counts[status == SEC_E_OK ? 0 : status == SEC_E_NO_CREDENTIALS ? 1 : 2]++;
        if (status != SEC_E_OK)
            assert_true(status == SEC_E_NO_CREDENTIALS || status == SEC_E_UNKNOWN_CREDENTIALS);
    }
    atomic_store(&stop, true);
    test_thread_join(thread);
    print_message("%u loaded, %u not there, %u not whole\n", counts[0], counts[1], counts[2]);
}

/* ---- what one may not open ---- */

/* The root user may open everything, so it becomes nobody in particular first. */
static int load_what_is_forbidden(void *data)
{
    const char *closed = data;

    if (geteuid() == 0) {
        TEST_REQUIRE_EQUAL(setresgid(65534, 65534, 65534), 0);
        TEST_REQUIRE_EQUAL(setresuid(65534, 65534, 65534), 0);
    }
    TEST_REQUIRE_EQUAL(load(closed, NULL), SEC_E_NOT_OWNER);
    return 0;
}

static void file_without_permission_is_not_ours(void **state)
{
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s", write_file("closed", "", 0, 0));
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(folder, 0711), 0);
    assert_int_equal(test_child_join(test_child_fork(load_what_is_forbidden, path)), 0);
}

/* ---- no descriptor left ---- */

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;

    TEST_REQUIRE_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    TEST_REQUIRE_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void without_descriptors_it_says_no_memory(void **state)
{
    struct rlimit before;
    OsspiCompletionQueue *queue;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit_descriptors(0);
    require_both(good_file(), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_INSUFFICIENT_MEMORY);
    assert_null(queue);
    limit_descriptors(before.rlim_cur);
    require_both(good_file(), SEC_E_OK);
    assert_int_equal(OsspiCreateCompletionQueue(&queue), SEC_E_OK);
    assert_int_equal(OsspiCloseCompletionQueue(queue), SEC_E_OK);
}

/* ---- trust ---- */

static SECURITY_STATUS handshake(void)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, PEER_SYNC, false);
    peer_end_init(&pair.server, PEER_SYNC, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair.server, 0, 0, "server", false), SEC_E_OK);
    status = peer_end_acquire(&pair.client, 0, 0, NULL, false);
    if (status == SEC_E_OK)
        status = peer_handshake(&pair);
    peer_close(&pair);
    return status;
}

static void trust_only(const char *file, const char *dir)
{
    OsspiOptions options = {.cbSize = sizeof(options), .trust_file = file, .trust_dir = dir};

    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
}

static int trusts_nobody_by_file(void *data)
{
    trust_only(data, NULL);
    TEST_REQUIRE_EQUAL(handshake(), SEC_E_UNTRUSTED_ROOT);
    TEST_REQUIRE_EQUAL(handshake(), SEC_E_UNTRUSTED_ROOT);
    return 0;
}

static int trusts_nobody_by_folder(void *data)
{
    trust_only(NULL, data);
    TEST_REQUIRE_EQUAL(handshake(), SEC_E_UNTRUSTED_ROOT);
    return 0;
}

static void roots_that_cannot_be_read_trust_nobody(void **state)
{
    char pipe[256], huge[256], garbage[256];
    const char *const paths[] = {
        pipe, huge, garbage, "/dev/zero", "/dev/null", "/dev/urandom", "/proc", "/nonexistent/file",
    };

    (void)state;
    snprintf(pipe, sizeof(pipe), "%s", scratch("trust-pipe"));
    assert_int_equal(mkfifo(pipe, 0600), 0);
    snprintf(garbage, sizeof(garbage), "%s", write_file("trust-garbage", "no PEM at all", 13, 13));
    snprintf(huge, sizeof(huge), "%s", write_file("trust-huge", "-----BEGIN", 10, 1 << 30));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *path = strdup(paths[i]);

        assert_int_equal(test_child_join(test_child_fork(trusts_nobody_by_file, path)), 0);
        /* A pipe in place of the folder is no reason to wait either. */
        assert_int_equal(test_child_join(test_child_fork(trusts_nobody_by_folder, path)), 0);
        free(path);
    }
}

static SECURITY_STATUS acquire_client(DWORD flags)
{
    struct peer_end client;
    SECURITY_STATUS status;

    peer_end_init(&client, PEER_SYNC, false);
    status = peer_end_acquire(&client, 0, flags, NULL, false);
    peer_end_free(&client);
    return status;
}

/* Without descriptors a credential is refused, which is no verdict on anybody; what could not be
 * read then is read the next time. */
static void acquire_without_descriptors(void)
{
    struct rlimit before;

    TEST_REQUIRE_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit_descriptors(0);
    for (int i = 0; i < 3; i++)
        TEST_REQUIRE_EQUAL(acquire_client(0), SEC_E_INSUFFICIENT_MEMORY);
    limit_descriptors(before.rlim_cur);
    for (int i = 0; i < 4; i++)
        TEST_REQUIRE_EQUAL(handshake(), SEC_E_OK);
}

static int reads_configuration_later(void *data)
{
    trust_only(data, NULL);
    acquire_without_descriptors();
    return 0;
}

/* Everything is there but the roots, which who brings his own does not need. */
static int reads_roots_later(void *data)
{
    trust_only(data, NULL);
    for (int i = 0; i < 130; i++)
        TEST_REQUIRE_EQUAL(acquire_client(SCH_CRED_RESTRICTED_ROOTS), SEC_E_OK);
    acquire_without_descriptors();
    return 0;
}

static void what_needs_descriptors_is_read_when_there_are_some(void **state)
{
    char path[512];

    (void)state;
    peer_path("ca", ".pem", path, sizeof(path));
    assert_int_equal(test_child_join(test_child_fork(reads_configuration_later, path)), 0);
    assert_int_equal(test_child_join(test_child_fork(reads_roots_later, path)), 0);
}

static int make_folder(void **state)
{
    (void)state;
    test_watchdog(60);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"pipe",       "socket",        "loop",      "dangling",
                                        "cut",        "next",          "moving",    "closed",
                                        "trust-pipe", "trust-garbage", "trust-huge"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(scratch(names[i]));
    return rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_and_folders_are_refused),
        cmocka_unit_test(files_of_the_kernel_have_an_end),
        cmocka_unit_test(pipe_does_not_hang_with_or_without_writer),
        cmocka_unit_test(socket_is_refused),
        cmocka_unit_test(links_that_lead_nowhere_are_no_credentials),
        cmocka_unit_test(absurd_sizes_are_refused_at_once),
        cmocka_unit_test(truncated_files_never_pass),
        cmocka_unit_test(file_that_changes_while_it_is_read_has_some_status),
        cmocka_unit_test(file_without_permission_is_not_ours),
        /* Before this process reads roots of its own. */
        cmocka_unit_test(roots_that_cannot_be_read_trust_nobody),
        cmocka_unit_test(what_needs_descriptors_is_read_when_there_are_some),
        cmocka_unit_test(without_descriptors_it_says_no_memory),
    };

    return cmocka_run_group_tests_name("fault.files", tests, make_folder, remove_folder);
}
