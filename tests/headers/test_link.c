/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every function that the public headers declare is in the library, under the symbol that the build
 * mode asks for. Compiled in user and in kernel mode, as C and as C++; that it links is most of the
 * test.
 */
#ifndef SECURITY_KERNEL
#define SECURITY_WIN32
#endif
#include <opensspi.h>
#include <schannel.h>

#include <stdio.h>

typedef void (*any_function)(void);
struct entry {
    const char *name;
    any_function function;
};
#define ADDRESS(name) \
    { \
#name, (any_function)&name \
    }

/* clang-format off */
static const struct entry functions[] = {
    ADDRESS(AcquireCredentialsHandleW),
    ADDRESS(AcquireCredentialsHandleA),
    ADDRESS(FreeCredentialsHandle),
    ADDRESS(AddCredentialsW),
    ADDRESS(AddCredentialsA),
    ADDRESS(QueryCredentialsAttributesW),
    ADDRESS(QueryCredentialsAttributesA),
    ADDRESS(QueryCredentialsAttributesExW),
    ADDRESS(QueryCredentialsAttributesExA),
    ADDRESS(SetCredentialsAttributesW),
    ADDRESS(SetCredentialsAttributesA),
    ADDRESS(InitializeSecurityContextW),
    ADDRESS(InitializeSecurityContextA),
    ADDRESS(AcceptSecurityContext),
    ADDRESS(CompleteAuthToken),
    ADDRESS(DeleteSecurityContext),
    ADDRESS(ApplyControlToken),
    ADDRESS(QueryContextAttributesW),
    ADDRESS(QueryContextAttributesA),
    ADDRESS(QueryContextAttributesExW),
    ADDRESS(QueryContextAttributesExA),
    ADDRESS(SetContextAttributesW),
    ADDRESS(SetContextAttributesA),
    ADDRESS(ImpersonateSecurityContext),
    ADDRESS(RevertSecurityContext),
    ADDRESS(QuerySecurityContextToken),
    ADDRESS(FreeContextBuffer),
    ADDRESS(ExportSecurityContext),
    ADDRESS(ImportSecurityContextW),
    ADDRESS(ImportSecurityContextA),
    ADDRESS(DelegateSecurityContext),
    ADDRESS(MakeSignature),
    ADDRESS(VerifySignature),
    ADDRESS(EncryptMessage),
    ADDRESS(DecryptMessage),
    ADDRESS(EnumerateSecurityPackagesW),
    ADDRESS(EnumerateSecurityPackagesA),
    ADDRESS(QuerySecurityPackageInfoW),
    ADDRESS(QuerySecurityPackageInfoA),
    ADDRESS(SspiCreateAsyncContext),
    ADDRESS(SspiFreeAsyncContext),
    ADDRESS(SspiReinitAsyncContext),
    ADDRESS(SspiSetAsyncNotifyCallback),
    ADDRESS(SspiAsyncContextRequiresNotify),
    ADDRESS(SspiGetAsyncCallStatus),
    ADDRESS(SspiAcquireCredentialsHandleAsyncW),
    ADDRESS(SspiAcquireCredentialsHandleAsyncA),
    ADDRESS(SspiInitializeSecurityContextAsyncW),
    ADDRESS(SspiInitializeSecurityContextAsyncA),
    ADDRESS(SspiAcceptSecurityContextAsync),
    ADDRESS(SspiFreeCredentialsHandleAsync),
    ADDRESS(SspiDeleteSecurityContextAsync),
    ADDRESS(InitSecurityInterfaceA),
    ADDRESS(InitSecurityInterfaceW),
    ADDRESS(SspiEncodeStringsAsAuthIdentity),
    ADDRESS(SspiEncodeAuthIdentityAsStrings),
    ADDRESS(SspiValidateAuthIdentity),
    ADDRESS(SspiCopyAuthIdentity),
    ADDRESS(SspiFreeAuthIdentity),
    ADDRESS(SspiZeroAuthIdentity),
    ADDRESS(SspiLocalFree),
    ADDRESS(SspiCompareAuthIdentities),
    ADDRESS(SspiMarshalAuthIdentity),
    ADDRESS(SspiUnmarshalAuthIdentity),
    ADDRESS(SspiEncryptAuthIdentity),
    ADDRESS(SspiEncryptAuthIdentityEx),
    ADDRESS(SspiDecryptAuthIdentity),
    ADDRESS(SspiDecryptAuthIdentityEx),
    ADDRESS(SspiIsAuthIdentityEncrypted),
    ADDRESS(SspiPrepareForCredRead),
    ADDRESS(SspiPrepareForCredWrite),
    ADDRESS(SspiExcludePackage),
    ADDRESS(SspiGetTargetHostName),
    ADDRESS(SspiIsPromptingNeeded),
    ADDRESS(SspiGetCredUIContext),
    ADDRESS(SspiUpdateCredentials),
    ADDRESS(SspiUnmarshalCredUIContext),
    ADDRESS(SslEmptyCacheA),
    ADDRESS(SslEmptyCacheW),
    ADDRESS(SslGetServerIdentity),
    ADDRESS(SslGetExtensions),
    ADDRESS(SslCrackCertificate),
    ADDRESS(SslFreeCertificate),
    ADDRESS(SslGenerateKeyPair),
    ADDRESS(SslGenerateRandomBits),
    ADDRESS(SslGetMaximumKeySize),
    ADDRESS(SslGetDefaultIssuers),
    ADDRESS(CertOpenStore),
    ADDRESS(CertCloseStore),
    ADDRESS(CertAddCertificateContextToStore),
    ADDRESS(CertAddEncodedCertificateToStore),
    ADDRESS(CertEnumCertificatesInStore),
    ADDRESS(CertFindCertificateInStore),
    ADDRESS(PFXImportCertStore),
    ADDRESS(CertCreateCertificateContext),
    ADDRESS(CertDuplicateCertificateContext),
    ADDRESS(CertFreeCertificateContext),
    ADDRESS(CertGetCertificateContextProperty),
    ADDRESS(CertSetCertificateContextProperty),
    ADDRESS(CertGetNameStringW),
    ADDRESS(CertGetNameStringA),
    ADDRESS(CertFindExtension),
    ADDRESS(CertCreateCertificateChainEngine),
    ADDRESS(CertFreeCertificateChainEngine),
    ADDRESS(CertGetCertificateChain),
    ADDRESS(CertDuplicateCertificateChain),
    ADDRESS(CertFreeCertificateChain),
    ADDRESS(CertVerifyCertificateChainPolicy),
    ADDRESS(CertOpenSystemStoreW),
    ADDRESS(CertOpenSystemStoreA),
    ADDRESS(CertDeleteCertificateFromStore),
    ADDRESS(CryptDecodeObjectEx),
    ADDRESS(CryptQueryObject),
    ADDRESS(CryptStringToBinaryA),
    ADDRESS(CryptStringToBinaryW),
    ADDRESS(CryptBinaryToStringA),
    ADDRESS(CryptBinaryToStringW),
    ADDRESS(LocalFree),
    ADDRESS(OsspiListStore),
    ADDRESS(GetLastError),
    ADDRESS(SetLastError),
    ADDRESS(OsspiLoadCertificate),
    ADDRESS(OsspiRenewCredential),
    ADDRESS(OsspiGetCertificateChainAsync),
    ADDRESS(OsspiCreateCompletionQueue),
    ADDRESS(OsspiCompletionQueueFd),
    ADDRESS(OsspiDrainCompletions),
    ADDRESS(OsspiCloseCompletionQueue),
    ADDRESS(OsspiSetCompletionQueue),
    ADDRESS(OsspiWaitAsyncCall),
    ADDRESS(OsspiCancelAsyncCall),
    ADDRESS(OsspiSetAsyncTimeout),
    ADDRESS(OsspiConfigure),
    ADDRESS(OsspiGetStatistics),
    ADDRESS(OsspiSetTrace),
    ADDRESS(OsspiShutdown),
    ADDRESS(OsspiStatusName),
    ADDRESS(OsspiStatusText),
    ADDRESS(OsspiGetErrorDetail),
#ifdef SECURITY_KERNEL
    ADDRESS(SecMakeSPN),
    ADDRESS(SecMakeSPNEx),
    ADDRESS(SecMakeSPNEx2),
    ADDRESS(SecLookupAccountSid),
    ADDRESS(SecLookupAccountName),
    ADDRESS(SecLookupWellKnownSid),
#else
    ADDRESS(ChangeAccountPasswordW),
    ADDRESS(ChangeAccountPasswordA),
    ADDRESS(AddSecurityPackageW),
    ADDRESS(AddSecurityPackageA),
    ADDRESS(DeleteSecurityPackageW),
    ADDRESS(DeleteSecurityPackageA),
    ADDRESS(SspiPromptForCredentialsW),
    ADDRESS(SspiPromptForCredentialsA),
    ADDRESS(SaslEnumerateProfilesW),
    ADDRESS(SaslEnumerateProfilesA),
    ADDRESS(SaslGetProfilePackageW),
    ADDRESS(SaslGetProfilePackageA),
    ADDRESS(SaslIdentifyPackageW),
    ADDRESS(SaslIdentifyPackageA),
    ADDRESS(SaslInitializeSecurityContextW),
    ADDRESS(SaslInitializeSecurityContextA),
    ADDRESS(SaslAcceptSecurityContext),
    ADDRESS(SaslSetContextOption),
    ADDRESS(SaslGetContextOption),
#endif
};
/* clang-format on */

int main(void)
{
    size_t i;
    int failures = 0;

    for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (functions[i].function == NULL) {
            fprintf(stderr, "%s is not there\n", functions[i].name);
            failures++;
        }
    }
    return failures != 0;
}
