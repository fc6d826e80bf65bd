/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A small TLS client as it is written for Windows; after.c is the same program here. What had to
 * change, and why, is in docs/porting.md. Usage: before HOST PORT [CLIENT-CERTIFICATE-NAME]
 */
#define UNICODE
#define SECURITY_WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <schannel.h>
#include <security.h>
#include <stdio.h>

#pragma comment(lib, "ws2_32.lib")
#pragma comment(lib, "secur32.lib")
#pragma comment(lib, "crypt32.lib")

static CredHandle cred;
static CtxtHandle ctx;
static char buffer[0x8000];
static unsigned long used;

static void die(const char *what, long code)
{
    printf("%s: 0x%08lX\n", what, code);
    exit(1);
}

static PCCERT_CONTEXT find_client_certificate(const wchar_t *name)
{
    HCERTSTORE store =
        CertOpenStore(CERT_STORE_PROV_SYSTEM, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, L"MY");
    PCCERT_CONTEXT cert = store ? CertFindCertificateInStore(store, X509_ASN_ENCODING, 0,
                                                             CERT_FIND_SUBJECT_STR, name, NULL)
                                : NULL;
    if (!cert)
        die("no such certificate", GetLastError());
    CertCloseStore(store, 0);
    return cert;
}

static void acquire(PCCERT_CONTEXT cert)
{
    SCHANNEL_CRED auth = {0};
    SECURITY_STATUS status;

    auth.dwVersion = SCHANNEL_CRED_VERSION;
    auth.cCreds = cert ? 1 : 0;
    auth.paCred = cert ? &cert : NULL;
    auth.grbitEnabledProtocols = SP_PROT_TLS1_2_CLIENT;
    status = AcquireCredentialsHandle(NULL, UNISP_NAME, SECPKG_CRED_OUTBOUND, NULL, &auth, NULL,
                                      NULL, &cred, NULL);
    if (status != SEC_E_OK)
        die("AcquireCredentialsHandle", status);
}

static SOCKET connect_to(const wchar_t *host, const wchar_t *port)
{
    ADDRINFOW hints = {0}, *list;
    SOCKET s;

    hints.ai_socktype = SOCK_STREAM;
    if (GetAddrInfo(host, port, &hints, &list) != 0)
        die("GetAddrInfo", WSAGetLastError());
    s = socket(list->ai_family, SOCK_STREAM, 0);
    if (s == INVALID_SOCKET || connect(s, list->ai_addr, (int)list->ai_addrlen) != 0)
        die("connect", WSAGetLastError());
    FreeAddrInfo(list);
    return s;
}

static void handshake(SOCKET s, wchar_t *host)
{
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;
    unsigned long attrs;
    int first = 1, count;

    while (status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE) {
        SecBuffer in[2] = {{used, SECBUFFER_TOKEN, buffer}, {0, SECBUFFER_EMPTY, NULL}};
        SecBuffer out[1] = {{0, SECBUFFER_TOKEN, NULL}};
        SecBufferDesc in_desc = {SECBUFFER_VERSION, 2, in};
        SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, out};

        status = InitializeSecurityContext(
            &cred, first ? NULL : &ctx, host, ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_STREAM, 0, 0,
            first ? NULL : &in_desc, 0, &ctx, &out_desc, &attrs, NULL);
        if (out[0].pvBuffer) {
            send(s, out[0].pvBuffer, out[0].cbBuffer, 0);
            FreeContextBuffer(out[0].pvBuffer);
        }
        if (status != SEC_E_INCOMPLETE_MESSAGE) {
            unsigned long extra = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
            MoveMemory(buffer, buffer + used - extra, extra);
            used = extra;
        }
        first = 0;
        if (status == SEC_E_INCOMPLETE_MESSAGE || (status == SEC_I_CONTINUE_NEEDED && used == 0)) {
            count = recv(s, buffer + used, (int)(sizeof(buffer) - used), 0);
            if (count <= 0)
                die("recv", WSAGetLastError());
            used += count;
        }
    }
    if (status != SEC_E_OK)
        die("InitializeSecurityContext", status);
}

static void request(SOCKET s)
{
    static const char text[] = "GET / HTTP/1.0\r\n\r\n";
    char record[512];
    SecPkgContext_StreamSizes sizes;

    QueryContextAttributes(&ctx, SECPKG_ATTR_STREAM_SIZES, &sizes);
    CopyMemory(record + sizes.cbHeader, text, sizeof(text) - 1);
    {
        SecBuffer parts[4] = {
            {sizes.cbHeader, SECBUFFER_STREAM_HEADER, record},
            {sizeof(text) - 1, SECBUFFER_DATA, record + sizes.cbHeader},
            {sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, record + sizes.cbHeader + sizeof(text) - 1},
            {0, SECBUFFER_EMPTY, NULL}};
        SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
        SECURITY_STATUS status = EncryptMessage(&ctx, 0, &desc, 0);

        if (status != SEC_E_OK)
            die("EncryptMessage", status);
        send(s, record, parts[0].cbBuffer + parts[1].cbBuffer + parts[2].cbBuffer, 0);
    }
}

static void answer(SOCKET s)
{
    for (;;) {
        SecBuffer parts[4] = {{used, SECBUFFER_DATA, buffer}};
        SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
        SECURITY_STATUS status = DecryptMessage(&ctx, &desc, 0, NULL);
        int i, count;

        if (status == SEC_I_CONTEXT_EXPIRED)
            return;
        if (status == SEC_E_INCOMPLETE_MESSAGE) {
            count = recv(s, buffer + used, (int)(sizeof(buffer) - used), 0);
            if (count <= 0)
                die("recv", WSAGetLastError());
            used += count;
            continue;
        }
        if (status != SEC_E_OK)
            die("DecryptMessage", status);
        used = 0;
        for (i = 0; i < 4; i++)
            if (parts[i].BufferType == SECBUFFER_DATA)
                fwrite(parts[i].pvBuffer, 1, parts[i].cbBuffer, stdout);
        if (parts[3].BufferType == SECBUFFER_EXTRA) {
            used = parts[3].cbBuffer;
            MoveMemory(buffer, parts[3].pvBuffer, used);
        }
    }
}

int wmain(int argc, wchar_t **argv)
{
    PCCERT_CONTEXT cert = NULL;
    WSADATA data;
    SOCKET s;

    if (argc < 3 || WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 2;
    if (argc > 3)
        cert = find_client_certificate(argv[3]);
    acquire(cert);
    s = connect_to(argv[1], argv[2]);
    handshake(s, argv[1]);
    request(s);
    answer(s);
    DeleteSecurityContext(&ctx);
    FreeCredentialsHandle(&cred);
    if (cert)
        CertFreeCertificateContext(cert);
    closesocket(s);
    WSACleanup();
    return 0;
}
