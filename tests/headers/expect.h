/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Compile-time expectations that read the same in C11 and C++17. Tests only. */
#ifndef OSSPI_TESTS_HEADERS_EXPECT_H
#define OSSPI_TESTS_HEADERS_EXPECT_H

#ifdef __cplusplus
#include <type_traits>
#define EXPECT(condition, text) static_assert(condition, text)
#define SAME_TYPE(expression, wanted) \
    EXPECT((std::is_same<typename std::decay<decltype(expression)>::type, wanted>::value), \
           #expression)
#else
#define EXPECT(condition, text) _Static_assert(condition, text)
#define SAME_TYPE(expression, wanted) \
    EXPECT(__builtin_types_compatible_p(__typeof__(expression), wanted), #expression)
#endif

/* A constant of up to 32 bits; signed ones are compared by their bits. */
#define NUMBER(name, value) \
    EXPECT(sizeof(name) == 4 && (unsigned long long)(name) == (value), #name)
/* A constant that needs more. */
#define NUMBER64(name, value) \
    EXPECT(sizeof(name) == 8 && (unsigned long long)(name) == (value), #name)

/* The size of a structure, and where a member of it stands. */
#define SIZE(type, bytes)           EXPECT(sizeof(type) == (bytes), #type)
#define OFFSET(type, member, bytes) EXPECT(offsetof(type, member) == (bytes), #type "." #member)

#endif
