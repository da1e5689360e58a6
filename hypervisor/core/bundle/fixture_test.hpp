// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/fixture_test.hpp - small bundles laid out and signed by the test itself (OpenSSL), and everything a loader does with them.
#pragma once

#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bundle::test {

using Bytes = std::vector<std::byte>;

inline constexpr auto engine = crypto::Sha256Engine::portable;

inline Hash key_id(const std::array<std::uint8_t, 32>& public_key) {
    return crypto::sha256(bytes::of(public_key), engine);
}

struct Key {
    std::array<std::uint8_t, 32> seed{};
    std::array<std::uint8_t, 32> public_key{};
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr, EVP_PKEY_free};

    explicit Key(std::uint8_t first) {
        seed[0] = first;
        key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
        std::size_t size = public_key.size();
        EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size);
    }
    std::array<std::uint8_t, 64> sign(std::span<const std::byte> message) const {
        std::array<std::uint8_t, 64> signature{};
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get());
        std::size_t size = signature.size();
        EVP_DigestSign(context.get(), signature.data(), &size,
                       reinterpret_cast<const unsigned char*>(message.data()), message.size());
        return signature;
    }
};

struct Part {
    SectionType type;
    std::uint32_t partition;
    Bytes data;
    std::uint32_t align_log2 = 12;
};

inline Bytes filled(std::size_t size, unsigned seed) {
    Bytes data(size);
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>((i * 31 + seed) % 255 + 1);
    return data;
}

inline std::vector<Part> small_parts() {
    return {{SectionType::table, no_partition, filled(300, 1)},
            {SectionType::kernel, no_partition, filled(5000, 2)},
            {SectionType::root, 0, filled(8192, 3)},
            {SectionType::meta, no_partition, filled(10, 4)}};
}

// Lays a bundle out, lets `change` alter the header before it is signed, and signs it.
struct Bundle {
    Bytes file;
    std::vector<Section> sections;

    using Change = std::function<void(std::span<std::byte>)>;
    explicit Bundle(const Key& key, const std::vector<Part>& parts = small_parts(),
                    const Change& change = {}) {
        Bytes leaves;
        Bytes lists;
        std::vector<std::size_t> list_starts;
        for (const Part& part : parts) {
            list_starts.push_back(lists.size());
            for (std::uint64_t leaf = 0; leaf < leaf_count(part.data.size()); ++leaf) {
                const auto data =
                    std::span{part.data}.subspan(leaf * leaf_size, leaf_length(part.data.size(), leaf));
                const Hash hash =
                    leaf_hash(static_cast<std::uint32_t>(part.type), part.partition, leaf, data, engine);
                lists.insert(lists.end(), std::as_bytes(std::span{hash}).begin(),
                             std::as_bytes(std::span{hash}).end());
            }
        }
        list_starts.push_back(lists.size());
        std::vector<Part> all{{SectionType::leaves, no_partition, lists}};
        all.insert(all.end(), parts.begin(), parts.end());
        const std::size_t header_bytes =
            (sections_offset + all.size() * section_entsize + sizeof(Signatures) + 4095) / 4096 * 4096;
        file.resize(header_bytes);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Part& part = all[i];
            const std::size_t alignment = std::size_t{1} << part.align_log2;
            file.resize((file.size() + alignment - 1) / alignment * alignment);
            Section section{};
            section.type = static_cast<std::uint32_t>(part.type);
            section.partition = part.partition;
            section.offset = file.size();
            section.size = part.data.size();
            section.mem_size = i == 1 ? section.size : 0; // both are allowed
            section.align_log2 = part.align_log2;
            section.name[0] = static_cast<char>('a' + i % 26);
            Bytes list;
            if (i == 0) {
                const Hash hash = leaf_hash(section.type, section.partition, 0, part.data, engine);
                list.assign(std::as_bytes(std::span{hash}).begin(), std::as_bytes(std::span{hash}).end());
            } else {
                list.assign(lists.begin() + static_cast<long>(list_starts[i - 1]),
                            lists.begin() + static_cast<long>(list_starts[i]));
            }
            section.root_hash = root_hash(section.type, section.partition, section.size, list, engine);
            sections.push_back(section);
            file.insert(file.end(), part.data.begin(), part.data.end());
        }
        file.resize((file.size() + 4095) / 4096 * 4096);
        Header header{};
        header.magic = magic;
        header.format = format_version;
        header.header_size = static_cast<std::uint32_t>(header_bytes);
        header.total_size = file.size();
        header.security_version = 5;
        header.build_epoch = 1;
        header.key_id = key_id(key.public_key);
        header.hash_algorithm = hash_sha256;
        header.leaf_log2 = leaf_log2;
        header.section_count = static_cast<std::uint32_t>(sections.size());
        header.section_entsize = section_entsize;
        header.name = {'t', 'e', 's', 't'};
        header.version = {'1'};
        HeaderBuffer buffer;
        const auto bytes = buffer.reset(header.header_size);
        EXPECT_TRUE(bytes::store(bytes, 0, header));
        for (std::size_t i = 0; i < sections.size(); ++i)
            EXPECT_TRUE(bytes::store(bytes, sections_offset + i * section_entsize, sections[i]));
        if (change)
            change(bytes);
        const Hash id = bundle_id(bytes, engine);
        EXPECT_TRUE(bytes::store(bytes, offsetof(Header, bundle_id), id));
        const auto signature = key.sign(buffer.message());
        EXPECT_TRUE(bytes::store(bytes, bytes.size() - signature_size, signature));
        std::copy(bytes.begin(), bytes.end(), file.begin());
    }
};

inline KeyTable table_with(const Key& key, std::uint64_t floor = 0, std::uint32_t slot = 0) {
    KeyTable keys{};
    keys.magic = key_table_magic;
    keys.count = key_slots;
    keys.entsize = sizeof(KeySlot);
    keys.slots[slot].purpose = purpose_bundle;
    keys.slots[slot].security_version_floor = floor;
    keys.slots[slot].public_key = key.public_key;
    return keys;
}

// What a bundle has at the end of its header.
inline Signatures signatures_of(const Bundle& bundle) {
    const std::size_t size = bundle.sections[0].offset; // the header's: the leaves follow it
    return *bytes::load<Signatures>(bundle.file, size - sizeof(Signatures));
}
inline void put_signatures(Bundle& bundle, const Signatures& signatures) {
    EXPECT_TRUE(bytes::store(bundle.file, bundle.sections[0].offset - sizeof signatures, signatures));
}
inline Hash id_of(const Bundle& bundle) {
    return bytes::load<Header>(bundle.file, 0)->bundle_id;
}

// `key` countersigns the bundle, or that other one's ID, in its place.
inline void countersign(Bundle& bundle, const Key& key, std::uint32_t purpose, std::size_t place = 0,
                        std::optional<Hash> other = {}) {
    Signatures signatures = signatures_of(bundle);
    const Approval approval = approval_of(other.value_or(id_of(bundle)), purpose);
    signatures.counter[place] = {purpose, 0, key_id(key.public_key), key.sign(approval), {}};
    put_signatures(bundle, signatures);
}

// Everything a loader does.
inline Status verify_all(std::span<const std::byte> data, const KeyTable& keys) {
    static HeaderBuffer buffer;
    const bytes::Source file{data};
    CAISSON_TRY(buffer.load(file));
    CAISSON_TRY(verify_signature(buffer, keys, engine));
    const Contents contents = CAISSON_TRY(Contents::parse(buffer, engine));
    const Section list = contents.section(contents.leaves_section());
    const auto leaves = data.subspan(list.offset, list.size);
    CAISSON_TRY(verify_leaf_lists(contents, leaves, engine));
    for (std::uint32_t i = 0; i < contents.section_count(); ++i) {
        if (i == contents.leaves_section())
            continue;
        const bytes::Source section = CAISSON_TRY(section_bytes(contents, i, file));
        CAISSON_TRY(verify_section(contents, leaves, i, section, engine));
    }
    for (std::uint32_t i = 0; i < contents.gap_count(); ++i)
        CAISSON_TRY(verify_gap(contents, i, file));
    return base::success;
}

inline const Key& release() {
    static const Key key{1};
    return key;
}

inline Error error_of(std::span<const std::byte> data, const KeyTable& keys) {
    const auto status = verify_all(data, keys);
    EXPECT_FALSE(status.ok());
    return status.ok() ? Error::unreadable : status.error().error;
}

} // namespace bundle::test
