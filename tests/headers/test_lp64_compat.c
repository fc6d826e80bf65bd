/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OPENSSPI_LP64_COMPAT: sources that pass `unsigned long *` get the right value in all 64 bits;
 * calls through tables, the address of a function, and null pointers in every spelling work.
 *
 * Stand-alone: the functions are defined here, each writes 0xA1B2C3D4 through its out pointer, if
 * any. Compiled as C and as C++, with and without UNICODE, for the generic names.
 */
#ifndef OPENSSPI_LP64_COMPAT
#define OPENSSPI_LP64_COMPAT
#endif
#define SECURITY_WIN32
#include <security.h>

#include <stdio.h>
#include <string.h>

#define ANSWER  0xA1B2C3D4u
#define GARBAGE 0x5555555555555555ul

static int calls, failures;

static void expect(int condition, const char *what, int line)
{
    if (!condition) {
        fprintf(stderr, "line %d: %s\n", line, what);
        failures++;
    }
}
#define EXPECT_TRUE(condition) expect((condition) != 0, #condition, __LINE__)

static SECURITY_STATUS answer(ULONG *ret_value)
{
    calls++;
    if (ret_value != NULL)
        *ret_value = ANSWER;
    return SEC_E_OK;
}

/*
 * The library's side. The names are in parentheses, so that the function-like macros leave them
 * alone; a program that defines such functions has to do the same.
 */
#define UNUSED(a) ((void)(a))
SECURITY_STATUS(InitializeSecurityContextA)
(PCredHandle a, PCtxtHandle b, SEC_CHAR *c, ULONG d, ULONG e, ULONG f, PSecBufferDesc g, ULONG h,
 PCtxtHandle i, PSecBufferDesc j, ULONG *attr, PTimeStamp k)
{
    UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    UNUSED(i), UNUSED(j), UNUSED(k);
    return answer(attr);
}

SECURITY_STATUS(InitializeSecurityContextW)
(PCredHandle a, PCtxtHandle b, SEC_WCHAR *c, ULONG d, ULONG e, ULONG f, PSecBufferDesc g, ULONG h,
 PCtxtHandle i, PSecBufferDesc j, ULONG *attr, PTimeStamp k)
{
    UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    UNUSED(i), UNUSED(j), UNUSED(k);
    return answer(attr);
}

SECURITY_STATUS(AcceptSecurityContext)
(PCredHandle a, PCtxtHandle b, PSecBufferDesc c, ULONG d, ULONG e, PCtxtHandle f, PSecBufferDesc g,
 ULONG *attr, PTimeStamp h)
{
    UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    return answer(attr);
}

SECURITY_STATUS(DecryptMessage)(PCtxtHandle a, PSecBufferDesc b, ULONG c, ULONG *qop)
{
    UNUSED(a), UNUSED(b), UNUSED(c);
    return answer(qop);
}

SECURITY_STATUS(VerifySignature)(PCtxtHandle a, PSecBufferDesc b, ULONG c, ULONG *qop)
{
    UNUSED(a), UNUSED(b), UNUSED(c);
    return answer(qop);
}

SECURITY_STATUS(EnumerateSecurityPackagesA)(ULONG *count, PSecPkgInfoA *a)
{
    UNUSED(a);
    return answer(count);
}

SECURITY_STATUS(SaslGetContextOption)(PCtxtHandle a, ULONG b, PVOID c, ULONG d, PULONG needed)
{
    UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(d);
    return answer(needed);
}

/* The asynchronous one keeps the pointer and answers when it is told to. */
static ULONG *pending;
SECURITY_STATUS(SspiAcceptSecurityContextAsync)
(SspiAsyncContext *x, PCredHandle a, PCtxtHandle b, PSecBufferDesc c, ULONG d, ULONG e,
 PCtxtHandle f, PSecBufferDesc g, ULONG *attr, PTimeStamp h)
{
    UNUSED(x), UNUSED(a), UNUSED(b), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g);
    UNUSED(h);
    pending = attr;
    return SEC_E_OK;
}

static void direct_calls(void)
{
    unsigned long attrs = GARBAGE, array[1] = {GARBAGE}, *pointer = &attrs;
    ULONG exact = 0;
    DWORD also_exact = 0;

    InitializeSecurityContextA(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    attrs = GARBAGE;
    InitializeSecurityContextW(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, pointer, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    attrs = GARBAGE;
    InitializeSecurityContext(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    AcceptSecurityContext(NULL, NULL, NULL, 0, 0, NULL, NULL, array, NULL);
    EXPECT_TRUE(array[0] == ANSWER);
    DecryptMessage(NULL, NULL, 0, &exact);
    EXPECT_TRUE(exact == ANSWER);
    VerifySignature(NULL, NULL, 0, &also_exact);
    EXPECT_TRUE(also_exact == ANSWER);
    attrs = GARBAGE;
    EnumerateSecurityPackagesA(&attrs, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    attrs = GARBAGE;
    SaslGetContextOption(NULL, 0, NULL, 0, &attrs);
    EXPECT_TRUE(attrs == ANSWER);
}

/* An argument with a side effect is evaluated once. */
static void side_effects(void)
{
    unsigned long values[3] = {GARBAGE, GARBAGE, GARBAGE}, *next = values;

    DecryptMessage(NULL, NULL, 0, next++);
    EXPECT_TRUE(next == values + 1);
    EXPECT_TRUE(values[0] == ANSWER && values[1] == GARBAGE);
    *next++ = 7, VerifySignature(NULL, NULL, 0, next);
    EXPECT_TRUE(values[1] == 7 && values[2] == ANSWER);
}

static void null_pointers(void)
{
    unsigned long *none = NULL;
    int before = calls;

    DecryptMessage(NULL, NULL, 0, NULL);
    DecryptMessage(NULL, NULL, 0, 0);
    DecryptMessage(NULL, NULL, 0, none);
    DecryptMessage(NULL, NULL, 0, (ULONG *)NULL);
#ifdef __cplusplus
    DecryptMessage(nullptr, nullptr, 0, nullptr);
    EXPECT_TRUE(calls == before + 5);
#else
    DecryptMessage(NULL, NULL, 0, ((void *)0));
    EXPECT_TRUE(calls == before + 5);
#endif
}

static void table_calls(void)
{
    SecurityFunctionTableA table_a;
    SecurityFunctionTableW table_w;
    PSecurityFunctionTableA a = &table_a;
    PSecurityFunctionTableW w = &table_w;
    unsigned long attrs = GARBAGE;
    ULONG exact = 0;

    memset(&table_a, 0, sizeof(table_a));
    memset(&table_w, 0, sizeof(table_w));
    table_a.InitializeSecurityContextA = InitializeSecurityContextA;
    table_a.DecryptMessage = &DecryptMessage;
    table_w.InitializeSecurityContextW = InitializeSecurityContextW;
    table_w.AcceptSecurityContext = AcceptSecurityContext;

    a->InitializeSecurityContextA(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    attrs = GARBAGE;
    (*a).DecryptMessage(NULL, NULL, 0, &attrs);
    EXPECT_TRUE(attrs == ANSWER);
    attrs = GARBAGE;
    w->InitializeSecurityContextW(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
    EXPECT_TRUE(attrs == ANSWER);
    w->AcceptSecurityContext(NULL, NULL, NULL, 0, 0, NULL, NULL, &exact, NULL);
    EXPECT_TRUE(exact == ANSWER);
    w->AcceptSecurityContext(NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL);
#ifdef UNICODE
    attrs = GARBAGE;
    w->InitializeSecurityContext(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
#else
    attrs = GARBAGE;
    a->InitializeSecurityContext(NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, &attrs, NULL);
#endif
    EXPECT_TRUE(attrs == ANSWER);
}

static void addresses(void)
{
    DECRYPT_MESSAGE_FN plain = DecryptMessage, addressed = &DecryptMessage;
    ACCEPT_SECURITY_CONTEXT_FN list[] = {AcceptSecurityContext};
    ULONG exact = 0;

    EXPECT_TRUE(plain == addressed);
    plain(NULL, NULL, 0, &exact);
    EXPECT_TRUE(exact == ANSWER);
    EXPECT_TRUE(list[0] == &AcceptSecurityContext);
}

static void asynchronous(void)
{
    unsigned long attrs = GARBAGE;

    SspiAcceptSecurityContextAsync(NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, &attrs, NULL);
    EXPECT_TRUE(attrs == 0);
    answer(pending);
    EXPECT_TRUE(*(volatile unsigned long *)&attrs == ANSWER);
}

int main(void)
{
    direct_calls();
    side_effects();
    null_pointers();
    table_calls();
    addresses();
    asynchronous();
    return failures != 0;
}
