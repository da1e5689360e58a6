// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/signature.cpp - the trust anchor, the signature over the header, and those that countersign it.
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/crypto/curves.hpp"

#include <bit>

namespace bundle {

namespace {

constexpr std::uint32_t known_purposes = purpose_bundle | countersigning;
constexpr std::uint32_t known_flags = key_development | key_revoked | key_policy_set | key_policy_met;

Status check_slot(const KeySlot& slot) {
    if (slot.purpose == 0)
        return bytes::is_zero(bytes::of(slot)) ? Status{base::success} : failure(Error::bad_key_table);
    if ((slot.purpose & ~known_purposes) != 0 || !std::has_single_bit(slot.purpose) ||
        (slot.flags & ~known_flags) != 0 || (slot.required & ~countersigning) != 0 || slot.reserved0 != 0 ||
        !bytes::is_zero(bytes::of(slot.reserved1)))
        return failure(Error::bad_key_table);
    return base::success;
}

// The first slot that holds the key of that ID, or one that revokes it; or none.
const KeySlot* slot_of(const KeyTable& keys, const Hash& key_id, crypto::Sha256Engine engine) {
    const KeySlot* found = nullptr;
    for (const KeySlot& slot : keys.slots)
        if (slot.purpose != 0 && (found == nullptr || (slot.flags & key_revoked) != 0) &&
            crypto::equal(crypto::sha256(bytes::of(slot.public_key), engine), key_id))
            found = &slot;
    return found;
}

Status check_slot_holds(const KeySlot& slot, const Header& header) {
    if ((slot.flags & key_revoked) != 0)
        return failure(Error::revoked_key);
    if (header.security_version < slot.security_version_floor)
        return failure(Error::security_version_too_low);
    return base::success;
}

// The purposes of those countersignatures whose keys are trusted; each of these must hold. One by a key that is in no slot does
// not count: it is for another loader.
Result<std::uint32_t> countersigned(const HeaderBuffer& buffer, const Signatures& signatures,
                                    const KeyTable& keys, crypto::Sha256Engine engine) {
    if (!bytes::is_zero(bytes::of(signatures.reserved)))
        return failure(Error::reserved_not_zero);
    std::uint32_t purposes = 0;
    for (const Countersignature& one : signatures.counter) {
        if (one.purpose == 0 ? !bytes::is_zero(bytes::of(one))
                             : one.reserved0 != 0 || !bytes::is_zero(bytes::of(one.reserved1)) ||
                                   bytes::is_zero(bytes::of(one.key_id)))
            return failure(Error::reserved_not_zero);
        const KeySlot* const slot = one.purpose == 0 ? nullptr : slot_of(keys, one.key_id, engine);
        if (slot == nullptr)
            continue;
        CAISSON_TRY(check_slot_holds(*slot, buffer.header()));
        const Approval approval = approval_of(bundle_id(buffer.bytes(), engine), one.purpose);
        if (slot->purpose != one.purpose || (one.purpose & ~countersigning) != 0 ||
            !crypto::ed25519_verify(std::as_bytes(std::span{one.signature}), approval, slot->public_key))
            return failure(Error::bad_countersignature);
        purposes |= one.purpose;
    }
    return purposes;
}

} // namespace

Approval approval_of(const Hash& bundle_id, std::uint32_t purpose) {
    Approval out;
    std::memcpy(out.data(), approval_domain, sizeof approval_domain);
    std::memcpy(out.data() + sizeof approval_domain, &purpose, sizeof purpose);
    std::memcpy(out.data() + sizeof approval_domain + sizeof purpose, bundle_id.data(), bundle_id.size());
    return out;
}

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
    for (const KeySlot& slot : keys.slots)
        any = any || slot.purpose == purpose_bundle;
    if (!any)
        return failure(Error::no_trusted_key);
    const KeySlot* const slot = slot_of(keys, header.key_id, engine);
    if (slot == nullptr || slot->purpose != purpose_bundle)
        return failure(Error::unknown_key);
    const Signatures signatures = buffer.signatures();
    if (!crypto::ed25519_verify(std::as_bytes(std::span{signatures.build}), buffer.message(),
                                slot->public_key))
        return failure(Error::bad_signature);
    CAISSON_TRY(check_slot_holds(*slot, header));
    const std::uint32_t purposes = CAISSON_TRY(countersigned(buffer, signatures, keys, engine));
    if ((slot->required & ~purposes) != 0)
        return failure(Error::not_approved);
    if ((slot->flags & key_policy_set) != 0 && header.policy_set != slot->policy_set)
        return failure(Error::other_policies);
    if ((slot->flags & key_policy_met) != 0 && header.policy_marks != 0)
        return failure(Error::policies_unmet);
    return Signer{static_cast<std::uint32_t>(slot - keys.slots.data()), (slot->flags & key_development) != 0,
                  header.security_version, slot->security_version_floor, purposes};
}

} // namespace bundle
