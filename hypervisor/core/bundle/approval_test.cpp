// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bundle/fixture_test.hpp"

namespace {

using namespace bundle;
using namespace bundle::test;

const Key& approver() {
    static const Key key{7};
    return key;
}

KeySlot slot_of(const Key& key, std::uint32_t purpose, std::uint32_t flags = 0, std::uint64_t floor = 0) {
    KeySlot out{};
    out.purpose = purpose;
    out.flags = flags;
    out.security_version_floor = floor;
    out.public_key = key.public_key;
    return out;
}

// The builder's key, which demands an approval, and the approver's.
KeyTable two_people() {
    KeyTable keys = table_with(release());
    keys.slots[0].required = purpose_approve;
    keys.slots[3] = slot_of(approver(), purpose_approve);
    return keys;
}

TEST(Approval, IsDemandedByTheSlotOfWhoBuilt) {
    Bundle bundle{release()};
    EXPECT_TRUE(verify_all(bundle.file, table_with(release())).ok());
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::not_approved);
    for (const std::size_t place : {std::size_t{2}, std::size_t{0}}) {
        Bundle approved{release()};
        countersign(approved, approver(), purpose_approve, place);
        EXPECT_TRUE(verify_all(approved.file, two_people()).ok()) << place;
    }
    // Where both are demanded, both must be there.
    KeyTable keys = two_people();
    keys.slots[0].required = countersigning;
    keys.slots[1] = slot_of(Key{9}, purpose_vendor);
    countersign(bundle, approver(), purpose_approve);
    EXPECT_EQ(error_of(bundle.file, keys), Error::not_approved);
    countersign(bundle, Key{9}, purpose_vendor, 1);
    EXPECT_TRUE(verify_all(bundle.file, keys).ok());
    HeaderBuffer buffer;
    ASSERT_TRUE(buffer.load(bytes::Source{bundle.file}).ok());
    EXPECT_EQ(verify_signature(buffer, keys, engine)->countersigned, countersigning);
}

TEST(Approval, ByAnotherKeyIsNone) {
    Bundle bundle{release()};
    countersign(bundle, Key{8}, purpose_approve); // of no slot: not looked at
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::not_approved);
    EXPECT_TRUE(verify_all(bundle.file, table_with(release())).ok());
    countersign(bundle, approver(), purpose_approve, 1);
    EXPECT_TRUE(verify_all(bundle.file, two_people()).ok());
    // The builder's own, and one that claims to be the approver's.
    Bundle own{release()};
    countersign(own, release(), purpose_approve);
    EXPECT_EQ(error_of(own.file, two_people()), Error::bad_countersignature);
    Signatures claimed = signatures_of(own);
    claimed.counter[0].key_id = key_id(approver().public_key);
    put_signatures(own, claimed);
    EXPECT_EQ(error_of(own.file, two_people()), Error::bad_countersignature);
}

TEST(Approval, OfAnotherBundleOrForAnotherPurposeIsRefused) {
    const Bundle other{release(), {{SectionType::table, no_partition, filled(301, 1)}}};
    Bundle bundle{release()};
    ASSERT_NE(id_of(bundle), id_of(other));
    countersign(bundle, approver(), purpose_approve, 0, id_of(other));
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::bad_countersignature);
    // An approver's signature is not a vendor's, whatever the record says.
    countersign(bundle, approver(), purpose_vendor);
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::bad_countersignature);
    Signatures renamed = signatures_of(bundle);
    renamed.counter[0].purpose = purpose_approve;
    put_signatures(bundle, renamed);
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::bad_countersignature);
    // A builder's key in a record is no countersignature, and an approver's key signs no bundle.
    countersign(bundle, release(), purpose_bundle);
    EXPECT_EQ(error_of(bundle.file, two_people()), Error::bad_countersignature);
    Bundle by_approver{approver()};
    EXPECT_EQ(error_of(by_approver.file, two_people()), Error::unknown_key);
}

TEST(Approval, StaysWithTheIdWhoeverSigns) {
    const Key next{3};
    Bundle bundle{release()}, again{next};
    ASSERT_EQ(id_of(bundle), id_of(again));
    countersign(again, approver(), purpose_approve, 0, id_of(bundle));
    KeyTable keys = two_people();
    keys.slots[0].public_key = next.public_key;
    EXPECT_TRUE(verify_all(again.file, keys).ok());
}

// Whoever lists a key as revoked means it, whatever other slots hold the same key, and in whatever order.
TEST(Approval, ARevokedKeyIsRevokedInEverySlot) {
    Bundle bundle{release()};
    countersign(bundle, approver(), purpose_approve);
    ASSERT_TRUE(verify_all(bundle.file, two_people()).ok());
    for (const auto& key : {release().public_key, approver().public_key}) {
        KeyTable keys = two_people();
        KeySlot& last = keys.slots[key_slots - 1];
        ASSERT_EQ(last.purpose, 0u);
        last.purpose = purpose_bundle;
        last.flags = key_revoked;
        last.public_key = key;
        EXPECT_EQ(error_of(bundle.file, keys), Error::revoked_key);
    }
}

TEST(Approval, RevokedKeysAndFloorsCount) {
    Bundle bundle{release()};
    countersign(bundle, approver(), purpose_approve);
    KeyTable keys = two_people();
    keys.slots[3].flags = key_revoked;
    EXPECT_EQ(error_of(bundle.file, keys), Error::revoked_key);
    keys.slots[3].purpose = purpose_bundle; // as revoked keys are listed, whatever they were for
    EXPECT_EQ(error_of(bundle.file, keys), Error::revoked_key);
    keys = two_people();
    keys.slots[3].security_version_floor = 6;
    EXPECT_EQ(error_of(bundle.file, keys), Error::security_version_too_low);
    keys = two_people();
    keys.slots[0].flags = key_revoked;
    EXPECT_EQ(error_of(bundle.file, keys), Error::revoked_key);
}

// Every bit that no signature covers, and that of the signatures themselves.
TEST(Approval, EveryBitOfTheSignaturesIsCovered) {
    Bundle bundle{release()};
    countersign(bundle, approver(), purpose_approve, 1);
    const std::size_t from = bundle.sections[0].offset - sizeof(Signatures);
    unsigned flips = 0;
    for (std::size_t i = from; i < bundle.sections[0].offset; ++i)
        for (unsigned bit = 0; bit < 8; ++bit, ++flips) {
            bundle.file[i] ^= static_cast<std::byte>(1u << bit);
            EXPECT_FALSE(verify_all(bundle.file, two_people()).ok()) << i - from << "." << bit;
            bundle.file[i] ^= static_cast<std::byte>(1u << bit);
        }
    EXPECT_EQ(flips, 4096u);
    EXPECT_TRUE(verify_all(bundle.file, two_people()).ok());
}

TEST(PolicyDemand, OtherPoliciesAreRefused) {
    Hash ours{}, others{};
    ours.fill(1);
    others.fill(2);
    const auto judged_by = [](const Hash& set, std::uint32_t marks) {
        return Bundle{release(), small_parts(), [&](std::span<std::byte> header) {
                          EXPECT_TRUE(bytes::store(header, offsetof(Header, policy_set), set));
                          EXPECT_TRUE(bytes::store(header, offsetof(Header, policy_marks), marks));
                      }};
    };
    KeyTable keys = table_with(release());
    EXPECT_TRUE(verify_all(judged_by(others, policy_not_met).file, keys).ok());
    keys.slots[0].flags = key_policy_set;
    keys.slots[0].policy_set = ours;
    EXPECT_TRUE(verify_all(judged_by(ours, policy_not_met | policy_excepted).file, keys).ok());
    EXPECT_EQ(error_of(judged_by(others, 0).file, keys), Error::other_policies);
    EXPECT_EQ(error_of(Bundle{release()}.file, keys), Error::other_policies);
    keys.slots[0].flags |= key_policy_met;
    EXPECT_TRUE(verify_all(judged_by(ours, 0).file, keys).ok());
    EXPECT_EQ(error_of(judged_by(ours, policy_not_met).file, keys), Error::policies_unmet);
    EXPECT_EQ(error_of(judged_by(ours, policy_excepted).file, keys), Error::policies_unmet);
    EXPECT_EQ(error_of(judged_by(ours, 4).file, table_with(release())), Error::reserved_not_zero);
}

} // namespace
