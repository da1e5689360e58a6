// SPDX-License-Identifier: Apache-2.0
// loader/handover/boot_record.hpp - what the hypervisor learns from whoever started it, by either protocol.
//
// Trust:      firmware data. Ranges are checked for wrap-around only; what may be used is decided in core/memory.
// Invariants: complete when read: nothing of it points into memory that firmware may see reused, but the module.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/memory/runs.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace loader {

// Memory as the hypervisor finds it before its own tables exist: a range of physical bytes, or nothing where
// it is not reachable. Only this seam is faked in tests.
class PhysicalMemory {
public:
    [[nodiscard]] virtual std::optional<std::span<const std::byte>> view(std::uint64_t address,
                                                                         std::uint64_t bytes) const = 0;

    template <typename T> [[nodiscard]] std::optional<T> read(std::uint64_t address) const {
        const auto bytes = view(address, sizeof(T));
        if (!bytes)
            return std::nullopt;
        T value{};
        __builtin_memcpy(&value, bytes->data(), sizeof(T));
        return value;
    }

protected:
    ~PhysicalMemory() = default;
};

struct Range {
    std::uint64_t base = 0, bytes = 0;
};

struct BootRecord {
    base::FixedVector<memory::Range, memory::max_firmware_entries> memory; // as given, not yet orderly
    Range module;                                                          // the bundle
    std::uint64_t rsdp = 0; // physical address, or 0 where the firmware gave a copy
    std::array<std::byte, 36> rsdp_copy{};
    bool rsdp_copied = false;
};

enum class BootError {
    unknown_protocol, // neither PVH nor Multiboot2 started us
    bad_structure,    // a length, count or address of the protocol's structures is wrong
    no_memory_map,
    too_many_entries,
    no_module,        // the bundle is missing
    too_many_modules, // more than the one bundle
    bad_module,       // empty, wrapping or not reachable
};

[[nodiscard]] constexpr const char* describe(BootError error) {
    switch (error) {
    case BootError::unknown_protocol:
        return "not started by PVH or Multiboot2";
    case BootError::bad_structure:
        return "the boot protocol's structures are damaged";
    case BootError::no_memory_map:
        return "the firmware gave no memory map";
    case BootError::too_many_entries:
        return "the memory map has too many entries";
    case BootError::no_module:
        return "no bundle: give it as the one module (-initrd FILE, or module2 in GRUB)";
    case BootError::too_many_modules:
        return "more than one module: the bundle is the only one";
    case BootError::bad_module:
        return "the module's place in memory is not usable";
    }
    return "";
}

} // namespace loader
