/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Words on the terminal, and the small languages of the command line (numbers, ALPN lists,
 * password sources).
 */
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <opensspi.h>
#include <sspi.h>

#include "tool.h"

#define PASSWORD_SIZE 1024

void text_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sspi: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int text_usage(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "sspi %s: ", verb);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry 'sspi %s --help'.\n", verb);
    va_end(arguments);
    return TOOL_USAGE;
}

const char *text_status(SECURITY_STATUS status)
{
    static _Thread_local char number[16];
    const char *name = OsspiStatusName(status);
    if (name)
        return name;
    snprintf(number, sizeof(number), "0x%08X", (unsigned)status);
    return number;
}

const char *text_advice(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_UNTRUSTED_ROOT:
        return "name the authority's certificate with --ca FILE (or SSL_CERT_FILE)";
    case SEC_E_WRONG_PRINCIPAL:
        return "the certificate is for other names: check the host, or give --name NAME";
    case SEC_E_CERT_EXPIRED:
        return "check the dates of the certificate and this machine's clock";
    case SEC_E_CERT_UNKNOWN:
    case SEC_E_CERT_WRONG_USAGE:
        return "the peer's certificate is not fit for its role; it needs another one";
    case SEC_E_INVALID_TOKEN:
        return "does the other side speak TLS on this port?";
    case SEC_E_ALGORITHM_MISMATCH:
        return "the two sides share no protocol version or cipher suite: try without --tls";
    case SEC_E_APPLICATION_PROTOCOL_MISMATCH:
        return "the two sides share no application protocol: compare the --alpn lists";
    case SEC_E_ILLEGAL_MESSAGE:
        return "the other side refused or broke the protocol; its log may say why";
    case SEC_I_INCOMPLETE_CREDENTIALS:
        return "the server asks for a client certificate: give --cert FILE and --key FILE";
    case SEC_E_NO_CREDENTIALS:
    case SEC_E_UNKNOWN_CREDENTIALS:
        return "check that certificate and key belong together and can be read";
    case SEC_E_INSUFFICIENT_MEMORY:
        return "free some memory, or lower the load";
    case HRESULT_FROM_WIN32(ERROR_TIMEOUT):
        return "give it more time with --timeout MS";
    default:
        return NULL;
    }
}

void text_detail(PCtxtHandle context, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (!context || OsspiGetErrorDetail(context, buffer, (ULONG)size) != SEC_E_OK)
        buffer[0] = '\0';
    buffer[size - 1] = '\0';
}

void text_complain_status(const char *what, SECURITY_STATUS status, PCtxtHandle context)
{
    text_complain_advice(what, status, context, text_advice(status));
}

void text_complain_advice(const char *what, SECURITY_STATUS status, PCtxtHandle context,
                          const char *advice)
{
    const char *meaning = OsspiStatusText(status);
    char detail[512];
    text_detail(context, detail, sizeof(detail));

    fprintf(stderr, "sspi: %s: %s (0x%08X)\n", what, text_status(status), (unsigned)status);
    if (meaning)
        fprintf(stderr, "  meaning: %s\n", meaning);
    if (detail[0]) {
        fputs("  detail:  ", stderr);
        text_escaped(stderr, detail, strlen(detail));
        fputc('\n', stderr);
    }
    if (advice)
        fprintf(stderr, "  next:    %s\n", advice);
}

void text_escaped(FILE *stream, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        /* 0x80 to 0x9F after 0xC2 are control characters in UTF-8. */
        bool control = c < 0x20 || c == 0x7F ||
                       (c >= 0x80 && c < 0xA0 && i > 0 && (unsigned char)text[i - 1] == 0xC2);
        if (control)
            fprintf(stream, "\\x%02X", c);
        else
            fputc(c, stream);
    }
}

void text_filetime(FILETIME time, char *buffer, size_t size)
{
    uint64_t ticks = ((uint64_t)time.dwHighDateTime << 32) | time.dwLowDateTime;
    time_t seconds = (time_t)(ticks / 10000000u) - (time_t)11644473600;
    struct tm parts;
    if (ticks >= INT64_MAX || !gmtime_r(&seconds, &parts) ||
        strftime(buffer, size, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(buffer, size, "never");
}

bool text_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret_number)
{
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno || *end != '\0' || number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

bool text_alpn(const char *list, unsigned char *ret_wire, size_t size, size_t *ret_len)
{
    size_t used = 0;
    for (;;) {
        size_t len = strcspn(list, ",");
        if (len == 0 || len > 255 || len + 1 > size - used)
            return false;
        ret_wire[used] = (unsigned char)len;
        memcpy(ret_wire + used + 1, list, len);
        used += len + 1;
        if (list[len] == '\0')
            break;
        list += len + 1;
    }
    *ret_len = used;
    return true;
}

/* The first line of a file. */
static char *read_password(const char *path)
{
    FILE *file = fopen(path, "re");
    char *password = file ? calloc(1, PASSWORD_SIZE) : NULL;
    if (password && fgets(password, PASSWORD_SIZE, file)) {
        password[strcspn(password, "\r\n")] = '\0';
    } else if (password) {
        free(password);
        password = NULL;
    }
    if (!password)
        text_complain("cannot read a password from %s: %s", path,
                      errno ? strerror(errno) : "the file is empty");
    if (file)
        fclose(file);
    return password;
}

char *text_password(const char *source)
{
    errno = 0;
    if (strncmp(source, "pass:", 5) == 0)
        return strdup(source + 5);
    if (strncmp(source, "env:", 4) == 0) {
        const char *value = getenv(source + 4);
        if (!value)
            text_complain("the environment has no variable %s", source + 4);
        return value ? strdup(value) : NULL;
    }
    if (strncmp(source, "file:", 5) == 0)
        return read_password(source + 5);
    text_complain("a password is given as pass:TEXT, env:NAME or file:PATH");
    return NULL;
}

void text_free_password(char *password)
{
    if (!password)
        return;
    explicit_bzero(password, strlen(password));
    free(password);
}
