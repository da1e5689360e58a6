// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/signature.cpp - the trust anchor and the signature over the header.
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/crypto/curves.hpp"

namespace bundle {

namespace {

constexpr std::uint32_t known_purposes = purpose_bundle;
constexpr std::uint32_t known_flags = key_development;

Status check_slot(const KeySlot& slot) {
    if (slot.purpose == 0)
        return bytes::is_zero(bytes::of(slot)) ? Status{base::success} : failure(Error::bad_key_table);
    if ((slot.purpose & ~known_purposes) != 0 || (slot.flags & ~known_flags) != 0 ||
        !bytes::is_zero(bytes::of(slot.reserved)))
        return failure(Error::bad_key_table);
    return base::success;
}

} // namespace

Status check_keys(const KeyTable& keys) {
    if (keys.magic != key_table_magic || keys.count != key_slots || keys.entsize != sizeof(KeySlot) ||
        !bytes::is_zero(bytes::of(keys.reserved)))
        return failure(Error::bad_key_table);
    for (const KeySlot& slot : keys.slots)
        CAISSON_TRY(check_slot(slot));
    return base::success;
}

Result<Signer> verify_signature(const HeaderBuffer& buffer, const KeyTable& keys,
                                crypto::Sha256Engine engine) {
    CAISSON_TRY(check_keys(keys));
    const Header& header = buffer.header();
    bool any = false;
    for (std::uint32_t index = 0; index < key_slots; ++index) {
        const KeySlot& slot = keys.slots[index];
        if ((slot.purpose & purpose_bundle) == 0)
            continue;
        any = true;
        if (!crypto::equal(crypto::sha256(bytes::of(slot.public_key), engine), header.key_id))
            continue;
        if (!crypto::ed25519_verify(buffer.signature(), buffer.message(), slot.public_key))
            return failure(Error::bad_signature);
        if (header.security_version < slot.security_version_floor)
            return failure(Error::security_version_too_low);
        return Signer{index, (slot.flags & key_development) != 0, header.security_version,
                      slot.security_version_floor};
    }
    return failure(any ? Error::unknown_key : Error::no_trusted_key);
}

} // namespace bundle
