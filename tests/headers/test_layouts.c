/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every structure has the size, and its members the places, that they have on 64-bit Windows.
 * Compiled in every build mode, as C and as C++; that it compiles is the test.
 */
#include <opensspi.h>

#include <credssp.h>
#include <schannel.h>

#include "expect.h"

/* The data model. */
SIZE(CHAR, 1);
SIZE(BYTE, 1);
SIZE(BOOLEAN, 1);
SIZE(WORD, 2);
SIZE(USHORT, 2);
SIZE(WCHAR, 2);
SIZE(BOOL, 4);
SIZE(LONG, 4);
SIZE(ULONG, 4);
SIZE(DWORD, 4);
SIZE(SECURITY_STATUS, 4);
SIZE(NTSTATUS, 4);
SIZE(HRESULT, 4);
SIZE(ALG_ID, 4);
SIZE(ULONGLONG, 8);
SIZE(ULONG_PTR, sizeof(void *));
SIZE(HANDLE, sizeof(void *));
SIZE(HCRYPTPROV, 8);
SIZE(FILETIME, 8);
SIZE(LUID, 8);
SIZE(GUID, 16);
EXPECT((LONG)-1 < 0 && (ULONG)-1 > 0 && (SECURITY_STATUS)-1 < 0, "signs");
SIZE(SEC_TRAFFIC_SECRET_TYPE, 4);
SIZE(CREDSPP_SUBMIT_TYPE, 4);
SIZE(SECPKG_ATTR_LCT_STATUS, 4);

SIZE(UNICODE_STRING, 16);
OFFSET(UNICODE_STRING, MaximumLength, 2);
OFFSET(UNICODE_STRING, Buffer, 8);
SIZE(SECURITY_STRING, 16);
SIZE(TimeStamp, 8);
OFFSET(TimeStamp, LowPart, 0);
OFFSET(TimeStamp, HighPart, 4);
OFFSET(TimeStamp, QuadPart, 0);

/* sspi.h */
SIZE(SecHandle, 16);
OFFSET(SecHandle, dwUpper, 8);
SIZE(CredHandle, 16);
SIZE(CtxtHandle, 16);
SIZE(SecBuffer, 16);
OFFSET(SecBuffer, BufferType, 4);
OFFSET(SecBuffer, pvBuffer, 8);
SIZE(SecBufferDesc, 16);
OFFSET(SecBufferDesc, cBuffers, 4);
OFFSET(SecBufferDesc, pBuffers, 8);
SIZE(SecPkgInfoA, 32);
SIZE(SecPkgInfoW, 32);
OFFSET(SecPkgInfoW, wVersion, 4);
OFFSET(SecPkgInfoW, wRPCID, 6);
OFFSET(SecPkgInfoW, cbMaxToken, 8);
OFFSET(SecPkgInfoW, Name, 16);
OFFSET(SecPkgInfoW, Comment, 24);

SIZE(SEC_CHANNEL_BINDINGS, 32);
OFFSET(SEC_CHANNEL_BINDINGS, cbApplicationDataLength, 24);
OFFSET(SEC_CHANNEL_BINDINGS, dwApplicationDataOffset, 28);
SIZE(SEC_APPLICATION_PROTOCOL_LIST, 8);
OFFSET(SEC_APPLICATION_PROTOCOL_LIST, ProtocolListSize, 4);
OFFSET(SEC_APPLICATION_PROTOCOL_LIST, ProtocolList, 6);
SIZE(SEC_APPLICATION_PROTOCOLS, 12);
OFFSET(SEC_APPLICATION_PROTOCOLS, ProtocolLists, 4);
SIZE(SEC_FLAGS, 8);
SIZE(SEC_DTLS_MTU, 2);
SIZE(SEC_PRESHAREDKEY, 4);
OFFSET(SEC_PRESHAREDKEY, Key, 2);
SIZE(SEC_SRTP_PROTECTION_PROFILES, 4);
SIZE(SEC_SRTP_MASTER_KEY_IDENTIFIER, 2);
SIZE(SEC_TOKEN_BINDING, 6);
OFFSET(SEC_TOKEN_BINDING, KeyParameters, 4);
SIZE(SEC_CERTIFICATE_REQUEST_CONTEXT, 2);
SIZE(SEC_TRAFFIC_SECRETS, 400);
OFFSET(SEC_TRAFFIC_SECRETS, ChainingMode, 128);
OFFSET(SEC_TRAFFIC_SECRETS, HashAlgId, 256);
OFFSET(SEC_TRAFFIC_SECRETS, KeySize, 384);
OFFSET(SEC_TRAFFIC_SECRETS, MsgSequenceEnd, 390);
OFFSET(SEC_TRAFFIC_SECRETS, TrafficSecretType, 392);
OFFSET(SEC_TRAFFIC_SECRETS, TrafficSecretSize, 396);
OFFSET(SEC_TRAFFIC_SECRETS, TrafficSecret, 398);

SIZE(SecPkgContext_Sizes, 16);
SIZE(SecPkgContext_StreamSizes, 20);
SIZE(SecPkgContext_DatagramSizes, 20);
SIZE(SecPkgContext_Lifespan, 16);
SIZE(SecPkgContext_KeyInfoW, 32);
OFFSET(SecPkgContext_KeyInfoW, KeySize, 16);
SIZE(SecPkgContext_SessionKey, 16);
OFFSET(SecPkgContext_SessionKey, SessionKey, 8);
SIZE(SecPkgContext_NegotiationInfoW, 16);
SIZE(SecPkgContext_NegoKeys, 32);
SIZE(SecPkgContext_Bindings, 16);
SIZE(SecPkgContext_NegotiatedTlsExtensions, 16);
SIZE(SecPkgCredentials_KdcProxySettingsW, 16);
#ifndef SECURITY_KERNEL
SIZE(SecPkgContext_ApplicationProtocol, 264);
OFFSET(SecPkgContext_ApplicationProtocol, ProtocolIdSize, 8);
OFFSET(SecPkgContext_ApplicationProtocol, ProtocolId, 9);
#endif

SIZE(SEC_WINNT_AUTH_IDENTITY_A, 48);
SIZE(SEC_WINNT_AUTH_IDENTITY_W, 48);
OFFSET(SEC_WINNT_AUTH_IDENTITY_W, Domain, 16);
OFFSET(SEC_WINNT_AUTH_IDENTITY_W, Password, 32);
OFFSET(SEC_WINNT_AUTH_IDENTITY_W, PasswordLength, 40);
OFFSET(SEC_WINNT_AUTH_IDENTITY_W, Flags, 44);
SIZE(SEC_WINNT_AUTH_IDENTITY_EXA, 72);
SIZE(SEC_WINNT_AUTH_IDENTITY_EXW, 72);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EXW, User, 8);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EXW, Flags, 52);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EXW, PackageList, 56);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EXW, PackageListLength, 64);
SIZE(SEC_WINNT_AUTH_IDENTITY_EX2, 48);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EX2, cbStructureLength, 8);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EX2, UserOffset, 12);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EX2, PackedCredentialsOffset, 28);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EX2, Flags, 36);
OFFSET(SEC_WINNT_AUTH_IDENTITY_EX2, PackageListLength, 44);
SIZE(SEC_WINNT_AUTH_PACKED_CREDENTIALS, 28);
OFFSET(SEC_WINNT_AUTH_PACKED_CREDENTIALS, AuthData, 4);

/* The function tables: a version, then 31 pointers. */
SIZE(SecurityFunctionTableA, 256);
SIZE(SecurityFunctionTableW, 256);
#define SLOT(name_a, name_w, number) \
    OFFSET(SecurityFunctionTableA, name_a, (number)*8); \
    OFFSET(SecurityFunctionTableW, name_w, (number)*8)
SLOT(EnumerateSecurityPackagesA, EnumerateSecurityPackagesW, 1);
SLOT(QueryCredentialsAttributesA, QueryCredentialsAttributesW, 2);
SLOT(AcquireCredentialsHandleA, AcquireCredentialsHandleW, 3);
SLOT(FreeCredentialHandle, FreeCredentialHandle, 4);
SLOT(FreeCredentialsHandle, FreeCredentialsHandle, 4);
SLOT(Reserved2, Reserved2, 5);
SLOT(InitializeSecurityContextA, InitializeSecurityContextW, 6);
SLOT(AcceptSecurityContext, AcceptSecurityContext, 7);
SLOT(CompleteAuthToken, CompleteAuthToken, 8);
SLOT(DeleteSecurityContext, DeleteSecurityContext, 9);
SLOT(ApplyControlToken, ApplyControlToken, 10);
SLOT(QueryContextAttributesA, QueryContextAttributesW, 11);
SLOT(ImpersonateSecurityContext, ImpersonateSecurityContext, 12);
SLOT(RevertSecurityContext, RevertSecurityContext, 13);
SLOT(MakeSignature, MakeSignature, 14);
SLOT(VerifySignature, VerifySignature, 15);
SLOT(FreeContextBuffer, FreeContextBuffer, 16);
SLOT(QuerySecurityPackageInfoA, QuerySecurityPackageInfoW, 17);
SLOT(Reserved3, Reserved3, 18);
SLOT(Reserved4, Reserved4, 19);
SLOT(ExportSecurityContext, ExportSecurityContext, 20);
SLOT(ImportSecurityContextA, ImportSecurityContextW, 21);
SLOT(AddCredentialsA, AddCredentialsW, 22);
SLOT(Reserved8, Reserved8, 23);
SLOT(QuerySecurityContextToken, QuerySecurityContextToken, 24);
SLOT(EncryptMessage, EncryptMessage, 25);
SLOT(DecryptMessage, DecryptMessage, 26);
SLOT(SetContextAttributesA, SetContextAttributesW, 27);
SLOT(SetCredentialsAttributesA, SetCredentialsAttributesW, 28);
#ifdef SECURITY_KERNEL
SLOT(Reserved9, Reserved9, 29);
#else
SLOT(ChangeAccountPasswordA, ChangeAccountPasswordW, 29);
#endif
SLOT(QueryContextAttributesExA, QueryContextAttributesExW, 30);
SLOT(QueryCredentialsAttributesExA, QueryCredentialsAttributesExW, 31);

/* schannel.h */
SIZE(SCHANNEL_CRED, 80);
OFFSET(SCHANNEL_CRED, paCred, 8);
OFFSET(SCHANNEL_CRED, hRootStore, 16);
OFFSET(SCHANNEL_CRED, palgSupportedAlgs, 48);
OFFSET(SCHANNEL_CRED, grbitEnabledProtocols, 56);
OFFSET(SCHANNEL_CRED, dwFlags, 72);
OFFSET(SCHANNEL_CRED, dwCredFormat, 76);
SIZE(SCH_CREDENTIALS, 72);
OFFSET(SCH_CREDENTIALS, dwCredFormat, 4);
OFFSET(SCH_CREDENTIALS, paCred, 16);
OFFSET(SCH_CREDENTIALS, hRootStore, 24);
OFFSET(SCH_CREDENTIALS, dwSessionLifespan, 48);
OFFSET(SCH_CREDENTIALS, dwFlags, 52);
OFFSET(SCH_CREDENTIALS, pTlsParameters, 64);
SIZE(TLS_PARAMETERS, 40);
OFFSET(TLS_PARAMETERS, grbitDisabledProtocols, 16);
OFFSET(TLS_PARAMETERS, pDisabledCrypto, 24);
OFFSET(TLS_PARAMETERS, dwFlags, 32);
SIZE(CRYPTO_SETTINGS, 48);
OFFSET(CRYPTO_SETTINGS, strCngAlgId, 8);
OFFSET(CRYPTO_SETTINGS, rgstrChainingModes, 32);
OFFSET(CRYPTO_SETTINGS, dwMinBitLength, 40);
SIZE(SEND_GENERIC_TLS_EXTENSION, 12);
OFFSET(SEND_GENERIC_TLS_EXTENSION, Buffer, 10);
SIZE(SUBSCRIBE_GENERIC_TLS_EXTENSION, 12);
OFFSET(SUBSCRIBE_GENERIC_TLS_EXTENSION, Subscriptions, 8);
SIZE(SecPkgContext_SessionInfo, 40);
SIZE(SecPkgContext_CipherInfo, 680);
OFFSET(SecPkgContext_CipherInfo, szCipherSuite, 16);
OFFSET(SecPkgContext_CipherInfo, szCipher, 144);
OFFSET(SecPkgContext_CipherInfo, dwCipherLen, 272);
OFFSET(SecPkgContext_CipherInfo, szHash, 280);
OFFSET(SecPkgContext_CipherInfo, szExchange, 412);
OFFSET(SecPkgContext_CipherInfo, szCertificate, 548);
OFFSET(SecPkgContext_CipherInfo, dwKeyType, 676);
SIZE(SecPkgContext_ConnectionInfo, 28);
SIZE(SecPkgContext_ConnectionInfoEx, 404);
SIZE(SecPkgContext_Certificates, 16);
SIZE(SecPkgContext_IssuerListInfoEx, 16);
SIZE(SecPkgContext_CertificateValidationResult, 8);
SIZE(SecPkgContext_EapKeyBlock, 192);
SIZE(SecPkgContext_KeyingMaterialInfo, 40);
OFFSET(SecPkgContext_KeyingMaterialInfo, cbKeyingMaterial, 32);
SIZE(SecPkgContext_KeyingMaterial, 16);
SIZE(SecPkgContext_KeyingMaterial_Inproc, 48);
SIZE(SecPkgContext_SrtpParameters, 16);
OFFSET(SecPkgContext_SrtpParameters, MasterKeyIdentifierSize, 2);
OFFSET(SecPkgContext_SrtpParameters, MasterKeyIdentifier, 8);
SIZE(SCHANNEL_CERT_HASH, 40);
OFFSET(SCHANNEL_CERT_HASH, ShaHash, 16);
SIZE(SCHANNEL_CERT_HASH_STORE, 296);
OFFSET(SCHANNEL_CERT_HASH_STORE, pwszStoreName, 36);
SIZE(SCHANNEL_ALERT_TOKEN, 12);
SIZE(SCHANNEL_SESSION_TOKEN, 8);
SIZE(SecPkgCred_SessionTicketKey, 88);
OFFSET(SecPkgCred_SessionTicketKey, KeyId, 4);
OFFSET(SecPkgCred_SessionTicketKey, KeyingMaterial, 20);
OFFSET(SecPkgCred_SessionTicketKey, KeyingMaterialSize, 84);
SIZE(SecPkgCred_SessionTicketKeys, 16);
OFFSET(SecPkgCred_SessionTicketKeys, pSessionTicketKeys, 8);
SIZE(SCH_EXTENSION_DATA, 24);

/* credssp.h */
SIZE(CREDSSP_CRED, 24);
OFFSET(CREDSSP_CRED, pSchannelCred, 8);
OFFSET(CREDSSP_CRED, pSpnegoCred, 16);
SIZE(SecPkgContext_ClientCreds, 16);

/* wincrypt.h */
SIZE(CRYPT_DATA_BLOB, 16);
SIZE(CRYPT_BIT_BLOB, 24);
SIZE(CRYPT_ALGORITHM_IDENTIFIER, 24);
SIZE(CERT_EXTENSION, 32);
SIZE(CERT_PUBLIC_KEY_INFO, 48);
SIZE(CERT_INFO, 208);
OFFSET(CERT_INFO, SerialNumber, 8);
OFFSET(CERT_INFO, SignatureAlgorithm, 24);
OFFSET(CERT_INFO, Issuer, 48);
OFFSET(CERT_INFO, NotBefore, 64);
OFFSET(CERT_INFO, NotAfter, 72);
OFFSET(CERT_INFO, Subject, 80);
OFFSET(CERT_INFO, SubjectPublicKeyInfo, 96);
OFFSET(CERT_INFO, cExtension, 192);
OFFSET(CERT_INFO, rgExtension, 200);
SIZE(CERT_CONTEXT, 40);
OFFSET(CERT_CONTEXT, pbCertEncoded, 8);
OFFSET(CERT_CONTEXT, cbCertEncoded, 16);
OFFSET(CERT_CONTEXT, pCertInfo, 24);
OFFSET(CERT_CONTEXT, hCertStore, 32);
SIZE(CERT_ALT_NAME_ENTRY, 24);
SIZE(CERT_ALT_NAME_INFO, 16);
SIZE(CERT_BASIC_CONSTRAINTS2_INFO, 12);
SIZE(CERT_ENHKEY_USAGE, 16);
SIZE(CERT_RDN_ATTR, 32);
OFFSET(CERT_RDN_ATTR, dwValueType, 8);
OFFSET(CERT_RDN_ATTR, Value, 16);
SIZE(CERT_RDN, 16);
SIZE(CERT_NAME_INFO, 16);
SIZE(CRYPT_DECODE_PARA, 24);
OFFSET(CRYPT_DECODE_PARA, pfnAlloc, 8);
OFFSET(CRYPT_DECODE_PARA, pfnFree, 16);
SIZE(CERT_TRUST_STATUS, 8);
SIZE(CERT_CHAIN_ELEMENT, 56);
SIZE(CERT_SIMPLE_CHAIN, 40);
SIZE(CERT_CHAIN_CONTEXT, 72);
SIZE(CERT_CHAIN_PARA, 32);
SIZE(CERT_CHAIN_POLICY_STATUS, 24);
SIZE(HTTPSPolicyCallbackData, 24);

/* opensspi.h: fixed from the first release on. New members go to the end. */
OFFSET(OsspiOptions, default_timeout_ms, 24);
OFFSET(OsspiOptions, trust_file, 32);
SIZE(OsspiOptions, 56);
OFFSET(OsspiStatistics, calls_queued, 8);
OFFSET(OsspiStatistics, calls, 144);
SIZE(OsspiHistogram, 264);
SIZE(OsspiStatistics, 144 + 8 * 2 * 264);
SIZE(OsspiTraceRecord, 40);
OFFSET(OsspiTraceRecord, call_id, 16);
OFFSET(OsspiTraceRecord, status, 32);
