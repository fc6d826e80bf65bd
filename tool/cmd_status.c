/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi status: what a status code means.
 */
#include "tool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include <opensspi.h>

#include "options.h"
#include "text.h"

static const char help[] = "Usage: sspi status CODE [--json]\n"
                           "       sspi status --list [--json]\n"
                           "\n"
                           "Explains a status code. CODE is a name, or a number as programs print "
                           "it: hexadecimal with or\n"
                           "without 0x, or signed decimal with a sign.\n"
                           "\n"
                           "  --list   all codes that the library knows\n"
                           "  --json   as JSON\n"
                           "\n"
                           "Examples:\n"
                           "  sspi status 0x80090325\n"
                           "  sspi status SEC_E_UNTRUSTED_ROOT\n"
                           "  sspi status -2146893019\n"
                           "\n" TOOL_EXIT_HELP;

/* The library turns codes into names only, so a name is looked for in the ranges that have any. */
static const struct {
    uint32_t first, last;
} ranges[] = {
    {0x00000000, 0x00000000}, /* success */
    {0x00090300, 0x000903FF}, /* SEC_I_ */
    {0x80090300, 0x800903FF}, /* SEC_E_ */
    {0x00091000, 0x000910FF}, /* CRYPT_I_ */
    {0x80091000, 0x800910FF}, /* CRYPT_E_ */
    {0x80092000, 0x800920FF}, /* CRYPT_E_ */
    {0x80093000, 0x800931FF}, /* CRYPT_E_ASN1_ */
    {0x80090000, 0x800900FF}, /* NTE_ */
    {0x80096000, 0x800960FF}, /* TRUST_E_ */
    {0x800B0000, 0x800B01FF}, /* CERT_E_, TRUST_E_ */
    {0x80070000, 0x80073FFF}, /* Win32 errors */
    {0x80000000, 0x800000FF}, /* NTSTATUS warnings */
    {0x80004000, 0x800041FF}, /* E_ */
    {0x8000FF00, 0x8000FFFF}, /* E_ */
    {0xC0000000, 0xC00004FF}, /* NTSTATUS errors */
};

static bool find_name(const char *name, SECURITY_STATUS *ret_status)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (uint32_t code = ranges[i].first; code <= ranges[i].last; code++) {
            const char *known = OsspiStatusName((SECURITY_STATUS)code);
            if (known && strcasecmp(known, name) == 0) {
                *ret_status = (SECURITY_STATUS)code;
                return true;
            }
        }
    }
    return false;
}

/* Decimal with a sign; hexadecimal otherwise: that is how codes are written everywhere. */
static bool parse_number(const char *text, SECURITY_STATUS *ret_status)
{
    char *end;
    errno = 0;
    bool decimal = text[0] == '-' || text[0] == '+';
    long long number = decimal ? strtoll(text, &end, 10) : strtoll(text, &end, 16);
    if (errno || end == text || *end != '\0' || number < INT32_MIN || number > UINT32_MAX)
        return false;
    *ret_status = (SECURITY_STATUS)(uint32_t)number;
    return true;
}

static json_t *describe(SECURITY_STATUS status)
{
    char code[16];
    snprintf(code, sizeof(code), "0x%08X", (unsigned)status);
    return json_pack("{s:s, s:i, s:s*, s:s, s:b, s:s*}", "code", code, "number", (int)status,
                     "name", OsspiStatusName(status), "meaning", OsspiStatusText(status), "success",
                     SUCCEEDED(status), "next", text_advice(status));
}

static int print_json(json_t *value)
{
    bool done = value && json_dumpf(value, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    json_decref(value);
    if (!done)
        text_complain("the report could not be printed");
    return done ? TOOL_OK : TOOL_LOCAL;
}

static void print_text(SECURITY_STATUS status)
{
    const char *name = OsspiStatusName(status), *advice = text_advice(status);
    printf("%s (0x%08X, %d)\n", name ? name : "unknown code", (unsigned)status, (int)status);
    printf("  meaning: %s\n", OsspiStatusText(status));
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        puts("  kind:    not an error: the context stays usable");
    else
        printf("  kind:    %s\n", SUCCEEDED(status) ? "success, or something to do" : "failure");
    if (advice)
        printf("  next:    %s\n", advice);
}

static int print_list(bool json)
{
    json_t *array = json ? json_array() : NULL;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (uint32_t code = ranges[i].first; code <= ranges[i].last; code++) {
            SECURITY_STATUS status = (SECURITY_STATUS)code;
            if (!OsspiStatusName(status))
                continue;
            if (json)
                json_array_append_new(array, describe(status));
            else
                printf("0x%08X  %-36s %s\n", code, OsspiStatusName(status),
                       OsspiStatusText(status));
        }
    }
    return json ? print_json(array) : TOOL_OK;
}

int cmd_status(int argc, char **argv)
{
    const char *code_text = NULL;
    bool json = false, list = false;
    const struct option_spec specs[] = {
        {"json", OPTION_FLAG, &json, 0, 0},
        {"list", OPTION_FLAG, &list, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"status", help, specs, &code_text, 0, 1};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (list)
        return print_list(json);
    if (!code_text)
        return text_usage("status", "which code? Give one, or --list");

    SECURITY_STATUS status;
    if (!find_name(code_text, &status) && !parse_number(code_text, &status))
        return text_usage("status", "'%s' is neither a known name nor a 32-bit number", code_text);
    if (json)
        return print_json(describe(status));
    print_text(status);
    return OsspiStatusName(status) ? TOOL_OK : TOOL_FAILED;
}
