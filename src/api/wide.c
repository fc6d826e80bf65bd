/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * wcslen, wcscmp and _wcsdup over 16-bit units. Programs built with -fshort-wchar are bound to them
 * by compat/windows.h, since the C library's own work on 32-bit wchar_t.
 */
#include <sspi.h>

#include "base/memory.h"
#include "base/utf.h"

OSSPI_API size_t osspi_wcslen(const WCHAR *text);
OSSPI_API int osspi_wcscmp(const WCHAR *a, const WCHAR *b);
OSSPI_API WCHAR *osspi_wcsdup(const WCHAR *text);

size_t osspi_wcslen(const WCHAR *text)
{
    return osspi_utf16_len((const uint16_t *)text);
}

int osspi_wcscmp(const WCHAR *a, const WCHAR *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (*a > *b) - (*a < *b);
}

/* The caller frees it with free(), as osspi_free() does. */
WCHAR *osspi_wcsdup(const WCHAR *text)
{
    return text ? osspi_memdup(text, (osspi_wcslen(text) + 1) * sizeof(WCHAR)) : NULL;
}
