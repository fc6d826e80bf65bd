/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Peer programs as children; see interop_process.h.
 */
#include "interop_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS (TEST_SANITIZED ? 80000 : 20000)

/* The child to print when this program fails; atomic, because a signal handler reads it. */
static struct interop_process *_Atomic current;

/* Where servers are (nginx), and where only root looks by itself. */
static void look_in_sbin_too(void)
{
    const char *path = getenv("PATH");
    char longer[4096];
    int len = snprintf(longer, sizeof(longer), "%s:/usr/sbin", path ? path : "/usr/bin:/bin");

    if (len > 0 && len < (int)sizeof(longer))
        setenv("PATH", longer, 1);
}

void interop_need(const char *program)
{
    char command[128];
    const char *required = getenv("OSSPI_REQUIRE_PEERS");
    bool must = required && *required && strcmp(required, "0") != 0;

    look_in_sbin_too();
    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    if (system(command) == 0)
        return;
    printf("%s: the peer program %s is missing\n", must ? "failed" : "skipped", program);
    exit(must ? 1 : 77);
}

/* Only write(2) and what it needs: this runs in a handler, of an abort or of the watchdog. */
static void on_abort(int number)
{
    static const char head[] = "\n--- the peer has said:\n", tail[] = "\n--- end\n";
    const struct interop_process *process = current;
    const size_t most = 8000;
    size_t len = process ? process->said.len : 0;
    ssize_t ignored = 0;

    if (len > 0) {
        ignored |= write(STDERR_FILENO, head, sizeof(head) - 1);
        ignored |= write(STDERR_FILENO, process->said.bytes + (len > most ? len - most : 0),
                         len > most ? most : len);
        ignored |= write(STDERR_FILENO, tail, sizeof(tail) - 1);
    }
    (void)ignored;
    signal(number, SIG_DFL);
}

/* In the child, between fork and exec: nothing but system calls. */
static void become(const char *const words[], int in, int out, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(125);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
        _exit(125);
    execvp(words[0], (char *const *)words);
    _exit(126);
}

void interop_start(struct interop_process *process, const char *const words[])
{
    int in[2], out[2];
    pid_t parent = getpid();

    *process = (struct interop_process){.in = -1, .out = -1};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGABRT, on_abort);
    TEST_REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    process->pid = fork();
    TEST_REQUIRE(process->pid >= 0);
    if (process->pid == 0)
        become(words, in[0], out[1], parent);
    close(in[0]);
    close(out[1]);
    process->in = in[1];
    process->out = out[0];
    /* Only our ends: the child may expect its own to block. */
    TEST_REQUIRE(fcntl(process->in, F_SETFL, O_NONBLOCK) == 0);
    TEST_REQUIRE(fcntl(process->out, F_SETFL, O_NONBLOCK) == 0);
    current = process;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int wait_for(struct interop_process *process)
{
    pid_t pid = process->pid;

    process->pid = 0;
    return test_child_join(pid);
}

void interop_stop(struct interop_process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        (void)wait_for(process);
    }
    if (current == process)
        current = NULL;
    close_end(&process->in);
    close_end(&process->out);
    peer_clear(&process->orders);
    peer_clear(&process->said);
}

void interop_tell(struct interop_process *process, const void *text, size_t len)
{
    peer_push(&process->orders, text, len);
}

void interop_tell_line(struct interop_process *process, const char *line)
{
    interop_tell(process, line, strlen(line));
    interop_tell(process, "\n", 1);
}

void interop_tell_end(struct interop_process *process)
{
    process->ends = true;
    if (process->orders.len == 0)
        close_end(&process->in);
}

bool interop_said_bytes(const struct interop_process *process, const void *bytes, size_t len)
{
    return process->said.len >= len && memmem(process->said.bytes, process->said.len, bytes, len);
}

bool interop_said(const struct interop_process *process, const char *text)
{
    return interop_said_bytes(process, text, strlen(text));
}

void interop_forget(struct interop_process *process)
{
    peer_clear(&process->said);
}

/* ---- waiting ---- */

void interop_poll_prepare(const struct interop_process *process, struct pollfd items[2])
{
    items[0] = (struct pollfd){.fd = process->out, .events = POLLIN};
    items[1] = (struct pollfd){.fd = process->orders.len > 0 ? process->in : -1, .events = POLLOUT};
}

static void listen_to(struct interop_process *process)
{
    char bytes[65536];
    ssize_t len = read(process->out, bytes, sizeof(bytes));

    if (len > 0)
        peer_push(&process->said, bytes, (size_t)len);
    else if (len == 0)
        close_end(&process->out);
    else
        TEST_REQUIRE(errno == EAGAIN || errno == EINTR);
}

static void give_orders(struct interop_process *process)
{
    ssize_t len = write(process->in, process->orders.bytes, process->orders.len);

    if (len > 0)
        peer_drop(&process->orders, (size_t)len);
    else if (errno == EPIPE)
        peer_clear(&process->orders);
    else
        TEST_REQUIRE(errno == EAGAIN || errno == EINTR);
    if (process->ends && process->orders.len == 0)
        close_end(&process->in);
}

void interop_poll_handle(struct interop_process *process, const struct pollfd items[2])
{
    if (items[0].revents)
        listen_to(process);
    if (items[1].revents)
        give_orders(process);
}

static void turn(struct interop_process *process)
{
    struct pollfd items[2];
    int count;

    interop_poll_prepare(process, items);
    do {
        count = poll(items, 2, PATIENCE_MS);
    } while (count < 0 && errno == EINTR);
    TEST_REQUIRE(count > 0); /* otherwise the peer is silent for too long */
    interop_poll_handle(process, items);
}

void interop_await(struct interop_process *process, const char *text)
{
    while (!interop_said(process, text)) {
        if (process->out < 0)
            fprintf(stderr, "the peer has ended without saying: %s\n", text);
        TEST_REQUIRE(process->out >= 0);
        turn(process);
    }
}

static bool copy_line(const struct interop_process *process, const char *start, char *line,
                      size_t size)
{
    const uint8_t *from = memmem(process->said.bytes, process->said.len, start, strlen(start));
    const uint8_t *end =
        from ? memchr(from, '\n', process->said.len - (size_t)(from - process->said.bytes)) : NULL;

    if (!end)
        return false;
    TEST_REQUIRE((size_t)(end - from) < size);
    memcpy(line, from, (size_t)(end - from));
    line[end - from] = '\0';
    return true;
}

void interop_await_line(struct interop_process *process, const char *start, char *line, size_t size)
{
    interop_await(process, start);
    while (!copy_line(process, start, line, size)) {
        TEST_REQUIRE(process->out >= 0);
        turn(process);
    }
}

int interop_join(struct interop_process *process)
{
    while (process->out >= 0)
        turn(process);
    return wait_for(process);
}
