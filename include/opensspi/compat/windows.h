/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Enough of windows.h for source files that include it to get at SSPI: base types, status codes,
 * source annotations, the memory macros, and 16-bit string functions.
 *
 * It lives in a folder of its own (pkg-config opensspi-compat), because a windows.h on everybody's
 * path would turn __has_include(<windows.h>) checks into Win32 builds. It declares no function that
 * the library lacks, and it neither defines _WIN32 nor wants it. As on Windows, wincrypt.h comes
 * along unless WIN32_LEAN_AND_MEAN or NOCRYPT is defined.
 */
#ifndef OPENSSPI_COMPAT_WINDOWS_H
#define OPENSSPI_COMPAT_WINDOWS_H

#include <stddef.h>
#include <string.h>
#include <wchar.h>

#include "../osspi_status.h"
#include "../osspi_types.h"
#if !defined(WIN32_LEAN_AND_MEAN) && !defined(NOCRYPT)
#include "../wincrypt.h"
#endif
#include "osspi_sal.h"

/* --- Words of the base headers --- */

#ifndef CONST
#define CONST const
#endif
#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif
#ifndef FORCEINLINE
#define FORCEINLINE static __inline__ __attribute__((__always_inline__))
#endif
#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(p) ((void)(p))
#endif
#ifndef ARRAYSIZE
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif
#ifndef MAX_PATH
#define MAX_PATH 260
#endif
#ifndef INFINITE
#define INFINITE 0xFFFFFFFFu
#endif
#ifndef INVALID_HANDLE_VALUE
#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)
#endif
#ifndef FIELD_OFFSET
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#endif
#ifndef CONTAINING_RECORD
#define CONTAINING_RECORD(address, type, field) \
    ((type *)(void *)((char *)(address)-offsetof(type, field)))
#endif

/** TEXT("literal") of TCHARs. */
#ifndef TEXT
#ifdef UNICODE
#define TEXT(literal) OSSPI_WTEXT(literal)
#else
#define TEXT(literal) literal
#endif
#endif

/* clang-format off */
#ifndef LOWORD
#define LOWORD(value) ((WORD)((DWORD_PTR)(value) & 0xFFFF))
#define HIWORD(value) ((WORD)(((DWORD_PTR)(value) >> 16) & 0xFFFF))
#define LOBYTE(value) ((BYTE)((DWORD_PTR)(value) & 0xFF))
#define HIBYTE(value) ((BYTE)(((DWORD_PTR)(value) >> 8) & 0xFF))
#define MAKEWORD(low, high) ((WORD)(((BYTE)(low)) | ((WORD)((BYTE)(high))) << 8))
#define MAKELONG(low, high) ((LONG)(((WORD)(low)) | ((DWORD)((WORD)(high))) << 16))
#endif

/* --- Memory --- */
#ifndef ZeroMemory
#define ZeroMemory(destination, length)           memset((destination), 0, (length))
#define FillMemory(destination, length, fill)     memset((destination), (fill), (length))
#define CopyMemory(destination, source, length)   memcpy((destination), (source), (length))
#define MoveMemory(destination, source, length)   memmove((destination), (source), (length))
#define RtlZeroMemory(destination, length)        memset((destination), 0, (length))
#define RtlFillMemory(destination, length, fill)  memset((destination), (fill), (length))
#define RtlCopyMemory(destination, source, length) memcpy((destination), (source), (length))
#define RtlMoveMemory(destination, source, length) memmove((destination), (source), (length))
#define RtlEqualMemory(one, other, length)        (!memcmp((one), (other), (length)))
#endif
/* clang-format on */

/** Wipes memory; unlike ZeroMemory the compiler may not leave it out, whatever follows. */
#ifndef SecureZeroMemory
static __inline__ __attribute__((__unused__)) PVOID osspi_secure_zero_memory(PVOID pointer,
                                                                             SIZE_T length)
{
    memset(pointer, 0, length);
    __asm__ __volatile__("" : : "r"(pointer) : "memory");
    return pointer;
}
#define SecureZeroMemory    osspi_secure_zero_memory
#define RtlSecureZeroMemory osspi_secure_zero_memory
#endif

/* --- 16-bit wide strings (-fshort-wchar) --- */

/*
 * With -fshort-wchar a wchar_t has 16 bits, but the C library's wide functions still count in 32.
 * So the three that callers of SSPI use are bound to the library's own by assembler name. A macro
 * would break C++ headers; this works before and after <wchar.h> and <string>.
 *
 * Clang refuses an assembler name on a function that was used already, as <string> does in C++ (and
 * its pragma for the purpose fails with -g). There they are inline functions that pass the call on.
 */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
OSSPI_EXTERN_C_BEGIN
#if defined(__clang__) && defined(__cplusplus)
#define OSSPI_WCS_INLINE extern __inline__ __attribute__((__always_inline__, __gnu_inline__))
OSSPI_API size_t osspi_wcslen(const wchar_t *s) noexcept(true);
OSSPI_API int osspi_wcscmp(const wchar_t *a, const wchar_t *b) noexcept(true);
OSSPI_WCS_INLINE size_t wcslen(const wchar_t *s) noexcept(true)
{
    return osspi_wcslen(s);
}
OSSPI_WCS_INLINE int wcscmp(const wchar_t *a, const wchar_t *b) noexcept(true)
{
    return osspi_wcscmp(a, b);
}
#elif defined(__cplusplus)
extern size_t wcslen(const wchar_t *s) noexcept(true) __asm__("osspi_wcslen");
extern int wcscmp(const wchar_t *a, const wchar_t *b) noexcept(true) __asm__("osspi_wcscmp");
#else
extern size_t wcslen(const wchar_t *s) __asm__("osspi_wcslen");
extern int wcscmp(const wchar_t *a, const wchar_t *b) __asm__("osspi_wcscmp");
#endif
/** Allocated with malloc; NULL if there is no memory. */
OSSPI_API wchar_t *_wcsdup(const wchar_t *s) __asm__("osspi_wcsdup");
OSSPI_EXTERN_C_END
#endif

/* --- Last error (also in wincrypt.h) --- */

OSSPI_EXTERN_C_BEGIN
OSSPI_API DWORD WINAPI GetLastError(void) __asm__("osspi_GetLastError");
OSSPI_API VOID WINAPI SetLastError(DWORD dwErrCode) __asm__("osspi_SetLastError");
OSSPI_EXTERN_C_END

#endif /* OPENSSPI_COMPAT_WINDOWS_H */
