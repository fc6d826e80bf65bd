/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi store: the certificates with keys of the user and of the machine.
 */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <opensspi.h>

#include "facts.h"
#include "options.h"
#include "store.h"
#include "store_add.h"
#include "text.h"

static const char help[] =
    "Usage: sspi store list [OPTION...]\n"
    "       sspi store add FILE [--key FILE] [--password SOURCE] [--replace] [OPTION...]\n"
    "       sspi store show THUMBPRINT [--pem] [OPTION...]\n"
    "       sspi store remove THUMBPRINT [OPTION...]\n"
    "\n"
    "The store \"MY\" is a folder with certificates and their private keys, in which programs "
    "find\n"
    "them by their SHA-1 thumbprint. `list` tells of each file in it, also why one is left out;\n"
    "`add` takes PEM (certificate, chain and key) or PKCS #12; `remove` deletes the certificate's\n"
    "file, with the key.\n"
    "\n"
    "  --user             the user's store, ~/.local/share/opensspi/my (default)\n"
    "  --machine          the machine's store, which only root can change\n"
    "  --state-dir DIR    where the machine's is, if not in the usual place\n"
    "  --key FILE         the key, PEM; default: in the same file\n"
    "  --password SOURCE  of the key or of the PKCS #12 file: pass:TEXT, env:NAME or file:PATH;\n"
    "                     in the store the key has none, its file is closed to others instead\n"
    "  --replace          write it anew if it is there\n"
    "  --pem              print the certificate and its chain as PEM; never the key\n"
    "  --json             print JSON\n"
    "\n"
    "Examples:\n"
    "  sspi store add server.pem --key server.key\n"
    "  sspi store list\n"
    "  sspi serve public --store-cert 5b4f0dc1f5bd0f9ef2f0e5b0c3f7c0a1f7e8d911\n"
    "\n" TOOL_EXIT_HELP;

struct arguments {
    const char *words[2]; /* action, operand */
    bool user, machine, replace, pem, json;
    const char *state_dir;
    struct store_add add;
};

/* ---- list ---- */

struct listing {
    bool is_json;
    bool machine;
    bool failed; /* no memory */
    unsigned used, left_out;
    SECURITY_STATUS folder;
    json_t *report; /* the folder's object */
    json_t *files;
};

static void print_file(const OsspiStoreFile *file)
{
    for (ULONG i = 0; i < file->count; i++) {
        PCCERT_CONTEXT cert = file->certificates[i];
        char thumbprint[2 * STORE_THUMBPRINT + 1], subject[512], until[32];
        store_thumbprint_of(cert, thumbprint);
        CertGetNameStringA(cert, CERT_NAME_RDN_TYPE, 0, NULL, subject, sizeof(subject));
        text_filetime(cert->pCertInfo->NotAfter, until, sizeof(until));
        printf("%s  %s  until %s  ", thumbprint, file->has_key ? "key   " : "no key", until);
        text_escaped(stdout, subject, strlen(subject));
        putchar('\n');
    }
    if (file->status != SEC_E_OK) {
        fputs("left out: ", stdout);
        text_escaped(stdout, file->path, strlen(file->path));
        printf(": %s\n", file->reason);
    }
}

static json_t *describe(const OsspiStoreFile *file)
{
    json_t *certs = json_array();
    for (ULONG i = 0; certs && i < file->count; i++) {
        char thumbprint[2 * STORE_THUMBPRINT + 1];
        store_thumbprint_of(file->certificates[i], thumbprint);
        json_array_append_new(certs, json_pack("{s:s, s:b, s:o}", "thumbprint", thumbprint,
                                               "has_key", (int)file->has_key, "chain",
                                               chain_json_of(file->certificates[i])));
    }
    /* A file's name may be no UTF-8; then it is left out, and the reason stays. */
    return json_pack("{s:o*, s:b, s:s, s:s*, s:o}", "path", json_string(file->path), "used",
                     file->status == SEC_E_OK, "status", text_status(file->status), "reason",
                     file->reason, "certificates", certs);
}

static void tell_folder(struct listing *listing, const OsspiStoreFile *file)
{
    const char *whose = listing->machine ? "machine" : "user";
    listing->folder = file->status;
    if (listing->is_json) {
        listing->report =
            json_pack("{s:s, s:o*, s:b, s:s*}", "store", whose, "folder", json_string(file->path),
                      "usable", file->status == SEC_E_OK, "reason", file->reason);
        return;
    }
    printf("The %s's store, ", whose);
    text_escaped(stdout, file->path, strlen(file->path));
    printf("%s%s\n", file->reason ? ": " : ":", file->reason ? file->reason : "");
}

static BOOL tell(const OsspiStoreFile *file, void *data)
{
    struct listing *listing = data;
    if (file->is_folder) {
        tell_folder(listing, file);
        return TRUE;
    }
    if (file->status == SEC_E_OK)
        listing->used++;
    else
        listing->left_out++;
    if (!listing->is_json) {
        print_file(file);
        return TRUE;
    }
    if (json_array_append_new(listing->files, describe(file)) < 0)
        listing->failed = true;
    return !listing->failed;
}

static int finish_list(struct listing *listing)
{
    int code = TOOL_OK;
    if (listing->is_json) {
        json_t *report = json_pack("{s:o}", "files", json_incref(listing->files));
        if (!report || !listing->report || json_object_update(report, listing->report) < 0 ||
            json_dumpf(report, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF)
            code = TOOL_LOCAL;
        json_decref(report);
        if (code != TOOL_OK)
            text_complain("the list could not be printed");
    } else if (listing->folder == SEC_E_OK) {
        printf("%u used, %u left out\n", listing->used, listing->left_out);
    }
    /* A store that was never used is empty, and that is no failure. */
    if (listing->folder != SEC_E_OK && listing->folder != CRYPT_E_NOT_FOUND)
        return TOOL_LOCAL;
    return code;
}

static int list(const struct arguments *arguments)
{
    struct listing listing = {
        .is_json = arguments->json, .machine = arguments->machine, .files = json_array()};
    SECURITY_STATUS status = OsspiListStore(
        "MY", arguments->machine ? CERT_SYSTEM_STORE_LOCAL_MACHINE : CERT_SYSTEM_STORE_CURRENT_USER,
        tell, &listing);
    int code = TOOL_LOCAL;
    if (status != SEC_E_OK || listing.failed || !listing.files)
        text_complain_status("cannot list the store",
                             status == SEC_E_OK ? SEC_E_INSUFFICIENT_MEMORY : status, NULL);
    else
        code = finish_list(&listing);
    json_decref(listing.report);
    json_decref(listing.files);
    return code;
}

/* ---- show and remove ---- */

/* NULL after a complaint; *ret_code says which. */
static PCCERT_CONTEXT find(const struct arguments *arguments, HCERTSTORE store, int *ret_code)
{
    BYTE sha1[STORE_THUMBPRINT];
    CRYPT_HASH_BLOB hash = {sizeof(sha1), sha1};
    if (!store_thumbprint(arguments->words[1], sha1)) {
        *ret_code = text_usage("store", "'%s' is no SHA-1 thumbprint of 40 hexadecimal digits",
                               arguments->words[1]);
        return NULL;
    }
    PCCERT_CONTEXT found =
        CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, &hash, NULL);
    if (!found) {
        *ret_code = TOOL_FAILED;
        text_complain("there is no certificate %s in the %s's store", arguments->words[1],
                      arguments->machine ? "machine" : "user");
    }
    return found;
}

static bool print_pem(PCCERT_CONTEXT cert)
{
    DWORD size = 0;
    const DWORD form = CRYPT_STRING_BASE64HEADER | CRYPT_STRING_NOCR;
    if (!CryptBinaryToStringA(cert->pbCertEncoded, cert->cbCertEncoded, form, NULL, &size))
        return false;
    char *text = malloc(size);
    bool done =
        text && CryptBinaryToStringA(cert->pbCertEncoded, cert->cbCertEncoded, form, text, &size);
    if (done)
        fputs(text, stdout);
    free(text);
    return done;
}

/* The store shows the certificate alone; its chain is known to whoever lists the files. */
struct search {
    PCCERT_CONTEXT wanted;
    const struct arguments *arguments;
    bool found, failed;
};

static bool show_pem(PCCERT_CONTEXT cert)
{
    bool done = true;
    PCCERT_CONTEXT cursor = NULL;
    while (done && (cursor = CertEnumCertificatesInStore(cert->hCertStore, cursor)))
        done = print_pem(cursor);
    CertFreeCertificateContext(done ? NULL : cursor);
    return done;
}

static bool show_json(const OsspiStoreFile *file, PCCERT_CONTEXT cert)
{
    char thumbprint[2 * STORE_THUMBPRINT + 1];
    store_thumbprint_of(cert, thumbprint);
    json_t *report = json_pack("{s:s, s:o*, s:b, s:o}", "thumbprint", thumbprint, "path",
                               json_string(file->path), "has_key", (int)file->has_key, "chain",
                               chain_json_of(cert));
    bool done = report && json_dumpf(report, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    json_decref(report);
    return done;
}

static bool show_text(const OsspiStoreFile *file, PCCERT_CONTEXT cert)
{
    char thumbprint[2 * STORE_THUMBPRINT + 1];
    store_thumbprint_of(cert, thumbprint);
    printf("thumbprint  %s\nfile        ", thumbprint);
    text_escaped(stdout, file->path, strlen(file->path));
    printf("\nkey         %s\ncertificates\n", file->has_key ? "yes" : "no");
    chain_print_of(stdout, cert);
    return true;
}

static BOOL show_match(const OsspiStoreFile *file, void *data)
{
    struct search *search = data;
    for (ULONG i = 0; i < file->count && !search->found; i++) {
        PCCERT_CONTEXT cert = file->certificates[i];
        if (cert->cbCertEncoded != search->wanted->cbCertEncoded ||
            memcmp(cert->pbCertEncoded, search->wanted->pbCertEncoded, cert->cbCertEncoded) != 0)
            continue;
        search->found = true;
        if (search->arguments->pem)
            search->failed = !show_pem(cert);
        else if (search->arguments->json)
            search->failed = !show_json(file, cert);
        else
            search->failed = !show_text(file, cert);
    }
    return !search->found;
}

static int show(const struct arguments *arguments, PCCERT_CONTEXT cert)
{
    struct search search = {.wanted = cert, .arguments = arguments};
    SECURITY_STATUS status = OsspiListStore(
        "MY", arguments->machine ? CERT_SYSTEM_STORE_LOCAL_MACHINE : CERT_SYSTEM_STORE_CURRENT_USER,
        show_match, &search);
    CertFreeCertificateContext(cert);
    if (status == SEC_E_OK && search.found && !search.failed)
        return TOOL_OK;
    text_complain("the certificate could not be printed");
    return TOOL_LOCAL;
}

static int remove_one(const struct arguments *arguments, PCCERT_CONTEXT cert)
{
    if (CertDeleteCertificateFromStore(cert))
        return TOOL_OK;
    text_complain("cannot remove %s: %s", arguments->words[1], store_error());
    return TOOL_LOCAL;
}

static int with_one(const struct arguments *arguments,
                    int (*action)(const struct arguments *arguments, PCCERT_CONTEXT cert))
{
    int code = TOOL_LOCAL;
    if (!arguments->words[1])
        return text_usage("store", "which one? Give its THUMBPRINT");
    HCERTSTORE store = store_open(arguments->machine, 0);
    if (!store)
        return TOOL_LOCAL;
    PCCERT_CONTEXT cert = find(arguments, store, &code);
    if (cert)
        code = action(arguments, cert);
    CertCloseStore(store, 0);
    return code;
}

/* ---- the command line ---- */

static int run(struct arguments *arguments)
{
    const char *action = arguments->words[0];
    if (strcmp(action, "list") == 0)
        return arguments->words[1] ? text_usage("store", "what is '%s' for?", arguments->words[1])
                                   : list(arguments);
    if (strcmp(action, "show") == 0)
        return with_one(arguments, show);
    if (strcmp(action, "remove") == 0)
        return with_one(arguments, remove_one);
    if (strcmp(action, "add") == 0) {
        if (!arguments->words[1])
            return text_usage("store", "which one? Give its FILE");
        arguments->add.file = arguments->words[1];
        arguments->add.machine = arguments->machine;
        arguments->add.replace = arguments->replace;
        return store_add(&arguments->add);
    }
    return text_usage("store", "there is no '%s': list, add, show or remove", action);
}

static int configure(const char *state_dir)
{
    OsspiOptions options = {.cbSize = sizeof(options), .state_dir = state_dir};
    SECURITY_STATUS status = state_dir ? OsspiConfigure(&options) : SEC_E_OK;
    if (status == SEC_E_OK)
        return TOOL_OK;
    text_complain_status("cannot set up the library", status, NULL);
    return TOOL_LOCAL;
}

int cmd_store(int argc, char **argv)
{
    struct arguments arguments = {0};
    const struct option_spec specs[] = {
        {"user", OPTION_FLAG, &arguments.user, 0, 0},
        {"machine", OPTION_FLAG, &arguments.machine, 0, 0},
        {"state-dir", OPTION_TEXT, &arguments.state_dir, 0, 0},
        {"key", OPTION_TEXT, &arguments.add.key, 0, 0},
        {"password", OPTION_TEXT, &arguments.add.password, 0, 0},
        {"replace", OPTION_FLAG, &arguments.replace, 0, 0},
        {"pem", OPTION_FLAG, &arguments.pem, 0, 0},
        {"json", OPTION_FLAG, &arguments.json, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"store", help, specs, arguments.words, 1, 2};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (arguments.user && arguments.machine)
        return text_usage("store", "--user or --machine, not both");
    code = configure(arguments.state_dir);
    return code == TOOL_OK ? run(&arguments) : code;
}
