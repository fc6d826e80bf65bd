/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SSPI: packages, credentials, security contexts, protected messages, and the asynchronous calls.
 *
 * Names, argument order, types and values are Windows'. Build modes, as there:
 *   nothing or SECURITY_WIN32  user mode. A strings are UTF-8, W strings NUL-terminated UTF-16.
 *   SECURITY_KERNEL            the W functions take counted strings (PSECURITY_STRING) instead.
 *
 * In kernel mode the same C names are bound to other symbols (osspi_kernel_...), so that one
 * program may hold translation units of both modes. Two differences from Windows: the asynchronous
 * functions are declared in every mode; and `unsigned long` has 64 bits while ULONG has 32, for
 * which there is OPENSSPI_LP64_COMPAT (osspi_sspi_lp64.h).
 *
 * All functions may be called from any thread. Calls on one security context are put in order by
 * the library; a call that seals and one that opens run at the same time.
 */
#ifndef OPENSSPI_SSPI_H
#define OPENSSPI_SSPI_H

#include "osspi_status.h"
#include "osspi_types.h"

/* SECURITY_KERNEL wins over SECURITY_WIN32, as on Windows. */
#define ISSP_LEVEL 32
#ifdef ISSP_MODE
#undef ISSP_MODE
#endif
#ifdef SECURITY_KERNEL
#define ISSP_MODE 0
#else
#define ISSP_MODE 1
#endif

#include "osspi_sspi_flags.h"

OSSPI_EXTERN_C_BEGIN

/* --- Strings, handles, time --- */

typedef WCHAR SEC_WCHAR;
typedef CHAR SEC_CHAR;
typedef UNICODE_STRING SECURITY_STRING, *PSECURITY_STRING;

/** The string argument of a W function: counted in kernel mode, NUL-terminated otherwise. */
#if ISSP_MODE == 0
#define PSSPI_SEC_STRING        PSECURITY_STRING
#define OSSPI_MODE_SYMBOL(name) __asm__("osspi_kernel_" #name)
#else
#define PSSPI_SEC_STRING        SEC_WCHAR *
#define OSSPI_MODE_SYMBOL(name) __asm__("osspi_" #name) /* see osspi_names.h */
#endif

#ifdef UNICODE
typedef SEC_WCHAR *SECURITY_PSTR;
typedef const SEC_WCHAR *SECURITY_PCSTR;
#define SEC_TEXT(literal) OSSPI_WTEXT(literal)
#else
typedef SEC_CHAR *SECURITY_PSTR;
typedef const SEC_CHAR *SECURITY_PCSTR;
#define SEC_TEXT(literal) literal
#endif
#define SEC_FAR

#ifndef __SECSTATUS_DEFINED__
typedef SECURITY_STATUS *LPSECURITY_STATUS;
#define __SECSTATUS_DEFINED__
#endif

/** FILETIME's format in LARGE_INTEGER's clothes; packages give local time, as on Windows. */
typedef LARGE_INTEGER _SECURITY_INTEGER, SECURITY_INTEGER, *PSECURITY_INTEGER;
typedef SECURITY_INTEGER TimeStamp;
typedef SECURITY_INTEGER *PTimeStamp;

/** A credential or a security context. Both words are opaque; all-ones in either one means "none".
 */
typedef struct _SecHandle {
    ULONG_PTR dwLower;
    ULONG_PTR dwUpper;
} SecHandle, *PSecHandle;

typedef SecHandle CredHandle;
typedef PSecHandle PCredHandle;
typedef SecHandle CtxtHandle;
typedef PSecHandle PCtxtHandle;

#define SecInvalidateHandle(handle) \
    do { \
        ((PSecHandle)(handle))->dwLower = (ULONG_PTR)-1; \
        ((PSecHandle)(handle))->dwUpper = (ULONG_PTR)-1; \
    } while (0)

#define SecIsValidHandle(handle) \
    (((PSecHandle)(handle))->dwLower != (ULONG_PTR)-1 && \
     ((PSecHandle)(handle))->dwUpper != (ULONG_PTR)-1)

/* --- Buffers --- */

/** One buffer. The library may rewrite all three fields, so set them again before each call. */
typedef struct _SecBuffer {
    ULONG cbBuffer;   /* bytes at pvBuffer */
    ULONG BufferType; /* SECBUFFER_..., with attribute bits in the top nibble */
    void *pvBuffer;
} SecBuffer, *PSecBuffer;

/** An array of buffers. Buffers are found by type; a function says where order matters. */
typedef struct _SecBufferDesc {
    ULONG ulVersion; /* SECBUFFER_VERSION */
    ULONG cBuffers;
    PSecBuffer pBuffers;
} SecBufferDesc, *PSecBufferDesc;

/* --- Packages --- */

/** What a package is and can do. */
typedef struct _SecPkgInfoA {
    ULONG fCapabilities; /* SECPKG_FLAG_... */
    USHORT wVersion;     /* 1 */
    USHORT wRPCID;       /* SECPKG_ID_NONE if it has none */
    ULONG cbMaxToken;    /* bytes of the largest token it makes */
    SEC_CHAR *Name;
    SEC_CHAR *Comment;
} SecPkgInfoA, *PSecPkgInfoA;
typedef struct _SecPkgInfoW {
    ULONG fCapabilities;
    USHORT wVersion;
    USHORT wRPCID;
    ULONG cbMaxToken;
    SEC_WCHAR *Name;
    SEC_WCHAR *Comment;
} SecPkgInfoW, *PSecPkgInfoW;

typedef struct _SECURITY_PACKAGE_OPTIONS {
    ULONG Size;
    ULONG Type;
    ULONG Flags;
    ULONG SignatureSize;
    void *Signature;
} SECURITY_PACKAGE_OPTIONS, *PSECURITY_PACKAGE_OPTIONS;

typedef enum _SecDelegationType {
    SecFull,
    SecService,
    SecTree,
    SecDirectory,
    SecObject
} SecDelegationType,
    *PSecDelegationType;

/**
 * Gives a package the key of a server principal.
 *
 * @param Arg       pvGetKeyArgument of the call that named this function
 * @param Principal name of the server principal
 * @param KeyVer    version of the key, 0 = the newest
 * @param Key       [out] the key; the library copies it during the callback
 * @param Status    [out] anything but SEC_E_OK fails the request
 */
typedef void(SEC_ENTRY *SEC_GET_KEY_FN)(void *Arg, void *Principal, ULONG KeyVer, void **Key,
                                        SECURITY_STATUS *Status);

OSSPI_EXTERN_C_END

#include "osspi_sspi_attributes.h"
#include "osspi_sspi_functions.h"
#include "osspi_sspi_async.h"
#include "osspi_sspi_table.h"
#include "osspi_sspi_identity.h"
/* Last: it puts function-like macros on names that are declared above. */
#ifdef OPENSSPI_LP64_COMPAT
#include "osspi_sspi_lp64.h"
#endif

#endif /* OPENSSPI_SSPI_H */
