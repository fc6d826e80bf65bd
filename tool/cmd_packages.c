/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi packages: what this library can speak.
 */
#include "tool.h"

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <sspi.h>

#include "options.h"
#include "text.h"

static const char help[] = "Usage: sspi packages [--json]\n"
                           "\n"
                           "Lists the security packages: name, what it is, the largest token it "
                           "makes (bytes), and what it\n"
                           "can do.\n"
                           "\n"
                           "Example:\n"
                           "  sspi packages --json\n"
                           "\n" TOOL_EXIT_HELP;

static const struct {
    ULONG bit;
    const char *name;
} capabilities[] = {
    {SECPKG_FLAG_INTEGRITY, "integrity"},
    {SECPKG_FLAG_PRIVACY, "privacy"},
    {SECPKG_FLAG_TOKEN_ONLY, "token-only"},
    {SECPKG_FLAG_DATAGRAM, "datagram"},
    {SECPKG_FLAG_CONNECTION, "connection"},
    {SECPKG_FLAG_MULTI_REQUIRED, "multiple-legs"},
    {SECPKG_FLAG_CLIENT_ONLY, "client-only"},
    {SECPKG_FLAG_EXTENDED_ERROR, "extended-error"},
    {SECPKG_FLAG_IMPERSONATION, "impersonation"},
    {SECPKG_FLAG_ACCEPT_WIN32_NAME, "names"},
    {SECPKG_FLAG_STREAM, "stream"},
    {SECPKG_FLAG_NEGOTIABLE, "negotiable"},
    {SECPKG_FLAG_GSS_COMPATIBLE, "gss-compatible"},
    {SECPKG_FLAG_LOGON, "logon"},
    {SECPKG_FLAG_MUTUAL_AUTH, "mutual-authentication"},
    {SECPKG_FLAG_DELEGATION, "delegation"},
};

#define CAPABILITY_COUNT (sizeof(capabilities) / sizeof(capabilities[0]))

static void print_text(const SecPkgInfoA *package)
{
    printf("%s\n  %s\n  largest token: %u bytes\n  can do:", package->Name, package->Comment,
           package->cbMaxToken);
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if (package->fCapabilities & capabilities[i].bit)
            printf(" %s", capabilities[i].name);
    }
    putchar('\n');
}

static json_t *describe(const SecPkgInfoA *package)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < CAPABILITY_COUNT; i++) {
        if (package->fCapabilities & capabilities[i].bit)
            json_array_append_new(list, json_string(capabilities[i].name));
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:o}", "name", package->Name, "comment",
                     package->Comment, "version", (int)package->wVersion, "rpc_id",
                     (int)package->wRPCID, "max_token", (int)package->cbMaxToken, "capability_bits",
                     (json_int_t)package->fCapabilities, "capabilities", list);
}

static bool print_json(const SecPkgInfoA *packages, ULONG count)
{
    json_t *array = json_array();
    for (ULONG i = 0; array && i < count; i++)
        json_array_append_new(array, describe(&packages[i]));
    bool done = array && json_dumpf(array, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    json_decref(array);
    return done;
}

int cmd_packages(int argc, char **argv)
{
    bool json = false;
    const struct option_spec specs[] = {
        {"json", OPTION_FLAG, &json, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"packages", help, specs, NULL, 0, 0};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;

    ULONG count = 0;
    PSecPkgInfoA packages = NULL;
    SECURITY_STATUS status = EnumerateSecurityPackagesA(&count, &packages);
    if (status != SEC_E_OK) {
        text_complain_status("cannot list the packages", status, NULL);
        return TOOL_FAILED;
    }
    if (json && !print_json(packages, count)) {
        text_complain("the list could not be printed");
        code = TOOL_LOCAL;
    } else {
        code = TOOL_OK;
    }
    for (ULONG i = 0; !json && i < count; i++)
        print_text(&packages[i]);
    FreeContextBuffer(packages);
    return code;
}
