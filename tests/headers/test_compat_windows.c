/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * compat/: a source file in the Windows manner compiles unchanged: header spellings, annotations,
 * memory macros, and with -fshort-wchar L"..." literals and the 16-bit string functions. Compiled
 * as C and as C++, with windows.h before and (WINDOWS_H_LAST) after the language's own headers.
 */
#define SECURITY_WIN32
#ifndef WINDOWS_H_LAST
#include <Windows.h>
#endif
#ifdef __cplusplus
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#ifdef WINDOWS_H_LAST
#include <windows.h>
#endif
#include <NTSecAPI.h>
#include <SChannel.h>
#include <Schannel.h>
#include <Security.h>
#include <SubAuth.h>
#include <WinError.h>
#include <Wincrypt.h>
#include <ntsecapi.h>
#include <ntstatus.h>
#include <schnlsp.h>
#include <secext.h>
#include <security.h>
#include <sspi.h>
#include <subauth.h>
#include <wincrypt.h>
#include <winerror.h>

#include "expect.h"

#ifdef _WIN32
#error "the compatibility headers must not pretend to be Windows"
#endif

static int failures;
#define EXPECT_TRUE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            failures++; \
        } \
    } while (0)

/* Annotated as Windows sources are. */
_Must_inspect_result_ _Success_(return == 0) static SECURITY_STATUS WINAPI
    annotated(_In_ ULONG value, _In_opt_z_ PCSTR text, _Out_opt_ ULONG *out,
              _Inout_updates_bytes_(size) BYTE *bytes, _In_ SIZE_T size,
              _Outptr_result_maybenull_ PVOID *pointer)
{
    UNREFERENCED_PARAMETER(text);
    if (out != NULL)
        *out = value;
    FillMemory(bytes, size, 0xAA);
    *pointer = NULL;
    return SEC_E_OK;
}

static VOID CALLBACK notify(_Inout_ SspiAsyncContext *context, _In_opt_ PVOID data)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(data);
}

static void macros(void)
{
    BYTE bytes[16], copy[16];
    ULONG out = 0;
    PVOID pointer = bytes;
    SspiAsyncNotifyCallback callback = notify;
    size_t i;

    EXPECT_TRUE(annotated(7, NULL, &out, bytes, sizeof(bytes), &pointer) == SEC_E_OK);
    EXPECT_TRUE(out == 7 && pointer == NULL && bytes[15] == 0xAA && callback != NULL);
    CopyMemory(copy, bytes, sizeof(bytes));
    EXPECT_TRUE(RtlEqualMemory(copy, bytes, sizeof(bytes)));
    ZeroMemory(copy, sizeof(copy));
    EXPECT_TRUE(copy[0] == 0);
    SecureZeroMemory(bytes, sizeof(bytes));
    for (i = 0; i < ARRAYSIZE(bytes); i++)
        EXPECT_TRUE(bytes[i] == 0);
    EXPECT_TRUE(LOWORD(0x12345678) == 0x5678 && HIWORD(0x12345678) == 0x1234);
    EXPECT_TRUE(MAKELONG(0x5678, 0x1234) == 0x12345678);
    EXPECT_TRUE(sizeof(TEXT("ab")) == 3 * sizeof(TCHAR));
    EXPECT_TRUE(INVALID_HANDLE_VALUE == (HANDLE)(LONG_PTR)-1);
    EXPECT_TRUE(FAILED(E_INVALIDARG) && ERROR_SUCCESS == 0 && STATUS_LOGON_FAILURE < 0);
    EXPECT_TRUE(sizeof(DOMAIN_PASSWORD_INFORMATION) == 24);
}

#if __SIZEOF_WCHAR_T__ == 2
static void wide_strings(void)
{
    const WCHAR *literal = L"sixteen";
    WCHAR *copy = _wcsdup(UNISP_NAME_W);

    EXPECT(sizeof(L"ab") == 6, "-fshort-wchar");
    EXPECT_TRUE(wcslen(literal) == 7);
    EXPECT_TRUE(wcscmp(literal, L"sixteen") == 0);
    EXPECT_TRUE(wcscmp(literal, L"sixty") < 0 && wcscmp(L"sixty", literal) > 0);
    EXPECT_TRUE(copy != NULL && wcscmp(copy, UNISP_NAME_W) == 0);
    free(copy);
#ifdef __cplusplus
    EXPECT_TRUE(std::wcslen(literal) == 7);
    EXPECT_TRUE(std::char_traits<wchar_t>::length(literal) == 7);
    /* No std::wstring: the C++ library's own copy of it is made for 32 bits. */
#endif
}
#else
static void wide_strings(void)
{
    const WCHAR *literal = UNISP_NAME_W;

    EXPECT(sizeof(wchar_t) == 4 && sizeof(WCHAR) == 2, "wchar_t is left alone");
    EXPECT_TRUE(wcslen(L"four bytes each") == 15);
    EXPECT_TRUE(literal[0] == 'M');
}
#endif

int main(void)
{
#ifdef __cplusplus
    /* The language's own headers still work. */
    std::map<std::string, std::vector<int>> map{{"a", {3, 1, 2}}};
    std::sort(map["a"].begin(), map["a"].end());
    std::unique_ptr<int> one(new int(1));
    std::function<int(int)> twice = [](int x) { return 2 * x; };
    EXPECT_TRUE(map["a"][0] == *one && twice(1) == 2 && (std::min)(1, 2) == 1);
#endif
    macros();
    wide_strings();
    return failures != 0;
}
