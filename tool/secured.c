/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a security context that is no TLS tells of itself.
 */
#include "secured.h"

#include <string.h>

#include "text.h"

/* Both sides' bits; 0: this side has no such flag. */
static const struct {
    const char *name;
    ULONG client, server;
} flag_names[] = {
    {"mutual", ISC_RET_MUTUAL_AUTH, ASC_RET_MUTUAL_AUTH},
    {"delegate", ISC_RET_DELEGATE, ASC_RET_DELEGATE},
    {"confidentiality", ISC_RET_CONFIDENTIALITY, ASC_RET_CONFIDENTIALITY},
    {"integrity", ISC_RET_INTEGRITY, ASC_RET_INTEGRITY},
    {"replay-detect", ISC_RET_REPLAY_DETECT, ASC_RET_REPLAY_DETECT},
    {"sequence-detect", ISC_RET_SEQUENCE_DETECT, ASC_RET_SEQUENCE_DETECT},
    {"dce-style", ISC_RET_USED_DCE_STYLE, ASC_RET_USED_DCE_STYLE},
    {"identify", ISC_RET_IDENTIFY, ASC_RET_IDENTIFY},
    {"null-session", ISC_RET_NULL_SESSION, ASC_RET_NULL_SESSION},
};

static ULONG flag_bit(const struct secured *secured, size_t i)
{
    return secured->server_side ? flag_names[i].server : flag_names[i].client;
}

static void take(char *to, size_t size, char *from)
{
    if (from)
        snprintf(to, size, "%s", from);
    FreeContextBuffer(from);
}

static void read_package(PCtxtHandle context, struct secured *secured)
{
    SecPkgContext_NegotiationInfoA chosen = {0};
    SecPkgContext_PackageInfoA info = {0};

    (void)QueryContextAttributesA(context, SECPKG_ATTR_NEGOTIATION_INFO, &chosen);
    if (!chosen.PackageInfo)
        (void)QueryContextAttributesA(context, SECPKG_ATTR_PACKAGE_INFO, &info);
    PSecPkgInfoA package = chosen.PackageInfo ? chosen.PackageInfo : info.PackageInfo;
    if (package)
        snprintf(secured->package, sizeof(secured->package), "%s", package->Name);
    FreeContextBuffer(package);
}

static void read_key(PCtxtHandle context, struct secured *secured)
{
    SecPkgContext_KeyInfoA key = {0};

    (void)QueryContextAttributesA(context, SECPKG_ATTR_KEY_INFO, &key);
    take(secured->cipher, sizeof(secured->cipher), key.sEncryptAlgorithmName);
    FreeContextBuffer(key.sSignatureAlgorithmName);
}

void secured_read(PCtxtHandle context, bool server_side, struct secured *ret_secured)
{
    SecPkgContext_NativeNamesA native = {0};
    SecPkgContext_NamesA names = {0};
    SecPkgContext_Flags flags = {0};
    SecPkgContext_Lifespan lifespan;

    *ret_secured = (struct secured){.server_side = server_side};
    read_package(context, ret_secured);
    read_key(context, ret_secured);
    (void)QueryContextAttributesA(context, SECPKG_ATTR_NATIVE_NAMES, &native);
    (void)QueryContextAttributesA(context, SECPKG_ATTR_NAMES, &names);
    take(ret_secured->client, sizeof(ret_secured->client), native.sClientName);
    take(ret_secured->server, sizeof(ret_secured->server), native.sServerName);
    if (names.sUserName && names.sUserName[0])
        snprintf(ret_secured->client, sizeof(ret_secured->client), "%s", names.sUserName);
    FreeContextBuffer(names.sUserName);
    (void)QueryContextAttributesA(context, SECPKG_ATTR_FLAGS, &flags);
    ret_secured->flags = flags.Flags;
    (void)QueryContextAttributesA(context, SECPKG_ATTR_SIZES, &ret_secured->sizes);
    if (QueryContextAttributesA(context, SECPKG_ATTR_LIFESPAN, &lifespan) == SEC_E_OK) {
        FILETIME until = {lifespan.tsExpiry.LowPart, (DWORD)lifespan.tsExpiry.HighPart};
        text_filetime(until, ret_secured->until, sizeof(ret_secured->until));
    }
}

static void print_name(FILE *stream, const char *label, const char *name)
{
    fprintf(stream, "%-13s ", label);
    text_escaped(stream, name[0] ? name : "unknown", strlen(name[0] ? name : "unknown"));
    fputc('\n', stream);
}

void secured_print(FILE *stream, const struct secured *secured)
{
    fprintf(stream, "package       %s\n", secured->package);
    print_name(stream, "client", secured->client);
    print_name(stream, "server", secured->server);
    fputs("flags        ", stream);
    bool any = false;
    for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
        if (secured->flags & flag_bit(secured, i)) {
            fprintf(stream, " %s", flag_names[i].name);
            any = true;
        }
    }
    fputs(any ? "\n" : " none\n", stream);
    fprintf(stream, "sizes         token at most %u, signature %u, seal %u bytes more\n",
            secured->sizes.cbMaxToken, secured->sizes.cbMaxSignature,
            secured->sizes.cbSecurityTrailer);
    if (secured->cipher[0])
        fprintf(stream, "key           %s\n", secured->cipher);
    if (secured->until[0])
        fprintf(stream, "until         %s\n", secured->until);
}

json_t *secured_json(const struct secured *secured)
{
    json_t *flags = json_array();
    for (size_t i = 0; flags && i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
        if (secured->flags & flag_bit(secured, i))
            json_array_append_new(flags, json_string(flag_names[i].name));
    }
    return json_pack("{s:s, s:s, s:s, s:o*, s:i, s:i, s:i, s:s, s:s}", "package", secured->package,
                     "client", secured->client, "server", secured->server, "flags", flags,
                     "max_token", (int)secured->sizes.cbMaxToken, "max_signature",
                     (int)secured->sizes.cbMaxSignature, "trailer",
                     (int)secured->sizes.cbSecurityTrailer, "key", secured->cipher, "until",
                     secured->until);
}

bool secured_is_mutual(const struct secured *secured)
{
    return (secured->flags & flag_bit(secured, 0)) != 0;
}
