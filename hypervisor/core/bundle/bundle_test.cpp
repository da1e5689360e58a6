// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace bundle;
using Bytes = std::vector<std::byte>;

constexpr auto engine = crypto::Sha256Engine::portable;

Hash key_id(const std::array<std::uint8_t, 32>& public_key) {
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

Bytes filled(std::size_t size, unsigned seed) {
    Bytes data(size);
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>((i * 31 + seed) % 255 + 1);
    return data;
}

std::vector<Part> small_parts() {
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
        file.resize(4096);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const Part& part = all[i];
            const std::size_t alignment = std::size_t{1} << part.align_log2;
            file.resize((file.size() + alignment - 1) / alignment * alignment);
            Section section{};
            section.type = static_cast<std::uint32_t>(part.type);
            section.partition = part.partition;
            section.offset = file.size();
            section.size = part.data.size();
            section.align_log2 = part.align_log2;
            section.name[0] = static_cast<char>('a' + i);
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
        header.header_size = 4096;
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
        const auto bytes = buffer.reset(4096);
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

KeyTable table_with(const Key& key, std::uint64_t floor = 0, std::uint32_t slot = 0) {
    KeyTable keys{};
    keys.magic = key_table_magic;
    keys.count = key_slots;
    keys.entsize = sizeof(KeySlot);
    keys.slots[slot].purpose = purpose_bundle;
    keys.slots[slot].security_version_floor = floor;
    keys.slots[slot].public_key = key.public_key;
    return keys;
}

// Everything a loader does.
Status verify_all(std::span<const std::byte> data, const KeyTable& keys) {
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

const Key& release() {
    static const Key key{1};
    return key;
}

Error error_of(std::span<const std::byte> data, const KeyTable& keys) {
    const auto status = verify_all(data, keys);
    EXPECT_FALSE(status.ok());
    return status.ok() ? Error::unreadable : status.error().error;
}

TEST(Bundle, GoodOneIsAcceptedInAnySlot) {
    const Bundle bundle{release()};
    for (std::uint32_t slot = 0; slot < key_slots; ++slot) {
        const auto status = verify_all(bundle.file, table_with(release(), 5, slot));
        EXPECT_TRUE(status.ok()) << (status.ok() ? "" : describe(status.error().error));
    }
}

TEST(Bundle, SignerIsNamed) {
    const Bundle bundle{release()};
    HeaderBuffer buffer;
    ASSERT_TRUE(buffer.load(bytes::Source{bundle.file}).ok());
    auto keys = table_with(release(), 3, 2);
    keys.slots[2].flags = key_development;
    const auto signer = verify_signature(buffer, keys, engine);
    ASSERT_TRUE(signer.ok());
    EXPECT_EQ(signer->slot, 2u);
    EXPECT_TRUE(signer->development);
    EXPECT_EQ(signer->security_version, 5u);
    EXPECT_EQ(signer->security_version_floor, 3u);
    const auto contents = Contents::parse(buffer, engine);
    ASSERT_TRUE(contents.ok());
    EXPECT_EQ(contents->section_name(2), "c");
    EXPECT_EQ(contents->table_section(), 1u);
}

TEST(Bundle, EveryBitOfTheHeaderIsCovered) {
    Bundle bundle{release()};
    const auto keys = table_with(release());
    const std::size_t last = bundle.file.size();
    for (std::size_t i = 0; i < 4096; ++i)
        for (unsigned bit = 0; bit < 8; bit += i < 1200 || i >= 4032 ? 1 : 5) {
            bundle.file[i] ^= static_cast<std::byte>(1u << bit);
            EXPECT_FALSE(verify_all(bundle.file, keys).ok()) << i << "." << bit;
            bundle.file[i] ^= static_cast<std::byte>(1u << bit);
        }
    ASSERT_EQ(bundle.file.size(), last);
    EXPECT_TRUE(verify_all(bundle.file, keys).ok());
}

TEST(Bundle, EveryOtherByteIsCovered) {
    Bundle bundle{release()};
    const auto keys = table_with(release());
    HeaderBuffer buffer;
    ASSERT_TRUE(buffer.load(bytes::Source{bundle.file}).ok());
    const auto contents = Contents::parse(buffer, engine);
    ASSERT_TRUE(contents.ok());
    for (std::size_t i = 4096; i < bundle.file.size(); i += i % 4096 < 320 || i % 4096 > 4000 ? 1 : 23) {
        bundle.file[i] ^= std::byte{0x10};
        const auto status = verify_all(bundle.file, keys);
        ASSERT_FALSE(status.ok()) << i;
        const Issue issue = status.error();
        bool inside = false;
        for (std::uint32_t s = 0; s < contents->section_count(); ++s) {
            const Section section = contents->section(s);
            if (i < section.offset || i >= section.offset + section.size)
                continue;
            inside = true;
            EXPECT_EQ(issue.section, s);
            EXPECT_EQ(issue.error, s == 0 ? Error::root_mismatch : Error::leaf_mismatch);
            EXPECT_EQ(issue.leaf, 0u);
        }
        if (!inside) {
            EXPECT_EQ(issue.error, Error::gap_not_zero) << i;
        }
        bundle.file[i] ^= std::byte{0x10};
    }
    EXPECT_TRUE(verify_all(bundle.file, keys).ok());
}

TEST(Bundle, LeafIsNamed) {
    auto parts = small_parts();
    parts[2].data = filled(3 * leaf_size + 4096, 7);
    parts[2].align_log2 = 21;
    Bundle bundle{release(), parts};
    const auto keys = table_with(release());
    ASSERT_TRUE(verify_all(bundle.file, keys).ok());
    for (std::uint64_t leaf : {0, 1, 2, 3}) {
        const std::uint64_t at = bundle.sections[3].offset + leaf * leaf_size + 4095;
        bundle.file[at] ^= std::byte{1};
        const auto status = verify_all(bundle.file, keys);
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().error, Error::leaf_mismatch);
        EXPECT_EQ(status.error().section, 3u);
        EXPECT_EQ(status.error().leaf, leaf);
        bundle.file[at] ^= std::byte{1};
    }
    // Two leaves changing places are two mismatches, although each hash is in the list.
    auto* first = bundle.file.data() + bundle.sections[3].offset;
    std::swap_ranges(first, first + leaf_size, first + leaf_size);
    EXPECT_EQ(error_of(bundle.file, keys), Error::leaf_mismatch);
}

TEST(Bundle, TruncatedAndAppendedAreRefused) {
    const Bundle bundle{release()};
    const auto keys = table_with(release());
    for (std::size_t size : {std::size_t{0}, std::size_t{255}, std::size_t{256}, std::size_t{4095},
                             std::size_t{4096}, bundle.file.size() - 4096, bundle.file.size() - 1})
        EXPECT_FALSE(verify_all(std::span{bundle.file}.first(size), keys).ok()) << size;
    auto longer = bundle.file;
    longer.push_back(std::byte{0});
    EXPECT_EQ(error_of(longer, keys), Error::wrong_total_size);
}

TEST(Bundle, KeysDecide) {
    const Bundle bundle{release()};
    KeyTable empty = table_with(release());
    empty.slots[0] = {};
    EXPECT_EQ(error_of(bundle.file, empty), Error::no_trusted_key);
    EXPECT_EQ(error_of(bundle.file, table_with(Key{2})), Error::unknown_key);
    EXPECT_EQ(error_of(bundle.file, table_with(release(), 6)), Error::security_version_too_low);
    EXPECT_TRUE(verify_all(bundle.file, table_with(release(), 5)).ok());
    // Signed by another key that claims to be the trusted one.
    const Bundle forged{Key{2}, small_parts(), [](std::span<std::byte> header) {
                            EXPECT_TRUE(
                                bytes::store(header, offsetof(Header, key_id), key_id(release().public_key)));
                        }};
    EXPECT_EQ(error_of(forged.file, table_with(release())), Error::bad_signature);
}

TEST(Bundle, KeyTableIsChecked) {
    const auto refused = [](const std::function<void(KeyTable&)>& change) {
        KeyTable keys = table_with(release());
        change(keys);
        const auto status = check_keys(keys);
        return !status.ok() && status.error().error == Error::bad_key_table;
    };
    EXPECT_TRUE(check_keys(table_with(release())).ok());
    EXPECT_TRUE(refused([](KeyTable& k) { k.magic[3] = 'x'; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.count = 5; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.entsize = 63; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.reserved[39] = 1; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].purpose = 3; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].flags = 2; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].reserved[0] = 1; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[1].public_key[5] = 1; }));
}

struct BadHeader {
    const char* name;
    Error error;
    std::uint32_t section;
    Bundle::Change change;
};

template <typename T> Bundle::Change put(std::size_t offset, T value) {
    return [=](std::span<std::byte> header) { EXPECT_TRUE(bytes::store(header, offset, value)); };
}
template <typename T> Bundle::Change put_section(std::size_t index, std::size_t offset, T value) {
    return put(sections_offset + index * section_entsize + offset, value);
}

TEST(Bundle, SignedNonsenseIsRefusedAllTheSame) {
    const std::vector<BadHeader> cases{
        {"hash", Error::unsupported_hash, no_index, put(offsetof(Header, hash_algorithm), 2u)},
        {"leaf size", Error::unsupported_hash, no_index, put(offsetof(Header, leaf_log2), 12u)},
        {"reserved0", Error::reserved_not_zero, no_index, put(offsetof(Header, reserved0), 1u)},
        {"flags", Error::reserved_not_zero, no_index, put(offsetof(Header, flags), 1u)},
        {"reserved1", Error::reserved_not_zero, no_index, put(offsetof(Header, reserved1), 1u)},
        {"reserved2", Error::reserved_not_zero, no_index, put(offsetof(Header, reserved2) + 44, 1u)},
        {"name control", Error::bad_name, no_index, put(offsetof(Header, name), char{27})},
        {"name tail", Error::bad_name, no_index, put(offsetof(Header, name) + 30, 'x')},
        {"count 0", Error::bad_section_count, no_index, put(offsetof(Header, section_count), 0u)},
        {"count large", Error::bad_section_count, no_index,
         put(offsetof(Header, section_count), 0xFFFFFFFFu)},
        {"count past", Error::bad_section_count, no_index, put(offsetof(Header, section_count), 30u)},
        {"entsize", Error::bad_section_count, no_index, put(offsetof(Header, section_entsize), 127u)},
        {"rest", Error::reserved_not_zero, no_index, put(std::size_t{4000}, 'x')},
        {"type 0", Error::bad_section_type, 2, put_section(2, 0, 0u)},
        {"type 9", Error::bad_section_type, 2, put_section(2, 0, 9u)},
        {"root of nobody", Error::bad_section_type, 3, put_section(3, 4, no_partition)},
        {"owner", Error::bad_section_type, 2, put_section(2, 4, 256u)},
        {"table of one", Error::bad_section_type, 1, put_section(1, 4, 0u)},
        {"flags", Error::reserved_not_zero, 1, put_section(1, offsetof(Section, flags), 1u)},
        {"reserved", Error::reserved_not_zero, 1, put_section(1, offsetof(Section, reserved) + 20, 1u)},
        {"name", Error::bad_name, 1, put_section(1, offsetof(Section, name), char{7})},
        {"size 0", Error::bad_section_size, 1, put_section(1, offsetof(Section, size), std::uint64_t{0})},
        {"mem size", Error::bad_section_size, 1,
         put_section(1, offsetof(Section, mem_size), std::uint64_t{1})},
        {"root size", Error::bad_section_size, 3,
         put_section(3, offsetof(Section, size), std::uint64_t{4097})},
        {"align", Error::bad_section_alignment, 1, put_section(1, offsetof(Section, align_log2), 13u)},
        {"misaligned", Error::bad_section_alignment, 1,
         put_section(1, offsetof(Section, offset), std::uint64_t{1})},
        {"outside", Error::section_outside_file, 4,
         put_section(4, offsetof(Section, offset), ~std::uint64_t{4095})},
        {"outside size", Error::section_outside_file, 4,
         put_section(4, offsetof(Section, size), ~std::uint64_t{0})},
        {"in header", Error::bad_section_order, 0,
         put_section(0, offsetof(Section, offset), std::uint64_t{0})},
        {"overlap", Error::bad_section_order, 3,
         put_section(2, offsetof(Section, size), std::uint64_t{9000})},
        {"two tables", Error::no_table_section, 2, put_section(2, 0, 2u)},
        {"no table", Error::no_table_section, no_index, put_section(1, 0, 3u)},
        {"late leaves", Error::no_leaves_section, 2, put_section(2, 0, 1u)},
        {"no leaves", Error::no_leaves_section, 0, put_section(0, 0, 3u)},
        {"leaf count", Error::bad_leaf_count, 0, put_section(0, offsetof(Section, size), std::uint64_t{96})},
    };
    for (const BadHeader& item : cases) {
        const Bundle bundle{release(), small_parts(), item.change};
        const auto status = verify_all(bundle.file, table_with(release()));
        ASSERT_FALSE(status.ok()) << item.name;
        EXPECT_EQ(status.error().error, item.error) << item.name << ": " << describe(status.error().error);
        EXPECT_EQ(status.error().section, item.section) << item.name;
    }
}

TEST(Bundle, FirstLookOnlyAtSizes) {
    const auto error = [](const Bundle::Change& change) {
        const Bundle bundle{release(), small_parts(), change};
        return error_of(bundle.file, table_with(release()));
    };
    EXPECT_EQ(error(put(0, 'X')), Error::not_a_bundle);
    EXPECT_EQ(error(put(offsetof(Header, format), 2u)), Error::unsupported_format);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 0u)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 4000u)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 68u * 1024)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 64u * 1024)), Error::too_short);
    EXPECT_EQ(error(put(offsetof(Header, total_size), std::uint64_t{1} << 40)), Error::wrong_total_size);
}

TEST(Bundle, BundleIdIsChecked) {
    // Signed after the ID was spoilt.
    Bundle bundle{release()};
    HeaderBuffer buffer;
    const auto header = buffer.reset(4096);
    std::copy_n(bundle.file.begin(), 4096, header.begin());
    header[offsetof(Header, bundle_id)] ^= std::byte{1};
    const auto signature = release().sign(buffer.message());
    ASSERT_TRUE(bytes::store(header, 4096 - signature_size, signature));
    std::copy(header.begin(), header.end(), bundle.file.begin());
    EXPECT_EQ(error_of(bundle.file, table_with(release())), Error::bundle_id_mismatch);
}

TEST(Bundle, SectionsCannotChangePlaces) {
    // The same bytes as root of partition 0 and of partition 1 have different hashes.
    const auto data = filled(4096, 9);
    EXPECT_NE(leaf_hash(4, 0, 0, data, engine), leaf_hash(4, 1, 0, data, engine));
    EXPECT_NE(leaf_hash(4, 0, 0, data, engine), leaf_hash(5, 0, 0, data, engine));
    EXPECT_NE(leaf_hash(4, 0, 0, data, engine), leaf_hash(4, 0, 1, data, engine));
    EXPECT_NE(root_hash(4, 0, 4096, data, engine), root_hash(4, 0, 8192, data, engine));
}

TEST(Bundle, UnreadableIsSaid) {
    const Bundle bundle{release()};
    HeaderBuffer buffer;
    ASSERT_TRUE(buffer.load(bytes::Source{bundle.file}).ok());
    const auto contents = Contents::parse(buffer, engine);
    ASSERT_TRUE(contents.ok());
    const Section list = contents->section(0);
    const auto blind = [](std::uint64_t, std::size_t) { return std::span<const std::byte>{}; };
    const auto leaves = std::span{bundle.file}.subspan(list.offset, list.size);
    const auto status = verify_leaf(*contents, leaves, 2, 0, bytes::Source{blind, 5000}, engine);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().error, Error::unreadable);
    EXPECT_FALSE(verify_leaf(*contents, leaves, 2, 0, bytes::Source{blind, 4999}, engine).ok());
    EXPECT_FALSE(buffer.load(bytes::Source{blind, 9000}).ok());
    EXPECT_TRUE(buffer.bytes().empty());
}

} // namespace
