/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OPENSSPI_LP64_COMPAT: for sources that declare `unsigned long attrs;` and pass `&attrs`.
 *
 * On Windows an unsigned long has 32 bits, here it has 64, and the library writes 32. With the
 * macro defined before sspi.h is included, a function-like macro of the same name wraps the
 * arguments in question and nothing else. So a call through a table member, which the macro meets
 * too, works the same way, and taking the address of a function (no parenthesis follows) is not
 * touched.
 *
 * A wrapped argument may be `unsigned long *` (all its bytes are cleared at the call, the library
 * gets the half that holds the low bits), `ULONG *`, or a null pointer in any spelling. It is
 * evaluated once. To define a function of such a name, or a member function in C++, put the name in
 * parentheses or #undef it. Included by sspi.h, last.
 */
#ifndef OPENSSPI_OSSPI_SSPI_LP64_H
#define OPENSSPI_OSSPI_SSPI_LP64_H

#include "osspi_types.h"

/* Where the low 32 bits of an unsigned long are, counted in ULONGs. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define OSSPI_LP64_LOW_HALF (sizeof(unsigned long) / sizeof(ULONG) - 1)
#else
#define OSSPI_LP64_LOW_HALF 0
#endif

/** Clears a caller's unsigned long and gives the half that the library is to write. */
static __inline__ __attribute__((__unused__)) ULONG *osspi_lp64_from_long(unsigned long *value)
{
    if (value == NULL)
        return NULL;
    *value = 0;
    return (ULONG *)(void *)value + OSSPI_LP64_LOW_HALF;
}

/** What has the right type already, and null pointers. */
static __inline__ __attribute__((__unused__)) ULONG *osspi_lp64_as_is(ULONG *value)
{
    return value;
}

#ifdef __cplusplus

/*
 * By type, not by overload: NULL, 0 and nullptr have types of their own, and an overload set would
 * be ambiguous for them. The primary template takes whatever converts to ULONG *.
 */
template <class T> struct osspi_lp64_out {
    static ULONG *get(ULONG *value)
    {
        return osspi_lp64_as_is(value);
    }
};
template <> struct osspi_lp64_out<unsigned long *> {
    static ULONG *get(unsigned long *value)
    {
        return osspi_lp64_from_long(value);
    }
};
template <class T> struct osspi_lp64_out<T &> : osspi_lp64_out<T> {
};
template <class T> struct osspi_lp64_out<T &&> : osspi_lp64_out<T> {
};
template <class T> struct osspi_lp64_out<const T> : osspi_lp64_out<T> {
};
template <class T, decltype(sizeof(0)) N> struct osspi_lp64_out<T[N]> : osspi_lp64_out<T *> {
};
#define OSSPI_LP64_OUT(value) (osspi_lp64_out<decltype(value)>::get(value))

#else

/* An untyped or wrong pointer goes to the plain function and gets the compiler's usual answer. */
#define OSSPI_LP64_OUT(value) \
    (_Generic((value), unsigned long * : osspi_lp64_from_long, default : osspi_lp64_as_is)(value))

#endif

/* clang-format off */
#define InitializeSecurityContextW(cred, ctx, name, req, r1, rep, in, r2, newctx, out, attr, \
            expiry) \
    InitializeSecurityContextW(cred, ctx, name, req, r1, rep, in, r2, newctx, out, \
        OSSPI_LP64_OUT(attr), expiry)
#define InitializeSecurityContextA(cred, ctx, name, req, r1, rep, in, r2, newctx, out, attr, \
            expiry) \
    InitializeSecurityContextA(cred, ctx, name, req, r1, rep, in, r2, newctx, out, \
        OSSPI_LP64_OUT(attr), expiry)
#define AcceptSecurityContext(cred, ctx, in, req, rep, newctx, out, attr, expiry) \
    AcceptSecurityContext(cred, ctx, in, req, rep, newctx, out, OSSPI_LP64_OUT(attr), expiry)
#define VerifySignature(ctx, msg, seq, qop) \
    VerifySignature(ctx, msg, seq, OSSPI_LP64_OUT(qop))
#define DecryptMessage(ctx, msg, seq, qop) \
    DecryptMessage(ctx, msg, seq, OSSPI_LP64_OUT(qop))
#define EnumerateSecurityPackagesW(count, info) \
    EnumerateSecurityPackagesW(OSSPI_LP64_OUT(count), info)
#define EnumerateSecurityPackagesA(count, info) \
    EnumerateSecurityPackagesA(OSSPI_LP64_OUT(count), info)

/* Asynchronous: the value arrives at completion, so the upper half is cleared at the call. */
#define SspiInitializeSecurityContextAsyncW(async, cred, ctx, name, req, r1, rep, in, r2, \
            newctx, out, attr, expiry) \
    SspiInitializeSecurityContextAsyncW(async, cred, ctx, name, req, r1, rep, in, r2, newctx, \
        out, OSSPI_LP64_OUT(attr), expiry)
#define SspiInitializeSecurityContextAsyncA(async, cred, ctx, name, req, r1, rep, in, r2, \
            newctx, out, attr, expiry) \
    SspiInitializeSecurityContextAsyncA(async, cred, ctx, name, req, r1, rep, in, r2, newctx, \
        out, OSSPI_LP64_OUT(attr), expiry)
#define SspiAcceptSecurityContextAsync(async, cred, ctx, in, req, rep, newctx, out, attr, \
            expiry) \
    SspiAcceptSecurityContextAsync(async, cred, ctx, in, req, rep, newctx, out, \
        OSSPI_LP64_OUT(attr), expiry)

/* Identities. */
#define SspiMarshalAuthIdentity(id, len, bytes) \
    SspiMarshalAuthIdentity(id, OSSPI_LP64_OUT(len), bytes)
#define SspiPrepareForCredRead(id, target, type, name) \
    SspiPrepareForCredRead(id, target, OSSPI_LP64_OUT(type), name)
#define SspiPrepareForCredWrite(id, target, type, name, user, blob, size) \
    SspiPrepareForCredWrite(id, target, OSSPI_LP64_OUT(type), name, user, blob, \
        OSSPI_LP64_OUT(size))

/* SASL. */
#if defined(SECURITY_WIN32) && ISSP_MODE != 0
#define SaslEnumerateProfilesW(list, count) \
    SaslEnumerateProfilesW(list, OSSPI_LP64_OUT(count))
#define SaslEnumerateProfilesA(list, count) \
    SaslEnumerateProfilesA(list, OSSPI_LP64_OUT(count))
#define SaslInitializeSecurityContextW(cred, ctx, name, req, r1, rep, in, r2, newctx, out, attr, \
            expiry) \
    SaslInitializeSecurityContextW(cred, ctx, name, req, r1, rep, in, r2, newctx, out, \
        OSSPI_LP64_OUT(attr), expiry)
#define SaslInitializeSecurityContextA(cred, ctx, name, req, r1, rep, in, r2, newctx, out, attr, \
            expiry) \
    SaslInitializeSecurityContextA(cred, ctx, name, req, r1, rep, in, r2, newctx, out, \
        OSSPI_LP64_OUT(attr), expiry)
#define SaslAcceptSecurityContext(cred, ctx, in, req, rep, newctx, out, attr, expiry) \
    SaslAcceptSecurityContext(cred, ctx, in, req, rep, newctx, out, OSSPI_LP64_OUT(attr), \
        expiry)
#define SaslGetContextOption(ctx, option, value, size, needed) \
    SaslGetContextOption(ctx, option, value, size, OSSPI_LP64_OUT(needed))
#endif

/* Kernel mode. */
#if ISSP_MODE == 0
#define SecMakeSPN(cls, svc, inst, port, ref, spn, len, alloc) \
    SecMakeSPN(cls, svc, inst, port, ref, spn, OSSPI_LP64_OUT(len), alloc)
#define SecMakeSPNEx(cls, svc, inst, port, ref, info, spn, len, alloc) \
    SecMakeSPNEx(cls, svc, inst, port, ref, info, spn, OSSPI_LP64_OUT(len), alloc)
#define SecMakeSPNEx2(cls, svc, inst, port, ref, info, spn, size, alloc, packed) \
    SecMakeSPNEx2(cls, svc, inst, port, ref, info, spn, OSSPI_LP64_OUT(size), alloc, packed)
#define SecLookupAccountSid(sid, nsize, name, dsize, domain, use) \
    SecLookupAccountSid(sid, OSSPI_LP64_OUT(nsize), name, OSSPI_LP64_OUT(dsize), domain, use)
#define SecLookupAccountName(name, ssize, sid, use, dsize, domain) \
    SecLookupAccountName(name, OSSPI_LP64_OUT(ssize), sid, use, OSSPI_LP64_OUT(dsize), domain)
#define SecLookupWellKnownSid(type, sid, cb, size) \
    SecLookupWellKnownSid(type, sid, cb, OSSPI_LP64_OUT(size))
#endif

/* clang-format on */

#endif /* OPENSSPI_OSSPI_SSPI_LP64_H */
