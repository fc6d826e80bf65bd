/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Each function has the type of its function typedef and of its table member, and a name without A
 * or W is the one that UNICODE asks for. Compiled in every build mode, as C and as C++; that it
 * compiles is the test.
 */
#include <schannel.h>

#include "expect.h"

#define MEMBER(table, member) ((table *)0)->member

/* The function, its typedef, and its members in both tables. */
#define COMMON(function, type) \
    SAME_TYPE(&function, type); \
    SAME_TYPE(MEMBER(SecurityFunctionTableA, function), type); \
    SAME_TYPE(MEMBER(SecurityFunctionTableW, function), type)
#define PAIR(function, type) \
    SAME_TYPE(&function##A, type##_A); \
    SAME_TYPE(&function##W, type##_W); \
    SAME_TYPE(MEMBER(SecurityFunctionTableA, function##A), type##_A); \
    SAME_TYPE(MEMBER(SecurityFunctionTableW, function##W), type##_W); \
    SAME_TYPE(&function, type)

COMMON(FreeCredentialsHandle, FREE_CREDENTIALS_HANDLE_FN);
COMMON(AcceptSecurityContext, ACCEPT_SECURITY_CONTEXT_FN);
COMMON(CompleteAuthToken, COMPLETE_AUTH_TOKEN_FN);
COMMON(DeleteSecurityContext, DELETE_SECURITY_CONTEXT_FN);
COMMON(ApplyControlToken, APPLY_CONTROL_TOKEN_FN);
COMMON(ImpersonateSecurityContext, IMPERSONATE_SECURITY_CONTEXT_FN);
COMMON(RevertSecurityContext, REVERT_SECURITY_CONTEXT_FN);
COMMON(MakeSignature, MAKE_SIGNATURE_FN);
COMMON(VerifySignature, VERIFY_SIGNATURE_FN);
COMMON(FreeContextBuffer, FREE_CONTEXT_BUFFER_FN);
COMMON(ExportSecurityContext, EXPORT_SECURITY_CONTEXT_FN);
COMMON(QuerySecurityContextToken, QUERY_SECURITY_CONTEXT_TOKEN_FN);
COMMON(EncryptMessage, ENCRYPT_MESSAGE_FN);
COMMON(DecryptMessage, DECRYPT_MESSAGE_FN);
SAME_TYPE(&DelegateSecurityContext, DELEGATE_SECURITY_CONTEXT_FN);

PAIR(EnumerateSecurityPackages, ENUMERATE_SECURITY_PACKAGES_FN);
PAIR(QueryCredentialsAttributes, QUERY_CREDENTIALS_ATTRIBUTES_FN);
PAIR(QueryCredentialsAttributesEx, QUERY_CREDENTIALS_ATTRIBUTES_EX_FN);
PAIR(SetCredentialsAttributes, SET_CREDENTIALS_ATTRIBUTES_FN);
PAIR(AcquireCredentialsHandle, ACQUIRE_CREDENTIALS_HANDLE_FN);
PAIR(AddCredentials, ADD_CREDENTIALS_FN);
PAIR(InitializeSecurityContext, INITIALIZE_SECURITY_CONTEXT_FN);
PAIR(QueryContextAttributes, QUERY_CONTEXT_ATTRIBUTES_FN);
PAIR(QueryContextAttributesEx, QUERY_CONTEXT_ATTRIBUTES_EX_FN);
PAIR(SetContextAttributes, SET_CONTEXT_ATTRIBUTES_FN);
PAIR(QuerySecurityPackageInfo, QUERY_SECURITY_PACKAGE_INFO_FN);
PAIR(ImportSecurityContext, IMPORT_SECURITY_CONTEXT_FN);
#ifndef SECURITY_KERNEL
PAIR(ChangeAccountPassword, CHANGE_PASSWORD_FN);
#endif
SAME_TYPE(&InitSecurityInterfaceA, INIT_SECURITY_INTERFACE_A);
SAME_TYPE(&InitSecurityInterfaceW, INIT_SECURITY_INTERFACE_W);
SAME_TYPE(&InitSecurityInterface, INIT_SECURITY_INTERFACE);
SAME_TYPE(&SslGetServerIdentity, SslGetServerIdentityFn);
SAME_TYPE(&SslGetExtensions, SslGetExtensionsFn);
SAME_TYPE(&SslEmptyCacheA, SSL_EMPTY_CACHE_FN_A);
SAME_TYPE(&SslEmptyCacheW, SSL_EMPTY_CACHE_FN_W);

/* The asynchronous twins: the context first, then the synchronous arguments. */
typedef SECURITY_STATUS (*acquire_async)(SspiAsyncContext *, PSSPI_SEC_STRING, PSSPI_SEC_STRING,
                                         ULONG, void *, void *, SEC_GET_KEY_FN, void *, PCredHandle,
                                         PTimeStamp);
typedef SECURITY_STATUS (*acquire_async_a)(SspiAsyncContext *, LPSTR, LPSTR, ULONG, void *, void *,
                                           SEC_GET_KEY_FN, void *, PCredHandle, PTimeStamp);
typedef SECURITY_STATUS (*initialize_async)(SspiAsyncContext *, PCredHandle, PCtxtHandle,
                                            PSSPI_SEC_STRING, ULONG, ULONG, ULONG, PSecBufferDesc,
                                            ULONG, PCtxtHandle, PSecBufferDesc, ULONG *,
                                            PTimeStamp);
typedef SECURITY_STATUS (*accept_async)(SspiAsyncContext *, PCredHandle, PCtxtHandle,
                                        PSecBufferDesc, ULONG, ULONG, PCtxtHandle, PSecBufferDesc,
                                        ULONG *, PTimeStamp);
typedef SspiAsyncContext *(*create_context)(void);
typedef SECURITY_STATUS (*handle_async)(SspiAsyncContext *, PSecHandle);
SAME_TYPE(&SspiAcquireCredentialsHandleAsyncW, acquire_async);
SAME_TYPE(&SspiAcquireCredentialsHandleAsyncA, acquire_async_a);
SAME_TYPE(&SspiInitializeSecurityContextAsyncW, initialize_async);
SAME_TYPE(&SspiAcceptSecurityContextAsync, accept_async);
SAME_TYPE(&SspiCreateAsyncContext, create_context);
SAME_TYPE(&SspiDeleteSecurityContextAsync, handle_async);
SAME_TYPE(&SspiFreeCredentialsHandleAsync, handle_async);
#ifdef UNICODE
SAME_TYPE(&SspiAcquireCredentialsHandleAsync, acquire_async);
SAME_TYPE((SecPkgContext_Names *)0, SecPkgContext_NamesW *);
SAME_TYPE((SEC_WINNT_AUTH_IDENTITY *)0, SEC_WINNT_AUTH_IDENTITY_W *);
SAME_TYPE((PSecurityFunctionTable)0, SecurityFunctionTableW *);
SAME_TYPE((PSecPkgInfo)0, SecPkgInfoW *);
#else
SAME_TYPE(&SspiAcquireCredentialsHandleAsync, acquire_async_a);
SAME_TYPE((SecPkgContext_Names *)0, SecPkgContext_NamesA *);
SAME_TYPE((SEC_WINNT_AUTH_IDENTITY *)0, SEC_WINNT_AUTH_IDENTITY_A *);
SAME_TYPE((PSecurityFunctionTable)0, SecurityFunctionTableA *);
SAME_TYPE((PSecPkgInfo)0, SecPkgInfoA *);
#endif

/* What a W function takes for a string. */
#ifdef SECURITY_KERNEL
EXPECT(ISSP_MODE == 0, "kernel mode wins");
SAME_TYPE((PSSPI_SEC_STRING)0, UNICODE_STRING *);
#else
EXPECT(ISSP_MODE == 1, "user mode is the default");
SAME_TYPE((PSSPI_SEC_STRING)0, WCHAR *);
#endif
#if __SIZEOF_WCHAR_T__ == 2
SAME_TYPE((WCHAR *)0, wchar_t *);
#elif defined(__cplusplus)
SAME_TYPE((WCHAR *)0, char16_t *);
#else
SAME_TYPE((WCHAR *)0, __CHAR16_TYPE__ *);
#endif
EXPECT(sizeof(OSSPI_WTEXT("ab")) == 6, "16-bit literals");
EXPECT(sizeof(SEC_TEXT("ab")) == 3 * sizeof(TCHAR), "SEC_TEXT");
EXPECT(SEC_DELETED_HANDLE == (ULONG_PTR)-2, "deleted handle");
EXPECT(sizeof(SEC_DELETED_HANDLE) == sizeof(void *), "deleted handle");

/* The handle macros, with a handle and with a pointer to another handle type. */
int test_prototypes_handle(void);
int test_prototypes_handle(void)
{
    CredHandle handle = {1, 2};

    if (!SecIsValidHandle(&handle))
        return 1;
    SecInvalidateHandle(&handle);
    if (SecIsValidHandle(&handle))
        return 2;
    handle.dwLower = 0;
    return SecIsValidHandle(&handle) ? 3 : 0;
}
