/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The Windows base types that the SSPI headers are written in, with Windows' sizes.
 *
 * Windows is LLP64: `long` has 32 bits there and 64 here. Every ULONG, DWORD, LONG and
 * SECURITY_STATUS is therefore spelled with a fixed-width type, and WCHAR always has 16 bits. This
 * file declares types only; it includes nothing but C headers and defines no macro that a C++
 * standard header uses.
 */
#ifndef OPENSSPI_OSSPI_TYPES_H
#define OPENSSPI_OSSPI_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "osspi_names.h"

#ifdef __cplusplus
#define OSSPI_EXTERN_C_BEGIN extern "C" {
#define OSSPI_EXTERN_C_END   }
#else
#define OSSPI_EXTERN_C_BEGIN
#define OSSPI_EXTERN_C_END
#endif

/** Marks what the library exports. */
#define OSSPI_API __attribute__((visibility("default")))

/*
 * Calling conventions and linkage words. Linux has one calling convention, so all are empty; they
 * exist for the callers' own declarations. #ifndef: other portability headers define some of them.
 */
#ifndef WINAPI
#define WINAPI
#endif
#ifndef APIENTRY
#define APIENTRY WINAPI
#endif
#ifndef NTAPI
#define NTAPI
#endif
#ifndef CALLBACK
#define CALLBACK
#endif
#ifndef SEC_ENTRY
#define SEC_ENTRY
#endif

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

/** Length given to the last array member of a structure that really ends in a variable part. */
#ifndef ANYSIZE_ARRAY
#define ANYSIZE_ARRAY 1
#endif

OSSPI_EXTERN_C_BEGIN

/* clang-format off */

/* Integers. The comment is the width in bits, which is the whole point of each line. */
typedef void                VOID;
typedef char                CHAR;       /*  8 */
typedef signed char         INT8;       /*  8 */
typedef unsigned char       UCHAR;      /*  8 */
typedef unsigned char       BYTE;       /*  8 */
typedef unsigned char       BOOLEAN;    /*  8 */
typedef int16_t             SHORT;      /* 16 */
typedef uint16_t            USHORT;     /* 16 */
typedef uint16_t            WORD;       /* 16 */
typedef int                 INT;        /* 32 */
typedef unsigned int        UINT;       /* 32 */
typedef int                 BOOL;       /* 32 */
typedef int32_t             LONG;       /* 32 */
typedef uint32_t            ULONG;      /* 32 */
typedef uint32_t            DWORD;      /* 32 */
typedef int32_t             LONG32;     /* 32 */
typedef uint32_t            ULONG32;    /* 32 */
typedef uint32_t            DWORD32;    /* 32 */
typedef long long           LONGLONG;   /* 64 */
typedef unsigned long long  ULONGLONG;  /* 64 */
typedef long long           LONG64;     /* 64 */
typedef unsigned long long  ULONG64;    /* 64 */
typedef unsigned long long  DWORD64;    /* 64 */
typedef unsigned long long  DWORDLONG;  /* 64 */
typedef intptr_t            INT_PTR;    /* as wide as a pointer, and so the next five */
typedef uintptr_t           UINT_PTR;
typedef intptr_t            LONG_PTR;
typedef uintptr_t           ULONG_PTR;
typedef uintptr_t           DWORD_PTR;
typedef size_t              SIZE_T;

/* Status codes: all are signed 32-bit numbers; negative means failure. */
typedef LONG                HRESULT;
typedef LONG                NTSTATUS;
typedef LONG                SECURITY_STATUS;

/*
 * One UTF-16 code unit. With -fshort-wchar it is wchar_t, so that L"..." literals fit; otherwise it
 * is the type of u"..." literals (char16_t in C++, its C twin in C).
 */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t             WCHAR;
#elif defined(__cplusplus)
typedef char16_t            WCHAR;
#else
typedef __CHAR16_TYPE__     WCHAR;
#endif

typedef void               *PVOID;
typedef void               *LPVOID;
typedef const void         *LPCVOID;
typedef const void         *PCVOID;
typedef CHAR               *PCHAR;
typedef UCHAR              *PUCHAR;
typedef BYTE               *PBYTE;
typedef BYTE               *LPBYTE;
typedef BOOLEAN            *PBOOLEAN;
typedef BOOL               *PBOOL;
typedef BOOL               *LPBOOL;
typedef SHORT              *PSHORT;
typedef USHORT             *PUSHORT;
typedef WORD               *PWORD;
typedef WORD               *LPWORD;
typedef INT                *PINT;
typedef UINT               *PUINT;
typedef LONG               *PLONG;
typedef ULONG              *PULONG;
typedef DWORD              *PDWORD;
typedef DWORD              *LPDWORD;
typedef LONG64             *PLONG64;
typedef ULONG64            *PULONG64;
typedef ULONGLONG          *PULONGLONG;
typedef ULONG_PTR          *PULONG_PTR;
typedef SIZE_T             *PSIZE_T;
typedef NTSTATUS           *PNTSTATUS;
typedef SECURITY_STATUS    *PSECURITY_STATUS;

/* Strings: A = bytes in the caller's encoding, W = UTF-16; both end in NUL. */
typedef CHAR               *LPSTR;
typedef CHAR               *PSTR;
typedef const CHAR         *LPCSTR;
typedef const CHAR         *PCSTR;
typedef WCHAR              *PWCHAR;
typedef WCHAR              *LPWSTR;
typedef WCHAR              *PWSTR;
typedef const WCHAR        *LPCWSTR;
typedef const WCHAR        *PCWSTR;
#ifdef UNICODE
typedef WCHAR               TCHAR;
#else
typedef CHAR                TCHAR;
#endif
typedef TCHAR              *LPTSTR;
typedef TCHAR              *PTSTR;
typedef const TCHAR        *LPCTSTR;
typedef const TCHAR        *PCTSTR;

/* Handles of things that only Windows has are opaque pointers; the library never looks into one. */
typedef void               *HANDLE;
typedef HANDLE             *PHANDLE;
typedef HANDLE             *LPHANDLE;
typedef HANDLE              HMODULE;
typedef HANDLE              HINSTANCE;
typedef HANDLE              HWND;
typedef HANDLE              HLOCAL;
typedef void               *PSID;

/* clang-format on */

/** 100 ns intervals since 1601-01-01 UTC, in two halves. */
typedef struct _FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

/** Signed 64-bit number that can be read whole or in halves. */
typedef union _LARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        LONG HighPart;
    };
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

/** Unsigned 64-bit number that can be read whole or in halves. */
typedef union _ULARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

/** Name of a logon session. On Linux: LowPart is a user id and HighPart is 0. */
typedef struct _LUID {
    DWORD LowPart;
    LONG HighPart;
} LUID, *PLUID;

typedef struct _GUID {
    DWORD Data1;
    WORD Data2;
    WORD Data3;
    BYTE Data4[8];
} GUID, *LPGUID;

/** Counted UTF-16 string. Both lengths are in bytes; Buffer need not end in NUL. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

/** Counted byte string. Both lengths are in bytes. */
typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING;

OSSPI_EXTERN_C_END

/** A literal of WCHARs: OSSPI_WTEXT("NTLM"). */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
#define OSSPI_WTEXT_(literal) L##literal
#else
#define OSSPI_WTEXT_(literal) u##literal
#endif
#define OSSPI_WTEXT(literal) OSSPI_WTEXT_(literal)

#endif /* OPENSSPI_OSSPI_TYPES_H */
