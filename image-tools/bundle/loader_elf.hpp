// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/loader_elf.hpp - the ELFs that belong to this tool: finding them, their build id, the
// key slot.
//
// Trust: the ELFs come from the installation; their bytes are still read with bounds.
#pragma once

#include "hypervisor/core/bundle/format.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bundle {

// Where caisson.elf, unikernel.elf and bench/ are: $CAISSON_LIB, ../lib/caisson beside the tool, or the build
// tree.
class Library {
public:
    static Library find();
    explicit Library(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}
    // Throws E0704 when it is in none of the folders.
    [[nodiscard]] std::filesystem::path file(const std::string& name) const;
    // The file's bytes; its build id must be this tool's (E0705).
    [[nodiscard]] std::string elf(const std::string& name) const;

private:
    std::vector<std::filesystem::path> folders_;
};

inline constexpr std::uint64_t largest_elf = 64 << 20;

// This tool's own.
std::string build_id();
// The one that a loader ELF carries. Throws E0706 where it carries none.
std::string build_id_of(const std::string& elf);

// Whether an ELF holds that id (as the end of a string: its code or "CAISSON-BUILD-ID:...").
bool carries(const std::string& elf, const std::string& id);

// Throws E0507 for the hypervisor of the weakness tests, unless CAISSON_TEST_WEAK_LOADER says that this is one. All
// that look into a loader ask this first.
void refuse_weakened(const std::string& elf);

// Fills the `.caisson.keys` section of a loader ELF. Throws E0706 when it has none.
void set_keys(std::string& elf, const KeyTable& keys);
KeyTable keys_of(const std::string& elf);

// The ELF up to the last byte that is loaded: without symbols and debug information, which nobody reads at boot.
// As it was when it is not an ELF64.
std::string loadable_part(std::string elf);
KeyTable keys_of_loadable_part(const std::string& part);

// One slot of a table; what it demands besides is zero.
KeySlot slot(std::uint32_t purpose, std::uint32_t flags, std::uint64_t floor,
             const std::array<std::uint8_t, 32>& public_key);
// An empty table, as compiled.
KeyTable empty_keys();

} // namespace bundle
