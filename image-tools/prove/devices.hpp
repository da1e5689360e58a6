// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/devices.hpp - devices that partitions own: which function of the machine each is, where its registers must be seen,
// and what the remapping unit lets it do.
//
// Independent: the functions are the emulator's list, the unit's tables are walked from the unit's own registers.
// Spec: Intel VT-d 4.1, 9.1 "Root Entry", 9.3 "Context Entry", 9.9 "Interrupt Remapping Table Entry", 11.4 "Register Descriptions".
#pragma once

#include "image-tools/prove/intended.hpp"
#include "image-tools/prove/walker.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace prove {

// A function of the machine, as its emulator lists it.
struct PciFunction {
    std::uint16_t requester = 0; // bus, device, function
    std::uint16_t vendor = 0, device = 0;
    std::array<Range, 6> bars{}; // in memory; no bytes: none
};

struct OwnedFunction {
    std::uint32_t partition = 0;
    PciFunction function;
    std::vector<Backing> bars;
};

// Each device of the plan, in its order. Text: the one that the machine does not have.
std::optional<std::string> find_owned(const Intended& intended, std::vector<PciFunction> functions,
                                      std::vector<OwnedFunction>& out);

// QEMU's VT-d unit.
inline constexpr Range vtd_registers{0xfed90000, 4096};

// What the unit's registers and tables say: an item each for the unit, who is in its tables, the memory of each owner of
// devices, interrupts. `tables`: every frame that they take.
std::vector<Item> check_remapping(PhysicalMemory& memory, const Intended& intended,
                                  std::span<const OwnedFunction> owned, std::vector<std::uint64_t>& tables);

// The part of it that concerns one partition's tables; for tests.
Item compare_domain(const Intended& intended, std::uint32_t partition, const Walk& real);

} // namespace prove
