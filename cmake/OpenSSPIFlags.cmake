# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
#
# Compiler flags of everything we build: target osspi_flags (warnings, hardening, sanitizers).
# Nothing of it reaches a user of the library: targets link it PRIVATE.

add_library(osspi_flags INTERFACE)

target_compile_options(osspi_flags INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wundef
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:-Wjump-misses-init>
  $<$<BOOL:${OPENSSPI_WERROR}>:-Werror>)

target_compile_options(osspi_flags INTERFACE -fstack-protector-strong)
# Empty, as a source's own `#define _GNU_SOURCE` is, so that the two may meet.
target_compile_options(osspi_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-D_GNU_SOURCE=>)

# _FORTIFY_SOURCE needs an optimising build and hides accesses from the sanitizers.
if(NOT OPENSSPI_SANITIZE)
  target_compile_options(osspi_flags INTERFACE
    "$<$<NOT:$<CONFIG:Debug>>:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>")
endif()

if(OPENSSPI_SANITIZE STREQUAL "address")
  set(_osspi_sanitize -fsanitize=address,undefined)
elseif(OPENSSPI_SANITIZE STREQUAL "thread")
  set(_osspi_sanitize -fsanitize=thread)
elseif(OPENSSPI_SANITIZE STREQUAL "fuzzer")
  # What libFuzzer watches; its main() is linked to the fuzz targets only (tests/fuzz).
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "OPENSSPI_SANITIZE=fuzzer needs clang")
  endif()
  set(_osspi_sanitize -fsanitize=fuzzer-no-link,address,undefined)
elseif(OPENSSPI_SANITIZE)
  message(FATAL_ERROR "OPENSSPI_SANITIZE: empty, address, thread or fuzzer; not ${OPENSSPI_SANITIZE}")
endif()
if(OPENSSPI_SANITIZE)
  target_compile_options(osspi_flags INTERFACE
    ${_osspi_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(osspi_flags INTERFACE ${_osspi_sanitize})
endif()

# clang keeps the sanitizer run-time in the program, so a shared library has open symbols there.
set(OSSPI_LINK_NO_UNDEFINED -Wl,-z,defs)
if(OPENSSPI_SANITIZE AND CMAKE_C_COMPILER_ID MATCHES "Clang")
  set(OSSPI_LINK_NO_UNDEFINED "")
endif()
