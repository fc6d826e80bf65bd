/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of ours on a socket, and the peer program at the other end of it: a small event loop that
 * moves bytes, runs legs, opens records and listens to the program, until what the test waits for
 * is there. And the loop that runs every case in every form of the calls: synchronous,
 * asynchronous with a callback, asynchronous with a completion queue.
 *
 * One thread per wire. Ports are always chosen by the kernel.
 */
#ifndef OSSPI_TESTS_INTEROP_WIRE_H
#define OSSPI_TESTS_INTEROP_WIRE_H

#include "interop_process.h"

#define INTEROP_TLS12 "-tls1_2"
#define INTEROP_TLS13 "-tls1_3"

/** Runs every case in the three forms against this program, with the test CA trusted; what main()
 * returns. */
int interop_run_cases(const char *program, const char *group, const struct peer_case *cases,
                      size_t count);

/** An ALPN offer in the making; see interop_offer(). */
struct interop_alpn {
    SEC_APPLICATION_PROTOCOLS head;
    char list[32]; /* more room for head's list, which is its last member */
};

struct interop_wire {
    struct peer_end end;          /* ours; its `in` is what has come from the socket */
    struct peer_end net;          /* its `in` is what goes to the socket */
    struct peer_stream plain;     /* opened data */
    struct interop_process *peer; /* NULL: none to listen to */
    int fd;                       /* never blocks; -1: closed */
    size_t read_max;              /* bytes per read; 0: many */
    bool established;
    bool in_leg;             /* a message after the handshake is being read by legs */
    unsigned legs;           /* how often a record has asked for legs since the handshake */
    bool declined;           /* the peer does not renegotiate */
    bool told;               /* a certificate was asked for, and there was none */
    const char *answer;      /* the one to take when told; NULL: none */
    bool finished;           /* the peer's close_notify has come */
    bool eof;                /* no more bytes will come */
    bool reset;              /* that was a RST */
    SECURITY_STATUS failure; /* what a leg or a record ended with, or SEC_E_OK */
};

/* ---- peers ---- */

/**
 * Starts openssl s_server on a port of its own.
 *
 * @param name   of its test certificate
 * @param extra  further words up to NULL; or NULL
 * @return its port
 */
uint16_t interop_s_server(struct interop_process *process, const char *name,
                          const char *const extra[]);
/** Starts openssl s_client against that port; it verifies chain and name. */
void interop_s_client(struct interop_process *process, uint16_t port, const char *const extra[]);

/** The peer has asked for a certificate, our side had none, and the peer named this authority alone
 * (its test certificate's name; NULL: nobody). */
void interop_require_told(struct interop_wire *wire, const char *issuer);

/** Appends words up to NULL (more may be NULL); gives their new number. */
size_t interop_add_words(const char **words, size_t count, const char *const more[]);
/** Starts a server that says "ACCEPT 127.0.0.1:PORT", and gives the port. */
uint16_t interop_start_server(struct interop_process *process, const char *const words[]);
/** A listening socket, and its port. */
int interop_listen(uint16_t *ret_port);
/** Waits for a connection. */
int interop_accept(int listener, struct interop_process *process);

/* ---- a wire ---- */

/** Ours without a credential (peer_end_acquire gives one). */
void interop_wire_init(struct interop_wire *wire, const struct peer_form *form, bool server,
                       struct interop_process *peer);
/** A usual one: with a credential; certificate may be NULL for a client. */
void interop_wire_open(struct interop_wire *wire, const struct peer_form *form, bool server,
                       struct interop_process *peer, const char *certificate);
void interop_wire_connect(struct interop_wire *wire, uint16_t port);
/** Our end offers or accepts these protocols, in the wire format of RFC 7301; alpn must live on. */
void interop_offer(struct interop_wire *wire, struct interop_alpn *alpn, const char *wire_format);
/** Closes socket and context, forgets what came; keeps the credential. */
void interop_wire_disconnect(struct interop_wire *wire);
void interop_wire_free(struct interop_wire *wire);

/** Waits once for something to happen and does all that can be done then. */
void interop_turn(struct interop_wire *wire);
/** Turns until the condition holds. The connection's failure or end does not stop it. */
#define INTEROP_UNTIL(wire, condition) \
    do { \
        while (!(condition)) \
            interop_turn(wire); \
    } while (0)

/** The handshake, until it has ended well, badly, or by the end of the connection. */
SECURITY_STATUS interop_handshake(struct interop_wire *wire);
/** The same; it must end well. */
void interop_must_handshake(struct interop_wire *wire);
/** The same; our end must refuse with this status, and then the program says this of our alert. */
void interop_must_refuse(struct interop_wire *wire, SECURITY_STATUS expected, const char *says);

/** Seals data in records of at most part bytes and sends them. */
void interop_send(struct interop_wire *wire, const void *data, size_t len, size_t part);
void interop_send_line(struct interop_wire *wire, const char *line);
/** Sends all that waits, without reading. */
void interop_flush(struct interop_wire *wire);
/** Waits until the program has said this, meanwhile serving the connection. */
void interop_wire_await(struct interop_wire *wire, const char *text);
/** Gives a command of s_client or s_server, which has to be all that it reads at a time. */
void interop_command(struct interop_wire *wire, const char *letter);
/** Waits for exactly these bytes, and takes them. */
void interop_expect(struct interop_wire *wire, const void *data, size_t len);
void interop_expect_line(struct interop_wire *wire, const char *line);
/** Data of this many bytes, to the program and back: it prints what comes and sends its stdin. */
void interop_exchange(struct interop_wire *wire, size_t len);
/** The same with a program that sends back each line that comes. */
void interop_echo(struct interop_wire *wire, size_t len);
/** Sends all that waits, and the end of our direction: openssl waits for that half a second. */
void interop_hang_up(struct interop_wire *wire);
/** Sends our close_notify, and hangs up. */
void interop_finish(struct interop_wire *wire);

/* ---- facts ---- */

DWORD interop_protocol(struct interop_wire *wire);
DWORD interop_suite(struct interop_wire *wire);
bool interop_reused(struct interop_wire *wire);
/** ALPN has chosen this protocol. */
void interop_require_alpn(struct interop_wire *wire, const char *protocol);
/** The peer's certificate is this test certificate. */
void interop_require_peer_certificate(struct interop_wire *wire, const char *name);

#endif
