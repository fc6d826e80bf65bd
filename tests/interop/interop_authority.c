/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The authority's files and its responder; see interop_authority.h.
 */
#include "interop_authority.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---- */

void interop_authority_path(const struct interop_authority *authority, const char *name, char *path,
                            size_t size)
{
    TEST_REQUIRE(snprintf(path, size, "%s/%s", authority->folder, name) < (int)size);
}

static FILE *open_file(const struct interop_authority *authority, const char *name,
                       const char *suffix)
{
    char path[128];

    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/%s%s", authority->folder, name, suffix) <
                 (int)sizeof(path));
    FILE *file = fopen(path, "wbe");
    TEST_REQUIRE(file != NULL);
    return file;
}

void interop_authority_write(const struct interop_authority *authority, const char *name,
                             struct world_bytes bytes)
{
    FILE *file = open_file(authority, name, "");

    TEST_REQUIRE(fwrite(bytes.bytes, 1, bytes.len, file) == bytes.len && fclose(file) == 0);
    OPENSSL_free(bytes.bytes);
}

void interop_authority_write_identity(const struct interop_authority *authority, const char *name,
                                      const struct world_identity *identity)
{
    FILE *file = open_file(authority, name, ".pem");

    TEST_REQUIRE(PEM_write_X509(file, identity->certificate) == 1 && fclose(file) == 0);
    file = open_file(authority, name, ".key");
    TEST_REQUIRE(PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) == 1);
    TEST_REQUIRE(fclose(file) == 0);
}

/* The database that openssl ca keeps. The responder reads it once, before there are certificates:
 * they need its port. */
static void write_index(const struct interop_authority *authority)
{
    FILE *file = open_file(authority, "index", ".txt");

    fprintf(file, "V\t490101000000Z\t\t%02X\tunknown\t/CN=leaf\n", AUTHORITY_GOOD);
    fprintf(file, "R\t490101000000Z\t240101000000Z\t%02X\tunknown\t/CN=leaf\n", AUTHORITY_REVOKED);
    TEST_REQUIRE(fclose(file) == 0);
}

/* ---- the responder ---- */

static void start_responder(struct interop_authority *authority)
{
    char index[128], certificate[128], key[128], line[128];
    const char *const words[] = {"openssl", "ocsp", "-port",     "0",        "-index",
                                 index,     "-CA",  certificate, "-rsigner", certificate,
                                 "-rkey",   key,    "-nmin",     "5",        NULL};
    const char *port;

    interop_authority_path(authority, "index.txt", index, sizeof(index));
    interop_authority_path(authority, "root.pem", certificate, sizeof(certificate));
    interop_authority_path(authority, "root.key", key, sizeof(key));
    interop_start(&authority->responder, words);
    interop_await_line(&authority->responder, "ACCEPT ", line, sizeof(line));
    port = strrchr(line, ':');
    TEST_REQUIRE(port != NULL);
    authority->port = (uint16_t)strtoul(port + 1, NULL, 10);
    TEST_REQUIRE(authority->port != 0);
}

void interop_authority_open(struct interop_authority *authority)
{
    const struct world_wish wish = {.name = "root", .authority = true};

    snprintf(authority->folder, sizeof(authority->folder), "/tmp/osspi-revocation-XXXXXX");
    TEST_REQUIRE(mkdtemp(authority->folder) != NULL);
    authority->root = world_make(&wish);
    world_trust(&authority->root);
    interop_authority_write_identity(authority, "root", &authority->root);
    write_index(authority);
    start_responder(authority);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void interop_authority_close(struct interop_authority *authority)
{
    interop_stop(&authority->responder);
    world_drop(&authority->root);
    TEST_REQUIRE(nftw(authority->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- certificates ---- */

struct world_identity interop_authority_leaf(const struct interop_authority *authority, long serial,
                                             uint16_t list_port)
{
    const struct world_wish wish = {.name = "leaf",
                                    .issuer = &authority->root,
                                    .usage = "serverAuth",
                                    .alt_name = "DNS:" PEER_TARGET,
                                    .ocsp_path = list_port == 0 ? "/" : NULL,
                                    .list_path = list_port == 0 ? NULL : "/list.crl",
                                    .serial = serial,
                                    .port = list_port == 0 ? authority->port : list_port};

    return world_make(&wish);
}

void interop_authority_acquire(struct peer_end *end, DWORD flags,
                               const struct world_identity *identity)
{
    PCCERT_CONTEXT certificate = identity ? world_load(identity) : NULL;
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .dwFlags = flags,
    };

    TEST_REQUIRE_EQUAL(end->form->acquire((LPSTR)UNISP_NAME_A,
                                          end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                          &auth, &end->credential, &end->expiry),
                       SEC_E_OK);
    end->has_credential = true;
    CertFreeCertificateContext(certificate);
}
