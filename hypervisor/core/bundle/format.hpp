// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/format.hpp - the bundle's bytes: the one definition for tool and loader.
//
// All little-endian, fixed offsets; described for readers in docs/bundle-format.md.
//
//   [0, header_size)   Header, `section_count` Section entries from offset 0x100, zeros, and in the last
//                      512 bytes the Signatures: what signs is "caisson bundle v1\0" || header[0, header_size - 512),
//                      what countersigns "caisson approval v1\0" || u32 purpose || bundle_id
//   sections           ascending, not overlapping, page aligned (1 << align_log2); gaps and padding are zero
//   total_size         the file's exact size
//
// Hashes (SHA-256; every domain string includes its NUL):
//   leaf i of section s   H("caisson leaf v1\0" || u32 type || u32 partition || u64 i || u64 length || bytes)
//                         leaves are 1 << leaf_log2 bytes (2 MiB), the last one hashed at its true length
//   root_hash of s        H("caisson root v1\0" || u32 type || u32 partition || u64 size || all leaf hashes)
//   the leaves section    type `leaves`: the 32-byte leaf hashes of every other section, in section order;
//                         its own root_hash is computed like any section's, from leaves stored nowhere
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bundle {

inline constexpr std::array<char, 8> magic{'C', 'A', 'I', 'S', 'S', 'O', 'N', 'B'};
inline constexpr std::uint32_t format_version = 3;
inline constexpr std::uint32_t max_header_size = 64 * 1024;
inline constexpr std::uint32_t max_sections = 256;
inline constexpr std::uint32_t section_entsize = 128;
inline constexpr std::uint32_t sections_offset = 0x100;
inline constexpr std::uint32_t hash_sha256 = 1;
inline constexpr std::uint32_t leaf_log2 = 21;
inline constexpr std::size_t hash_size = 32;
inline constexpr std::size_t signature_size = 64;
inline constexpr std::uint64_t max_total_size =
    (std::uint64_t{19} << 30) / 10;                       // 1.9 GiB: QEMU's and Multiboot2's limit
inline constexpr std::uint32_t no_partition = 0xFFFFFFFF; // belongs to the appliance

using Hash = std::array<std::uint8_t, hash_size>;

enum class SectionType : std::uint32_t {
    leaves = 1, // hash lists; exactly one, the first section
    table = 2,  // the plan (core/plan/format.hpp); exactly one
    kernel = 3, // a PVH ELF; may be shared by partitions (partition = no_partition): it is copied into each
    root = 4,   // an EROFS root image, one owner
    module = 5, // the `module:` file of an own kernel
    meta = 6,   // JSON for people and tools; never read by the loader
    sbom = 7,
    secret = 8,
};

// What a key is trusted for, and a signature given for. A slot or countersignature with purpose 0 is empty.
inline constexpr std::uint32_t purpose_bundle = 1;  // signs bundles
inline constexpr std::uint32_t purpose_approve = 2; // a second person's: has looked at what was built
inline constexpr std::uint32_t purpose_vendor = 4;  // a supplier's
inline constexpr std::uint32_t countersigning = purpose_approve | purpose_vendor;

// Header::policy_marks.
inline constexpr std::uint32_t policy_not_met = 1;  // a rule that only warns or audits is not met
inline constexpr std::uint32_t policy_excepted = 2; // somebody answers for a rule that is not met

struct Header {
    std::array<char, 8> magic;              // 0x00
    std::uint32_t format;                   // 0x08
    std::uint32_t header_size;              // 0x0c, a multiple of 4096, at most 64 KiB
    std::uint64_t total_size;               // 0x10
    std::uint64_t security_version;         // 0x18, anti-rollback
    std::uint64_t build_epoch;              // 0x20, seconds since 1970 (SOURCE_DATE_EPOCH)
    std::array<std::uint8_t, 32> bundle_id; // 0x28, SHA-256 of what is signed, with it and key_id 0
    std::array<std::uint8_t, 32> key_id;    // 0x48, SHA-256 of the signing public key
    std::uint32_t hash_algorithm;           // 0x68
    std::uint32_t leaf_log2;                // 0x6c
    std::array<std::uint8_t, 16> reserved0; // 0x70
    std::uint32_t section_count;            // 0x80
    std::uint32_t section_entsize;          // 0x84
    std::uint32_t flags;                    // 0x88, 0
    std::uint32_t reserved1;                // 0x8c
    std::array<char, 32> name;              // 0x90, the appliance's, NUL-padded
    std::array<char, 32> version;           // 0xb0, NUL-padded
    Hash policy_set;                        // 0xd0, of the policies it was judged by; 0: none
    std::uint32_t policy_marks;             // 0xf0
    std::array<std::uint8_t, 12> reserved2; // 0xf4
};
static_assert(sizeof(Header) == sections_offset);
static_assert(offsetof(Header, security_version) == 0x18 && offsetof(Header, hash_algorithm) == 0x68 &&
              offsetof(Header, section_count) == 0x80 && offsetof(Header, name) == 0x90 &&
              offsetof(Header, policy_set) == 0xd0);

struct Section {
    std::uint32_t type;       // SectionType
    std::uint32_t partition;  // index in the plan, or no_partition
    std::uint64_t offset;     // in the file
    std::uint64_t size;       // bytes in the file, > 0
    std::uint64_t mem_size;   // bytes in memory: 0 or size (no compression yet)
    std::uint32_t align_log2; // 12 or 21
    std::uint32_t flags;      // 0
    Hash root_hash;
    std::array<char, 32> name; // "web.root", NUL-padded, for people
    std::array<std::uint8_t, 24> reserved;

    [[nodiscard]] constexpr bool is(SectionType what) const {
        return type == static_cast<std::uint32_t>(what);
    }
};
static_assert(sizeof(Section) == section_entsize);

struct Countersignature {
    std::uint32_t purpose; // one bit of `countersigning`
    std::uint32_t reserved0;
    Hash key_id;
    std::array<std::uint8_t, signature_size> signature; // Ed25519
    std::array<std::uint8_t, 24> reserved1;
};
static_assert(sizeof(Countersignature) == 128);

// The end of the header, which no signature covers: an approval is added to a bundle that is signed already.
struct Signatures {
    std::array<Countersignature, 3> counter;
    std::array<std::uint8_t, 64> reserved;
    std::array<std::uint8_t, signature_size> build;
};
static_assert(sizeof(Signatures) == 512);

inline constexpr char signature_domain[] = "caisson bundle v1"; // with its NUL: 18 bytes
inline constexpr char approval_domain[] = "caisson approval v1";
inline constexpr char leaf_domain[] = "caisson leaf v1";
inline constexpr char root_domain[] = "caisson root v1";

// The trust anchor inside the loader ELF, section `.caisson.keys`. `caisson build` fills a copy of the ELF; the slot as
// compiled is empty and an empty slot refuses everything. Who protects the ELF itself: docs/threat-model.md (Secure Boot,
// or nobody).
inline constexpr std::array<char, 16> key_table_magic{'C', 'A', 'I', 'S', 'S', 'O', 'N', '-',
                                                      'K', 'E', 'Y', 'S', '-', 'V', '2', 0};
inline constexpr std::uint32_t key_slots = 8;

// Flags.
inline constexpr std::uint32_t key_development = 1; // made by the tool for this user: say DEVELOPMENT KEY
inline constexpr std::uint32_t key_revoked = 2;     // what it signed is refused
inline constexpr std::uint32_t key_policy_set = 4;  // what it signed was judged by just KeySlot::policy_set
inline constexpr std::uint32_t key_policy_met = 8;  // and every rule was met

struct KeySlot {
    std::uint32_t purpose; // one bit
    std::uint32_t flags;
    std::uint64_t security_version_floor;    // a bundle below it is refused
    std::array<std::uint8_t, 32> public_key; // Ed25519
    std::uint32_t required; // of purpose_bundle: whose countersignatures what it signed must have
    std::uint32_t reserved0;
    Hash policy_set;
    std::array<std::uint8_t, 8> reserved1;
};
static_assert(sizeof(KeySlot) == 96);

struct KeyTable {
    std::array<char, 16> magic;
    std::uint32_t count;   // key_slots
    std::uint32_t entsize; // sizeof(KeySlot)
    std::array<std::uint8_t, 40> reserved;
    std::array<KeySlot, key_slots> slots;
};
static_assert(sizeof(KeyTable) == 64 + key_slots * sizeof(KeySlot));

} // namespace bundle
