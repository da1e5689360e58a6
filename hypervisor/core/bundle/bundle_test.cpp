// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bundle/fixture_test.hpp"

namespace {

using namespace bundle;
using namespace bundle::test;

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
    // Behind a slot with another key, and not made for development.
    keys.slots[1] = table_with(Key{2}).slots[0];
    keys.slots[2].flags = 0;
    const auto again = verify_signature(buffer, keys, engine);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->slot, 2u);
    EXPECT_FALSE(again->development);
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
        for (unsigned bit = 0; bit < 8; bit += i < 1200 || i >= 3584 ? 1 : 5) {
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
    for (std::size_t size : {std::size_t{0}, std::size_t{255}})
        EXPECT_EQ(error_of(std::span{bundle.file}.first(size), keys), Error::too_short) << size;
    for (std::size_t size : {std::size_t{256}, std::size_t{4095}, std::size_t{4096},
                             bundle.file.size() - 4096, bundle.file.size() - 1})
        EXPECT_EQ(error_of(std::span{bundle.file}.first(size), keys), Error::wrong_total_size) << size;
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
    EXPECT_TRUE(refused([](KeyTable& k) { k.count = 4; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.entsize = 64; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.reserved[39] = 1; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].purpose = 3; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].purpose = 8; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].required = purpose_bundle; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].reserved0 = 1; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].flags = 16; }));
    EXPECT_TRUE(refused([](KeyTable& k) { k.slots[0].reserved1[0] = 1; }));
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
        {"reserved2", Error::reserved_not_zero, no_index, put(offsetof(Header, reserved2) + 8, 1u)},
        {"version", Error::bad_name, no_index, put(offsetof(Header, version), char{31})},
        {"name delete", Error::bad_name, no_index, put(offsetof(Header, name) + 1, char{127})},
        {"name without end", Error::bad_name, no_index,
         put(offsetof(Header, name), std::to_array("0123456789abcdefghijklmnopqrstuv"))},
        {"count 1", Error::bad_section_count, no_index, put(offsetof(Header, section_count), 1u)},
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
        {"owner", Error::bad_section_type, 2, put_section(2, 4, 256u)},
        {"table of one", Error::bad_section_type, 1, put_section(1, 4, 0u)},
        {"flags", Error::reserved_not_zero, 1, put_section(1, offsetof(Section, flags), 1u)},
        {"reserved", Error::reserved_not_zero, 1, put_section(1, offsetof(Section, reserved) + 20, 1u)},
        {"name", Error::bad_name, 1, put_section(1, offsetof(Section, name), char{7})},
        {"size 0", Error::bad_section_size, 2, put_section(2, offsetof(Section, size), std::uint64_t{0})},
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
        {"leaves of one", Error::bad_section_type, 0, put_section(0, 4, 0u)},
        {"root size alone", Error::bad_section_size, 3,
         put_section(3, offsetof(Section, size), std::uint64_t{8191})},
        {"two megabytes", Error::bad_section_alignment, 1,
         put_section(1, offsetof(Section, align_log2), 21u)},
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
    EXPECT_EQ(error(put(offsetof(Header, format), format_version - 1)), Error::unsupported_format);
    EXPECT_EQ(error(put(offsetof(Header, format), format_version + 1)), Error::unsupported_format);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 0u)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 4000u)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 68u * 1024)), Error::bad_header_size);
    EXPECT_EQ(error(put(offsetof(Header, header_size), 64u * 1024)), Error::too_short);
    EXPECT_EQ(error(put(offsetof(Header, total_size), std::uint64_t{1} << 40)), Error::wrong_total_size);
    // A header and nothing else is looked at; its sections are another matter.
    const Bundle bundle{release(), small_parts(), put(offsetof(Header, total_size), std::uint64_t{4096})};
    HeaderBuffer buffer;
    EXPECT_TRUE(buffer.bytes().empty());
    EXPECT_TRUE(buffer.load(bytes::Source{std::span{bundle.file}.first(4096)}).ok());
    EXPECT_EQ(buffer.bytes().size(), 4096u);
}

TEST(Bundle, LargestFile) {
    // 1.9 GiB, nearly all of it never looked at.
    const std::uint64_t most = 2'040'109'465;
    for (const std::uint64_t size : {most, most + 1}) {
        const Bundle bundle{release(), small_parts(), put(offsetof(Header, total_size), size)};
        const auto start = [&](std::uint64_t offset, std::size_t length) {
            return std::span<const std::byte>{bundle.file}.subspan(offset, length);
        };
        HeaderBuffer buffer;
        const auto status = buffer.load(bytes::Source{start, size});
        EXPECT_EQ(status.ok(), size == most);
        if (size > most) {
            EXPECT_EQ(status.error().error, Error::wrong_total_size);
        }
    }
    // Its leaves, and one more that is not full for each section.
    EXPECT_EQ(leaf_size, 2u << 20);
    EXPECT_EQ(max_leaf_list_bytes, (most / (2 << 20) + 256 + 1) * 32);
}

TEST(Bundle, FewestAndMostSections) {
    const auto keys = table_with(release());
    const Bundle least{release(), {{SectionType::table, no_partition, filled(300, 1)}}};
    EXPECT_TRUE(verify_all(least.file, keys).ok());
    std::vector<Part> parts = small_parts();
    parts.push_back({SectionType::module, 255, filled(10, 5)});
    while (parts.size() < max_sections - 1)
        parts.push_back({SectionType::secret, 0, filled(10, static_cast<unsigned>(parts.size()))});
    const auto named =
        put_section(255, offsetof(Section, name), std::to_array("the last one, ~31 characters it"));
    EXPECT_TRUE(verify_all(Bundle{release(), parts, named}.file, keys).ok());
    HeaderBuffer buffer;
    ASSERT_TRUE(buffer.load(bytes::Source{Bundle{release(), parts, named}.file}).ok());
    EXPECT_EQ(Contents::parse(buffer, engine)->section_name(255), "the last one, ~31 characters it");
    parts.push_back({SectionType::secret, 0, filled(10, 1)});
    EXPECT_EQ(error_of(Bundle{release(), parts}.file, keys), Error::bad_section_count);
}

TEST(Bundle, EverySectionsRootIsCompared) {
    for (std::uint32_t index = 0; index < 5; ++index) {
        const Bundle bundle{
            release(), small_parts(), [&](std::span<std::byte> header) {
                header[sections_offset + index * section_entsize + offsetof(Section, root_hash)] ^=
                    std::byte{1};
            }};
        const auto status = verify_all(bundle.file, table_with(release()));
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().error, Error::root_mismatch);
        EXPECT_EQ(status.error().section, index);
    }
}

// The format is a promise to files that exist.
TEST(Bundle, ConstantsOfTheFormat) {
    EXPECT_EQ((std::string_view{key_table_magic.data(), key_table_magic.size()}),
              (std::string_view{"CAISSON-KEYS-V2\0", 16}));
    EXPECT_EQ((std::string_view{magic.data(), magic.size()}), "CAISSONB");
    EXPECT_EQ(purpose_bundle, 1u);
    EXPECT_EQ(key_development, 1u);
    EXPECT_EQ(key_slots, 8u);
}

TEST(Bundle, EveryErrorHasItsText) {
    EXPECT_STREQ(describe(Error::too_short), "the file is too short for a bundle");
    EXPECT_STREQ(describe(Error::bad_signature), "the signature does not verify");
    EXPECT_STREQ(describe(Error::bad_section_alignment), "a section is not aligned");
    EXPECT_STREQ(describe(Error::leaf_mismatch), "hash mismatch");
    EXPECT_STREQ(describe(Error::unreadable), "the bundle cannot be read");
}

// A small bundle, its header read.
struct Opened {
    Bundle bundle{release()};
    HeaderBuffer buffer;
    std::optional<Contents> contents;
    Bytes leaves;
    Opened() {
        EXPECT_TRUE(buffer.load(bytes::Source{bundle.file}).ok());
        contents = Contents::parse(buffer, engine).value();
        const Section& list = contents->section(0);
        leaves.assign(bundle.file.begin() + static_cast<long>(list.offset),
                      bundle.file.begin() + static_cast<long>(list.offset + list.size));
    }
    // The file in windows of 64 bytes, of which those from `end` on cannot be seen.
    [[nodiscard]] auto windows(std::uint64_t end) const {
        return [this, end](std::uint64_t offset, std::size_t length) {
            const std::size_t room = 64 - offset % 64;
            return offset < end
                       ? std::span<const std::byte>{bundle.file}.subspan(offset, std::min(length, room))
                       : std::span<const std::byte>{};
        };
    }
};

TEST(Bundle, GapsAreNamed) {
    Opened small;
    const auto& sections = small.bundle.sections;
    ASSERT_EQ(small.contents->gap_count(), 6u);
    std::uint64_t at = 4096;
    for (std::uint32_t i = 0; i < 6; ++i) {
        const auto gap = small.contents->gap(i);
        EXPECT_EQ(gap.offset, at);
        EXPECT_EQ(gap.after, i == 0 ? no_index : i - 1);
        const std::uint64_t next = i < 5 ? sections[i].offset : small.bundle.file.size();
        EXPECT_EQ(gap.length, next - at);
        at = i < 5 ? next + sections[i].size : at;
    }
    // Behind the kernel: the piece in which a byte is not zero, or cannot be seen.
    const std::uint64_t start = sections[2].offset + sections[2].size, piece = (start / 64 + 3) * 64;
    const auto blind = small.windows(piece);
    const auto unseen = verify_gap(*small.contents, 3, bytes::Source{blind, small.bundle.file.size()});
    ASSERT_FALSE(unseen.ok());
    EXPECT_EQ(unseen.error().error, Error::unreadable);
    EXPECT_EQ(unseen.error().leaf, piece);
    small.bundle.file[piece + 5] = std::byte{1};
    const auto whole = small.windows(small.bundle.file.size());
    const auto status = verify_gap(*small.contents, 3, bytes::Source{whole, small.bundle.file.size()});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().error, Error::gap_not_zero);
    EXPECT_EQ(status.error().section, 2u);
    EXPECT_EQ(status.error().leaf, piece);
}

TEST(Bundle, OurOwnMistakesEndHere) {
    const Opened small;
    const bytes::Source file{small.bundle.file};
    EXPECT_DEATH((void)small.contents->section(5), "section index");
    EXPECT_DEATH((void)small.contents->section_name(5), "section index");
    EXPECT_DEATH((void)small.contents->gap(6), "gap index");
    const auto section = section_bytes(*small.contents, 2, file).value();
    EXPECT_DEATH((void)verify_leaf(*small.contents, small.leaves, 2, 1, section, engine), "leaf index");
    EXPECT_DEATH((void)verify_leaf(*small.contents, small.leaves, 0, 0, section, engine),
                 "leaves of the list");
    const Bytes shortest(sections_offset + sizeof(Signatures));
    EXPECT_NE(bundle_id(shortest, engine), Hash{});
    EXPECT_DEATH((void)bundle_id(std::span{shortest}.first(shortest.size() - 1), engine), "bundle_id");
}

TEST(Bundle, OtherBytesThanTheHeaderSays) {
    const Opened small;
    const auto half =
        section_bytes(*small.contents, 4, bytes::Source{std::span{small.bundle.file}.first(9000)});
    ASSERT_FALSE(half.ok());
    EXPECT_EQ(half.error().error, Error::section_outside_file);
    EXPECT_EQ(half.error().section, 4u);
    const auto lists = verify_leaf_lists(*small.contents, std::span{small.leaves}.first(96), engine);
    ASSERT_FALSE(lists.ok());
    EXPECT_EQ(lists.error().error, Error::bad_leaf_count);
    EXPECT_EQ(lists.error().section, 0u);
    const auto other =
        verify_leaf(*small.contents, small.leaves, 2, 0, bytes::Source{small.bundle.file}, engine);
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().error, Error::bad_section_size);
    // The first 256 bytes and no more.
    HeaderBuffer buffer;
    const auto start = small.windows(sizeof(Header));
    const auto status = buffer.load(bytes::Source{start, small.bundle.file.size()});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().error, Error::unreadable);
    EXPECT_TRUE(buffer.bytes().empty());
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

// A root that several partitions start from has no single owner, and is hashed as that.
TEST(Bundle, RootOfAllWhoNameIt) {
    std::vector<Part> parts = small_parts();
    parts.push_back({SectionType::root, no_partition, filled(8192, 5)});
    const auto keys = table_with(release());
    Bundle bundle{release(), parts};
    EXPECT_TRUE(verify_all(bundle.file, keys).ok());
    const auto data = filled(4096, 9);
    EXPECT_NE(leaf_hash(4, no_partition, 0, data, engine), leaf_hash(4, 0, 0, data, engine));
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
