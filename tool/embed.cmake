# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
#
# Puts the status page's style and script into its HTML, and the result into a C file, together with
# the Content-Security-Policy that allows this style and this script and nothing else. Run as
#   cmake -DSOURCE=<folder> -DTARGET=<file.c> -P embed.cmake

# The base64 form of a SHA-256, which CSP asks for; CMake knows the hexadecimal form only.
function(sha256_base64 text result)
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  string(SHA256 hex "${text}")
  set(out "")
  # Three hexadecimal digits are twelve bits, two digits of base64; two zero bits fill the end.
  string(APPEND hex "00")
  foreach(start RANGE 0 63 3)
    string(SUBSTRING "${hex}" ${start} 3 three)
    math(EXPR high "0x${three} >> 6")
    math(EXPR low "0x${three} & 63")
    string(SUBSTRING "${alphabet}" ${high} 1 first)
    string(SUBSTRING "${alphabet}" ${low} 1 second)
    string(APPEND out "${first}${second}")
  endforeach()
  string(SUBSTRING "${out}" 0 43 out)
  set(${result} "${out}=" PARENT_SCOPE)
endfunction()

file(READ "${SOURCE}/page.html" page)
file(READ "${SOURCE}/page.css" style)
file(READ "${SOURCE}/page.js" script)
sha256_base64("${style}" style_hash)
sha256_base64("${script}" script_hash)
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")

string(CONCAT policy "default-src 'none'; connect-src 'self'; img-src data:; "
  "style-src 'sha256-${style_hash}'; script-src 'sha256-${script_hash}'; "
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

file(WRITE "${TARGET}.html" "${page}")
file(READ "${TARGET}.html" bytes HEX)
string(LENGTH "${bytes}" length)
math(EXPR length "${length} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)"
  "\\1\n" bytes "${bytes}")
file(WRITE "${TARGET}" "/* Made from tool/status by embed.cmake; do not edit. */
#include \"monitor.h\"

const unsigned char monitor_page[] = {
${bytes}
};
const size_t monitor_page_len = ${length};
const char monitor_page_policy[] = \"${policy}\";
")
