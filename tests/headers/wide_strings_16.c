/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* The library's side of compat/windows.h's 16-bit string functions, for tests that do not link it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t osspi_wcslen(const uint16_t *s);
int osspi_wcscmp(const uint16_t *a, const uint16_t *b);
uint16_t *osspi_wcsdup(const uint16_t *s);

size_t osspi_wcslen(const uint16_t *s)
{
    size_t length = 0;

    while (s[length] != 0)
        length++;
    return length;
}

int osspi_wcscmp(const uint16_t *a, const uint16_t *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a - *b;
}

uint16_t *osspi_wcsdup(const uint16_t *s)
{
    size_t size = (osspi_wcslen(s) + 1) * sizeof(*s);
    uint16_t *copy = (uint16_t *)malloc(size);

    if (copy != NULL)
        memcpy(copy, s, size);
    return copy;
}
