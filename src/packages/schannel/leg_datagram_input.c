/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Input buffers of datagram legs: MTU, SRTP profiles (RFC 5764, 4.1.1), the client's address.
 *
 * The address is whatever bytes tell one client from another: the struct sockaddr, as a rule. A
 * buffer without bytes is allowed; then cookies only show that somebody answers, not from where. No
 * buffer at all is a mistake, and SEC_E_INVALID_PARAMETER as on Windows.
 */
#include <endian.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/leg_datagram.h"
#include "packages/schannel/record_datagram.h"

/* ---- MTU ---- */

SECURITY_STATUS osspi_datagram_set_mtu(struct osspi_schannel_context *sc, const void *buffer)
{
    SEC_DTLS_MTU mtu;

    if (sc->kind != OSSPI_KIND_DATAGRAM)
        return SEC_E_UNSUPPORTED_FUNCTION;
    memcpy(&mtu, buffer, sizeof(mtu));
    if (mtu.PathMTU < OSSPI_MTU_MIN)
        return SEC_E_INVALID_PARAMETER;
    atomic_store(&sc->mtu, mtu.PathMTU);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_datagram_get_mtu(struct osspi_schannel_context *sc, void *buffer)
{
    if (sc->kind != OSSPI_KIND_DATAGRAM)
        return SEC_E_UNSUPPORTED_FUNCTION;
    ((SEC_DTLS_MTU *)buffer)->PathMTU = atomic_load(&sc->mtu);
    return SEC_E_OK;
}

static SECURITY_STATUS take_mtu(struct osspi_leg_run *run)
{
    const SecBuffer *buffer = osspi_buffers_find(&run->in.buffers, SECBUFFER_DTLS_MTU);

    if (!buffer)
        return SEC_E_OK;
    if (buffer->cbBuffer != sizeof(SEC_DTLS_MTU) || !buffer->pvBuffer)
        return SEC_E_INVALID_TOKEN;
    return osspi_datagram_set_mtu(run->sc, buffer->pvBuffer);
}

/* ---- SRTP ---- */

static SECURITY_STATUS take_profiles(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = run->sc->handshake->datagram;
    const SecBuffer *buffer =
        osspi_buffers_find(&run->in.buffers, SECBUFFER_SRTP_PROTECTION_PROFILES);
    const size_t head = offsetof(SEC_SRTP_PROTECTION_PROFILES, ProfilesList);
    const uint8_t *list;
    USHORT size;

    if (!buffer)
        return SEC_E_OK;
    if (buffer->cbBuffer < head || !buffer->pvBuffer)
        return SEC_E_INVALID_TOKEN;
    memcpy(&size, buffer->pvBuffer, sizeof(size));
    if (size == 0 || size % 2 != 0 || size != buffer->cbBuffer - head)
        return SEC_E_INVALID_TOKEN;
    if (size > sizeof(datagram->srtp))
        return SEC_E_INVALID_PARAMETER;
    list = (const uint8_t *)buffer->pvBuffer + head;
    if (!osspi_tls_srtp_known(list, size))
        return SEC_E_UNSUPPORTED_FUNCTION;
    memcpy(datagram->srtp, list, size);
    datagram->setup = (struct osspi_datagram_setup){datagram->srtp, size};
    return SEC_E_OK;
}

SECURITY_STATUS osspi_datagram_get_srtp(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_SrtpParameters *parameters = buffer;

    if (sc->kind != OSSPI_KIND_DATAGRAM)
        return SEC_E_UNSUPPORTED_FUNCTION;
    *parameters = (SecPkgContext_SrtpParameters){
        .ProtectionProfile = htobe16(osspi_record_of_datagram(sc->record)->srtp)};
    return SEC_E_OK;
}

/* The TLS library has no identifiers but the empty one. */
static SECURITY_STATUS check_identifier(const struct osspi_leg_run *run)
{
    const SecBuffer *buffer =
        osspi_buffers_find(&run->in.buffers, SECBUFFER_SRTP_MASTER_KEY_IDENTIFIER);
    const uint8_t *bytes = buffer ? buffer->pvBuffer : NULL;

    if (!buffer)
        return SEC_E_OK;
    if (!bytes || buffer->cbBuffer == 0 || bytes[0] != buffer->cbBuffer - 1)
        return SEC_E_INVALID_TOKEN;
    return bytes[0] == 0 ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION;
}

/* ---- the client's address ---- */

static SECURITY_STATUS take_address(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = run->sc->handshake->datagram;
    const SecBuffer *buffer = osspi_buffers_find(&run->in.buffers, SECBUFFER_EXTRA);

    if (!run->sc->server || run->sc->tls)
        return SEC_E_OK;
    if (!buffer)
        return run->leg->first ? SEC_E_INVALID_PARAMETER : SEC_E_OK;
    if (buffer->cbBuffer > sizeof(datagram->address))
        return SEC_E_INVALID_PARAMETER;
    if (buffer->cbBuffer > 0)
        memcpy(datagram->address, buffer->pvBuffer, buffer->cbBuffer);
    datagram->address_len = buffer->cbBuffer;
    return SEC_E_OK;
}

/* A server's protocols are wanted only when the cookie has come back, in another leg. */
static SECURITY_STATUS keep_protocols(struct osspi_leg_run *run)
{
    struct osspi_datagram_handshake *datagram = run->sc->handshake->datagram;

    if (!run->sc->server || run->in.alpn_len == 0 || datagram->alpn)
        return SEC_E_OK;
    datagram->alpn = osspi_memdup(run->in.alpn, run->in.alpn_len);
    datagram->alpn_len = run->in.alpn_len;
    return datagram->alpn ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* Kinds of input that only streams know what to do with. */
static bool has_foreign(const struct osspi_leg_run *run)
{
    static const ULONG foreign[] = {SECBUFFER_PRESHARED_KEY, SECBUFFER_PRESHARED_KEY_IDENTITY,
                                    SECBUFFER_SEND_GENERIC_TLS_EXTENSION,
                                    SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION};

    for (size_t i = 0; i < OSSPI_COUNT_OF(foreign); i++) {
        if (osspi_buffers_find(&run->in.buffers, foreign[i]))
            return true;
    }
    return false;
}

SECURITY_STATUS osspi_datagram_take_buffers(struct osspi_leg_run *run)
{
    SECURITY_STATUS status = has_foreign(run) ? SEC_E_UNSUPPORTED_FUNCTION : take_mtu(run);

    if (status != SEC_E_OK || !run->sc->handshake)
        return status;
    status = take_address(run);
    if (!run->leg->first)
        return status;
    if (status == SEC_E_OK)
        status = check_identifier(run);
    if (status == SEC_E_OK)
        status = take_profiles(run);
    return status == SEC_E_OK ? keep_protocols(run) : status;
}

void osspi_datagram_handshake_free(struct osspi_datagram_handshake *datagram)
{
    if (!datagram)
        return;
    osspi_line_clear(&datagram->line);
    osspi_flight_clear(&datagram->flight);
    osspi_free(datagram->rest);
    osspi_free(datagram->alpn);
    osspi_secret_free(datagram, sizeof(*datagram));
}
