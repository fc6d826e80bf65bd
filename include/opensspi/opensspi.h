/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What this library has and Windows lacks: completion queues, cancel, deadlines, tuning,
 * statistics, certificates from PEM files, words for status codes. All of it is optional.
 *
 * Names begin with Osspi; nothing of this is in sspi.h. Strings are NUL-terminated UTF-8.
 * Structures that may grow begin with cbSize: set it to sizeof the structure, and an older program
 * keeps working with a newer library. Unless a function says otherwise it may be called from any
 * thread, does not block and may be called from a callback.
 */
#ifndef OPENSSPI_OPENSSPI_H
#define OPENSSPI_OPENSSPI_H

#include "sspi.h"
#include "wincrypt.h"

OSSPI_EXTERN_C_BEGIN

/* --- Certificates --- */

/**
 * Makes a certificate context of a certificate, its chain and its private key.
 *
 * The context goes into SCHANNEL_CRED.paCred or SCH_CREDENTIALS.paCred. Its hCertStore holds the
 * chain: all certificates of the file but the one that the key belongs to. Reads files, so it may
 * block for as long as the file system does.
 *
 * A key that a PKCS #11 URI (RFC 7512) names stays in its token; TLS uses it there, on the blocking
 * lane. To find it, this call talks to the token, so it blocks for as long as that does.
 *
 * @param cert     [in] path of a PEM file: end entity first, then its chain; or a "pkcs11:" URI,
 *                 of a certificate without its chain
 * @param key      [in] path of a PEM file or a "pkcs11:" URI; NULL = the key is where cert is: in
 *                 a token under the same attributes
 * @param password [in] of the key, or the token's PIN, before one in the URI; NULL = none. Of a PIN
 *                 a copy is kept, wiped when it is not needed any more
 * @param ret_cert [out] free with CertFreeCertificateContext; NULL on failure
 * @retval SEC_E_OK                   done
 * @retval SEC_E_INVALID_PARAMETER    cert or ret_cert is NULL
 * @retval SEC_E_NO_CREDENTIALS       a file, PKCS #11 module, token or object is not there or
 *                                    cannot be read, or there is no key, or the key is not the
 *                                    certificate's
 * @retval SEC_E_UNKNOWN_CREDENTIALS  a file is no PEM, no regular file or larger than 1 MiB, or
 *                                    holds no certificate that can be parsed; a URI is malformed,
 *                                    has an attribute that is not supported, names an object of
 *                                    another type, or comes with a PIN and names no token
 * @retval SEC_E_LOGON_DENIED         the password or PIN is wrong or locked, or one is needed
 * @retval SEC_E_NOT_OWNER            the key file, or the PIN's, belongs to another user, or its
 *                                    mode gives group or others any right, or a file may not be
 *                                    opened
 * @retval SEC_E_UNSUPPORTED_FUNCTION a "pkcs11:" URI, and OpenSSL has neither the pkcs11 provider
 *                                    nor the pkcs11 engine
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory, or no descriptor is left
 */
OSSPI_API SECURITY_STATUS OsspiLoadCertificate(const char *cert, const char *key,
                                               const char *password, PCCERT_CONTEXT *ret_cert);

/**
 * Gives a credential other certificates, without dropping a connection.
 *
 * They take the place of all that came with AcquireCredentialsHandle, and of those that
 * AddCredentials has added without a host name; the others stay (AddCredentials with the same name
 * replaces them). Contexts made afterwards present the new ones, those that exist keep the old
 * ones. Sessions that were made with the old certificates are not resumed. All or nothing: on
 * failure the credential is as it was. Asynchronous calls that are in flight may use either. What
 * this copies may be freed at once. Blocks as long as a change of the same credential by another
 * thread does, and as long as keys in a device take to load.
 *
 * @param credential   [in] of Schannel, either side
 * @param certificates [in] array of certificate contexts with keys, as in SCH_CREDENTIALS.paCred
 * @param count        1 to 100, with those that stay
 * @param ret_expiry   [out] when the first certificate expires, local FILETIME; NULL = do not tell
 * @retval SEC_E_OK                   done
 * @retval SEC_E_INVALID_HANDLE       no credential
 * @retval SEC_E_INVALID_PARAMETER    certificates or one of them is NULL, or count is 0
 * @retval SEC_E_NO_CREDENTIALS       a certificate without its key
 * @retval SEC_E_UNKNOWN_CREDENTIALS  a certificate or key that TLS cannot use, or too many
 * @retval SEC_E_UNSUPPORTED_FUNCTION a credential of another package
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory
 * @retval SEC_E_INTERNAL_ERROR       the TLS library has failed
 */
OSSPI_API SECURITY_STATUS OsspiRenewCredential(PCredHandle credential, PCCERT_CONTEXT *certificates,
                                               ULONG count, PTimeStamp ret_expiry);

/**
 * A key of a server of Kerberos or Negotiate: what a SEC_GET_KEY_FN, given to
 * AcquireCredentialsHandle as pGetKeyFn, puts at *Key for a server that has no keytab.
 *
 * The function is called once, while the credential is acquired, on the thread that acquires it (of
 * an asynchronous call: a worker, so it should not take long), and only if the caller names a
 * principal and the default keytab has no key. It gets pvGetKeyArgument, the principal in the
 * letters of the function that was called (A: UTF-8, W: UTF-16), and the version 0, for the newest
 * key. The keys are copied before the call goes on, and wiped with the credential. A *Status other
 * than SEC_E_OK is the status of the call; no key is SEC_E_NO_CREDENTIALS, and one that is
 * malformed SEC_E_UNKNOWN_CREDENTIALS.
 */
typedef struct OsspiServerKey {
    ULONG cbSize;         /* sizeof(OsspiServerKey) */
    LONG encryption_type; /* as Kerberos numbers them: 18 is AES-256 with SHA-1 (RFC 3962) */
    ULONG version;        /* the key's; 0: not known. Tickets of any version are tried */
    ULONG cbKey;          /* bytes at pvKey, as many as the encryption type has */
    const void *pvKey;
    const struct OsspiServerKey *next; /* another key of this server, 16 at most; NULL: none */
} OsspiServerKey;

/** For SecPkgCred_ClientCertPolicy.dwFlags (SECPKG_ATTR_CLIENT_CERT_POLICY of a server): clients
 * are asked for a certificate though no leg says ASC_REQ_MUTUAL_AUTH. */
#define OSSPI_CLIENT_CERT_REQUEST 0x00000001u

/** The same, and a handshake without a certificate fails. */
#define OSSPI_CLIENT_CERT_REQUIRE 0x00000002u

/** For SetCredentialsAttributes and QueryCredentialsAttributes of a Schannel credential: an
 * OsspiTlsOptions. What is off until a program asks for it, because it costs memory or safety. It
 * holds for contexts that are made afterwards. */
#define OSSPI_CRED_ATTR_TLS_OPTIONS 0x4F530001u

/** OsspiTlsOptions.flags: TLS 1.2, both sides may renegotiate (RFC 5746 alone). */
#define OSSPI_TLS_RENEGOTIATION 0x00000001u
/** TLS 1.3: a client can be asked for a certificate after the handshake (RFC 8446, 4.6.2). */
#define OSSPI_TLS_POST_HANDSHAKE_AUTH 0x00000002u
/** TLS 1.3: data in the first flight of a resumed connection (RFC 8446, 2.3). An attacker can send
 * them again: only for what may be done twice. */
#define OSSPI_TLS_EARLY_DATA 0x00000004u

typedef struct OsspiTlsOptions {
    ULONG cbSize;             /* sizeof(OsspiTlsOptions) */
    ULONG flags;              /* OSSPI_TLS_...; others: SEC_E_INVALID_PARAMETER */
    ULONG max_early_data;     /* bytes a server takes, at most 16384; 0: 16384 */
    ULONG max_renegotiations; /* of one connection, whoever began them; 0: 8 */
} OsspiTlsOptions;

/** For SetCredentialsAttributes and QueryCredentialsAttributes of a CredSSP credential: an
 * OsspiCredSspOptions. It holds for contexts that begin afterwards. */
#define OSSPI_CRED_ATTR_CREDSSP_OPTIONS 0x4F530010u

/** OsspiCredSspOptions.flags: a client that finds Negotiate to have chosen NTLM gives up with
 * SEC_E_POLICY_NLTM_ONLY before it delegates anything: NTLM does not say who the server is. */
#define OSSPI_CREDSSP_NO_NTLM 0x00000001u

typedef struct OsspiCredSspOptions {
    ULONG cbSize;      /* sizeof(OsspiCredSspOptions) */
    ULONG flags;       /* OSSPI_CREDSSP_...; others: SEC_E_INVALID_PARAMETER */
    ULONG min_version; /* peers with an older one are refused; 2 to 6, 0: 5, from which on the
                          binding to the TLS connection cannot be made by somebody else */
    ULONG max_version; /* that is spoken; 2 to 6, 0: 6 */
} OsspiCredSspOptions;

/** For QueryContextAttributes: an OsspiEarlyData. What became of early data, in which a client
 * gives the bytes of a SECBUFFER_DATA in the input of its first leg. A server can ask as soon as
 * its first leg has answered, and again after each leg: an answer takes the bytes that have come
 * along. */
#define OSSPI_ATTR_EARLY_DATA 0x4F530002u

/** OsspiEarlyData.status. None were sent: no session permits it, or nobody asked for it. A client
 * sends them again as usual data. */
#define OSSPI_EARLY_DATA_NOT_SENT 0u
/** The server did not take them. A client sends them again as usual data. */
#define OSSPI_EARLY_DATA_REJECTED 1u
/** The server took them. */
#define OSSPI_EARLY_DATA_ACCEPTED 2u
/** A client, before its handshake is over: they are sent, and the server has not said yet. */
#define OSSPI_EARLY_DATA_SENT 3u

typedef struct OsspiEarlyData {
    ULONG status; /* OSSPI_EARLY_DATA_... */
    ULONG cbData; /* server: bytes at pvData */
    void *pvData; /* server: FreeContextBuffer; NULL: none. ANYBODY MAY HAVE SENT THEM BEFORE */
} OsspiEarlyData;

/** For QueryContextAttributes of a server's context, made by Kerberos or by Negotiate with
 * Kerberos: an OsspiContextAuthorization. What the client's domain says about him, to decide by
 * what he may do: the logon information that Active Directory (or another KDC that knows MS-PAC)
 * has put into his ticket, and signed. Without one: SEC_E_NO_CREDENTIALS. The same for the A and W
 * functions. */
#define OSSPI_ATTR_AUTHORIZATION 0x4F530003u

typedef struct OsspiAuthorization {
    const char *account;           /* his name in the domain, UTF-8; "": not told */
    const char *domain;            /* its short name, UTF-8; "": not told */
    const char *user_sid;          /* "S-1-5-21-..."; "": not told */
    const char *const *group_sids; /* the same, of each group he is in, also those of groups */
    ULONG group_count;
} OsspiAuthorization;

typedef struct OsspiContextAuthorization {
    OsspiAuthorization *authorization; /* one block with all it points to: FreeContextBuffer */
} OsspiContextAuthorization;

/** For ApplyControlToken, like SCHANNEL_SESSION_TOKEN: the next leg without input makes a KeyUpdate
 * (RFC 8446, 4.6.3). TLS 1.3 only, else SEC_E_UNSUPPORTED_FUNCTION. */
#define OSSPI_SCHANNEL_KEY_UPDATE 0x4F530001u

/** OsspiKeyUpdateToken.dwFlags: the peer is asked to update its key as well. */
#define OSSPI_KEY_UPDATE_REQUEST 0x00000001u

typedef struct OsspiKeyUpdateToken {
    DWORD dwTokenType; /* OSSPI_SCHANNEL_KEY_UPDATE */
    DWORD dwFlags;
} OsspiKeyUpdateToken;

/** One file of a folder of certificates, or the folder itself. */
typedef struct OsspiStoreFile {
    ULONG cbSize;                       /* sizeof(OsspiStoreFile) of the library */
    BOOL is_folder;                     /* this is about the folder; told first, and always */
    const char *path;                   /* absolute if the folder's is */
    SECURITY_STATUS status;             /* SEC_E_OK: it is used */
    const char *reason;                 /* why it is left out, in words; NULL: it is not */
    BOOL has_key;                       /* the certificates have their private keys */
    ULONG count;                        /* certificates of its own, their chains not counted */
    const PCCERT_CONTEXT *certificates; /* until the callback returns */
} OsspiStoreFile;

/** Takes one file; FALSE ends the list. Runs inside OsspiListStore, on the caller's thread. */
typedef BOOL (*OsspiStoreFileCallback)(const OsspiStoreFile *file, void *data);

/**
 * Tells what is in the store "MY", or in another folder of certificates, file by file: also which
 * files are left out, and why. Where CertOpenStore shows what can be used, this explains it.
 *
 * @param store    [in] NULL or "MY"; or the path of a folder, with a slash in it
 * @param flags    CERT_SYSTEM_STORE_CURRENT_USER or CERT_SYSTEM_STORE_LOCAL_MACHINE
 * @param callback [in] called for the folder, then for each file in the order of names
 * @param data     [in] handed to callback
 * @retval SEC_E_OK                  told; also if the folder is missing or cannot be used, as its
 *                                   status says
 * @retval SEC_E_INVALID_PARAMETER   no callback, no such store, or other flags
 * @retval SEC_E_INSUFFICIENT_MEMORY no memory, or no descriptor is left
 */
OSSPI_API SECURITY_STATUS OsspiListStore(const char *store, ULONG flags,
                                         OsspiStoreFileCallback callback, void *data);

/**
 * Builds the chain of a certificate as CertGetCertificateChain does, without blocking.
 *
 * Arguments are copied during the call, stores and certificates by reference. What is computed runs
 * on the CPU lane; only where the network has to be asked about revocation the call goes on on the
 * blocking lane, under its deadline (OsspiSetAsyncTimeout).
 *
 * @param context           [in] async context without a pending call
 * @param hChainEngine      as CertGetCertificateChain, with the five below
 * @param pCertContext      [in]
 * @param pTime             [in]
 * @param hAdditionalStore  [in]
 * @param pChainPara        [in]
 * @param dwFlags
 * @param ret_chain         [out] set when the call completes with SEC_E_OK; must stay valid until
 *                          it is complete. Free with CertFreeCertificateChain
 * @retval SEC_E_OK                accepted; the call status is SEC_E_OK, SEC_E_INVALID_PARAMETER
 *                                 (what CertGetCertificateChain calls E_INVALIDARG),
 *                                 SEC_E_INSUFFICIENT_MEMORY, or
 *                                 HRESULT_FROM_WIN32(ERROR_CANCELLED) or (ERROR_TIMEOUT)
 * @retval SEC_E_INVALID_HANDLE    context is NULL, freed or foreign
 * @retval SEC_E_INVALID_PARAMETER ret_chain is NULL, or a call is pending on context, or its
 *                                 callback has not begun
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory, no thread, or the queue is full
 * @retval SEC_E_NOT_OWNER            a thread would have to be started by one with another identity
 * @retval SEC_E_SHUTDOWN_IN_PROGRESS OsspiShutdown was called
 */
OSSPI_API SECURITY_STATUS
OsspiGetCertificateChainAsync(SspiAsyncContext *context, HCERTCHAINENGINE hChainEngine,
                              PCCERT_CONTEXT pCertContext, LPFILETIME pTime,
                              HCERTSTORE hAdditionalStore, PCERT_CHAIN_PARA pChainPara,
                              DWORD dwFlags, PCCERT_CHAIN_CONTEXT *ret_chain);

/* --- Completion queues: callbacks on the caller's thread --- */

/** Collects completed calls until a thread of the caller drains it. Opaque, and not an address. */
typedef struct OsspiCompletionQueue OsspiCompletionQueue;

/**
 * Makes a completion queue.
 *
 * @param ret_queue [out] close it with OsspiCloseCompletionQueue; NULL on failure
 * @retval SEC_E_OK                   done
 * @retval SEC_E_INVALID_PARAMETER    ret_queue is NULL
 * @retval SEC_E_INSUFFICIENT_MEMORY  no memory, or no descriptor is left
 * @retval SEC_E_SHUTDOWN_IN_PROGRESS OsspiShutdown was called
 */
OSSPI_API SECURITY_STATUS OsspiCreateCompletionQueue(OsspiCompletionQueue **ret_queue);

/**
 * Gives the descriptor to wait on.
 *
 * It is an eventfd, non-blocking and close-on-exec, for poll, epoll (also edge triggered) or
 * io_uring. It is readable while the queue holds an entry. Do not read, write or close it.
 *
 * @param queue [in] the queue
 * @return the descriptor; -1 if queue is NULL, closed, or was made before a fork by the parent
 */
OSSPI_API int OsspiCompletionQueueFd(OsspiCompletionQueue *queue);

/**
 * Runs the callbacks of completed calls on this thread, in the order of their completion.
 *
 * Several threads may drain one queue at a time, and a callback may drain again. Never waits for a
 * call to complete; takes as long as the callbacks take.
 *
 * @param queue [in] the queue
 * @param max   at most so many callbacks; 0 = all that are there at the beginning of the call
 * @return number of callbacks run; 0 if there was none or queue is not a queue
 */
OSSPI_API ULONG OsspiDrainCompletions(OsspiCompletionQueue *queue, ULONG max);

/**
 * Closes a queue and its descriptor.
 *
 * @param queue [in] the queue
 * @retval SEC_E_OK                closed
 * @retval SEC_E_INVALID_HANDLE    NULL, closed or foreign queue, or one of the parent after a fork
 * @retval SEC_E_INVALID_PARAMETER calls are bound to it that are not complete, or entries are not
 *                                 drained; the queue stays open
 */
OSSPI_API SECURITY_STATUS OsspiCloseCompletionQueue(OsspiCompletionQueue *queue);

/**
 * Sends the callbacks of a context to a queue, for the calls that follow. Survives Reinit.
 *
 * @param context [in] async context without a pending call
 * @param queue   [in] the queue; NULL = back to the library's threads
 * @retval SEC_E_OK                done
 * @retval SEC_E_INVALID_HANDLE    context or queue is freed, closed or foreign, or context is NULL
 * @retval SEC_E_INVALID_PARAMETER a call is pending, or its callback has not begun
 */
OSSPI_API SECURITY_STATUS OsspiSetCompletionQueue(SspiAsyncContext *context,
                                                  OsspiCompletionQueue *queue);

/* --- One call --- */

/** For OsspiWaitAsyncCall and OsspiShutdown: as long as it takes. */
#define OSSPI_INFINITE 0xFFFFFFFFu

/**
 * Waits until a call is complete.
 *
 * It returns at completion, which may be before the callback has run. A call that still waits for a
 * worker may be run here, on the calling thread, unless timeout_ms is 0; that takes as long as the
 * call does. Its callback does not run inside this function. Blocks.
 *
 * @param context    [in] async context
 * @param timeout_ms milliseconds; 0 = only look; OSSPI_INFINITE = no limit
 * @retval SEC_I_ASYNC_CALL_PENDING the time is over, no call was made since the context was made
 *                                  or reinitialised, or the callback has begun another call on it
 * @retval SEC_E_INVALID_HANDLE     NULL, freed or foreign context
 * @return otherwise the call status, as SspiGetAsyncCallStatus
 */
OSSPI_API SECURITY_STATUS OsspiWaitAsyncCall(SspiAsyncContext *context, ULONG timeout_ms);

/**
 * Asks for the end of a call.
 *
 * A call that waits for a worker completes at once with HRESULT_FROM_WIN32(ERROR_CANCELLED). A
 * running one that waits for a network is given up with the same status: its security context then
 * answers only delete and query. A running one that computes ends with its own result. Deleting and
 * freeing cannot be cancelled. The callback runs in every case, exactly once, and never inside this
 * function.
 *
 * @param context [in] async context
 * @retval SEC_E_OK                the call is cancelled
 * @retval SEC_E_INVALID_HANDLE    NULL, freed or foreign context
 * @retval SEC_E_INVALID_PARAMETER nothing is pending, or it cannot be cancelled any more; its own
 *                                 result counts
 */
OSSPI_API SECURITY_STATUS OsspiCancelAsyncCall(SspiAsyncContext *context);

/**
 * Sets a deadline for the calls that follow on a context. Survives Reinit.
 *
 * It covers waiting for a worker, work and network. A call past it completes with
 * HRESULT_FROM_WIN32(ERROR_TIMEOUT), by the rules of OsspiCancelAsyncCall; deleting and freeing
 * have none.
 *
 * @param context    [in] async context
 * @param timeout_ms milliseconds from the call on; 0 = none of its own, default_timeout_ms counts
 * @retval SEC_E_OK                done
 * @retval SEC_E_INVALID_HANDLE    NULL, freed or foreign context
 * @retval SEC_E_INVALID_PARAMETER a call is pending, or its callback has not begun
 */
OSSPI_API SECURITY_STATUS OsspiSetAsyncTimeout(SspiAsyncContext *context, ULONG timeout_ms);

/* --- The process: options --- */

/** Settings of the process. 0 or NULL in a member means its default. */
typedef struct OsspiOptions {
    ULONG cbSize;                 /* sizeof(OsspiOptions); tells which members exist */
    ULONG workers;                /* threads that compute, up to 256; default: usable CPUs */
    ULONG max_blocking_threads;   /* threads that wait for others, up to 4,096; default 64 */
    ULONG max_blocking_per_class; /* of these, for one realm, host or kind of work; default 16 */
    ULONG queue_bound;            /* calls that may wait, up to 16,777,216; default 65,536 */
    ULONG stack_size;             /* bytes of a thread's stack, 128 KiB to 256 MiB; default 1 MiB */
    ULONG default_timeout_ms;     /* deadline of calls without one, synchronous too; default none */
    const char *trust_file;       /* PEM file of trusted roots; default: SSL_CERT_FILE's rules */
    const char *trust_dir;        /* hashed directory of them; default: SSL_CERT_DIR's rules */
    const char *state_dir;        /* the machine's certificates are in its folder "my" */
} OsspiOptions;

/**
 * Sets options of the process. Must come before the first credential, completion queue and
 * asynchronous call; may be called again until then, and the last one counts.
 *
 * @param options [in] copied, strings included; not needed after the call
 * @retval SEC_E_OK                      set
 * @retval SEC_E_INVALID_PARAMETER       options is NULL, cbSize is none of a known version, or a
 *                                       value is out of its range
 * @retval HRESULT_FROM_WIN32(ERROR_BUSY) the library is in use already; nothing was changed
 * @retval SEC_E_INSUFFICIENT_MEMORY     no memory
 */
OSSPI_API SECURITY_STATUS OsspiConfigure(const OsspiOptions *options);

/* --- The process: statistics --- */

/** What kind of asynchronous call. */
typedef enum OsspiCallKind {
    OsspiCallAcquireCredentials = 0,
    OsspiCallInitializeContext = 1,
    OsspiCallAcceptContext = 2,
    OsspiCallDeleteContext = 3,
    OsspiCallFreeCredentials = 4,
    OsspiCallGetCertificateChain = 5,
    OsspiCallBackground = 6,     /* the library's own: a stapled answer is renewed */
    OsspiCallChangePassword = 7, /* under a default deadline only, as all synchronous calls */
    OsspiCallKindCount = 8       /* room for kinds to come */
} OsspiCallKind;

#define OSSPI_HISTOGRAM_BUCKETS 32

/** Durations: bucket 0 counts those below 1 us, bucket n those from 2^(n-1) us to below 2^n us. */
typedef struct OsspiHistogram {
    uint64_t count; /* sum of all buckets */
    uint64_t bucket[OSSPI_HISTOGRAM_BUCKETS];
} OsspiHistogram;

/**
 * Durations of one kind of call. Every call is counted; while short calls follow one another
 * quickly only one in eight is timed, and the others count as the last one did that was. One that
 * runs for more than two ticks of the kernel's clock, 8 to 20 ms, is always counted as it is.
 */
typedef struct OsspiCallStatistics {
    OsspiHistogram queue_wait; /* from queued to started */
    OsspiHistogram run_time;   /* from started to completed */
} OsspiCallStatistics;

/** Counters since the process (or the forked child) started, and what is there now. */
typedef struct OsspiStatistics {
    ULONG cbSize;   /* [in] sizeof(OsspiStatistics); [out] bytes that were filled in */
    ULONG reserved; /* 0 */
    /* Calls so far. */
    uint64_t calls_queued;    /* accepted */
    uint64_t calls_completed; /* with any status, cancelled and timed out ones included */
    uint64_t calls_refused;   /* not accepted */
    uint64_t calls_cancelled;
    uint64_t calls_timed_out;
    /* Callbacks so far. */
    uint64_t callbacks_run;
    uint64_t callbacks_waited;       /* had to wait, because all spare workers were in callbacks */
    uint64_t spare_workers_released; /* times a worker in a callback was replaced */
    /* Now. */
    uint64_t calls_abandoned_running; /* given up, but a thread is still in them */
    uint64_t callbacks_pending;       /* calls complete, callbacks not begun */
    uint64_t workers;                 /* threads that compute, spare ones included */
    uint64_t blocking_threads;        /* threads of the blocking lane */
    uint64_t queue_depth;             /* calls that wait for a thread */
    uint64_t live_credentials;
    uint64_t live_contexts; /* security contexts */
    uint64_t live_async_contexts;
    uint64_t live_completion_queues;
    /* Indexed by OsspiCallKind. */
    OsspiCallStatistics calls[OsspiCallKindCount];
} OsspiStatistics;

/**
 * Reads the statistics. Each counter is exact; together they are of nearly the same moment.
 *
 * @param ret_statistics [in,out] set cbSize before; a shorter structure is filled as far as it goes
 * @retval SEC_E_OK                done
 * @retval SEC_E_INVALID_PARAMETER ret_statistics is NULL, or cbSize has no room for one counter
 */
OSSPI_API SECURITY_STATUS OsspiGetStatistics(OsspiStatistics *ret_statistics);

/* --- The process: trace --- */

/** What happened to a call. */
typedef enum OsspiTraceEvent {
    OsspiTraceQueued = 0,          /* accepted */
    OsspiTraceStarted = 1,         /* a thread took it */
    OsspiTraceCompleted = 2,       /* its status is final */
    OsspiTraceCallbackStarted = 3, /* its callback is about to run */
    OsspiTraceCallbackReturned =
        4,                   /* its callback came back; call_id may serve another call by now */
    OsspiTraceCancelled = 5, /* ended by OsspiCancelAsyncCall; Completed follows */
    OsspiTraceTimedOut = 6,  /* ended by its deadline; Completed follows */
    OsspiTraceRefused = 7    /* not accepted, though arguments and context were right */
} OsspiTraceEvent;

/** One event. Holds no names, keys or data. */
typedef struct OsspiTraceRecord {
    ULONG cbSize; /* bytes of this structure in the library at hand */
    OsspiTraceEvent event;
    OsspiCallKind kind;
    uint32_t thread_id;     /* gettid() of the thread the event is on */
    uint64_t call_id;       /* the value of the SspiAsyncContext pointer */
    uint64_t time_ns;       /* CLOCK_MONOTONIC */
    SECURITY_STATUS status; /* of Completed, Cancelled, TimedOut: the call status; Refused: why;
                               else SEC_I_ASYNC_CALL_PENDING */
} OsspiTraceRecord;

/**
 * Gets the events. Runs on the threads where they happen, several at a time, and holds them up: it
 * must be quick and must not call this library.
 *
 * @param record [in] valid during the callback only
 * @param data   what was given to OsspiSetTrace
 */
typedef void (*OsspiTraceCallback)(const OsspiTraceRecord *record, void *data);

/**
 * Sets the function that gets the events, or (NULL) none.
 *
 * When it returns, the function that was set before may still be running on another thread for one
 * event. Each setting keeps a few bytes until the process ends.
 *
 * @param callback [in] or NULL
 * @param data     [in] handed to callback
 * @retval SEC_E_OK                  set
 * @retval SEC_E_INSUFFICIENT_MEMORY no memory; the former function stays set
 */
OSSPI_API SECURITY_STATUS OsspiSetTrace(OsspiTraceCallback callback, void *data);

/* --- The process: its end --- */

/**
 * Ends the asynchronous engine in order: takes no more calls, lets the accepted ones finish and
 * their callbacks run, stops the threads. Synchronous calls still work afterwards, and everything
 * can be freed. Blocks; must not be called from a callback.
 *
 * When the time is over it cancels what can be cancelled and waits one second more for what
 * computes and for callbacks. Entries of completion queues that nobody drains count as not done.
 *
 * @param timeout_ms milliseconds to wait; OSSPI_INFINITE = no limit
 * @retval SEC_E_OK                          all is done; also if it was done before or nothing ever
 *                                           ran
 * @retval HRESULT_FROM_WIN32(ERROR_TIMEOUT) not all was done in time: calls were given up, or some
 *                                           call or callback still runs
 * @retval SEC_E_INVALID_PARAMETER           called from a callback
 */
OSSPI_API SECURITY_STATUS OsspiShutdown(ULONG timeout_ms);

/* --- Words --- */

/**
 * Names a status.
 *
 * @param status any status, Win32 errors in an HRESULT included
 * @return "SEC_E_INVALID_TOKEN" and the like, constant; NULL if the library does not know it
 */
OSSPI_API const char *OsspiStatusName(SECURITY_STATUS status);

/**
 * Explains a status in one English sentence.
 *
 * @param status any status
 * @return the sentence, constant, never NULL: an unknown status has a sentence of its own
 */
OSSPI_API const char *OsspiStatusText(SECURITY_STATUS status);

/**
 * Tells more about the last failure on a security context: what the library underneath said, and
 * the verdict on the peer's certificate. For people and logs; holds no secret, and its wording may
 * change.
 *
 * @param context [in] security context, also one whose handshake failed
 * @param buffer  [out] the text, NUL-terminated and cut to fit; "" if there is nothing to tell
 * @param size    bytes at buffer
 * @retval SEC_E_OK                done
 * @retval SEC_E_INVALID_HANDLE    context is not a live security context
 * @retval SEC_E_INVALID_PARAMETER buffer is NULL or size is 0
 * @retval SEC_E_BUFFER_TOO_SMALL  the text was cut
 */
OSSPI_API SECURITY_STATUS OsspiGetErrorDetail(PCtxtHandle context, char *buffer, ULONG size);

OSSPI_EXTERN_C_END

#endif /* OPENSSPI_OPENSSPI_H */
