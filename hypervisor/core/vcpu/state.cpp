// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/state.cpp - start states of a virtual CPU.
#include "hypervisor/core/vcpu/state.hpp"

namespace vcpu {
namespace {

constexpr std::uint32_t flat_limit = 0xFFFFFFFF;
constexpr std::uint32_t real_limit = 0xFFFF;
// Attributes: type, S = 1 for code and data, P, D/B, G.
constexpr std::uint16_t code_32 = 0xC9B; // execute, read, accessed; 4 GiB, 32-bit
constexpr std::uint16_t data_32 = 0xC93; // read, write, accessed; 4 GiB, 32-bit
constexpr std::uint16_t code_16 = 0x9B;
constexpr std::uint16_t data_16 = 0x93;
constexpr std::uint16_t tss_32_busy = 0x8B;
constexpr std::uint16_t ldt = 0x82;

constexpr std::uint64_t cr0_protected = 1u << 0;
constexpr std::uint64_t cr0_extension_type = 1u << 4;
constexpr std::uint64_t cr0_not_write_through = 1u << 29;
constexpr std::uint64_t cr0_cache_disable = 1u << 30;

InitialState with_data(const Segment& data) {
    InitialState state;
    state.ds = state.es = state.ss = state.fs = state.gs = data;
    state.ldtr = {.attributes = ldt, .limit = real_limit};
    return state;
}

} // namespace

InitialState pvh_entry(std::uint32_t entry, std::uint32_t start_info) {
    // The ABI leaves selectors open; loading any of them needs a GDT of the payload's own. DS, ES, SS flat;
    // FS and GS too.
    InitialState state = with_data({.selector = 0x10, .attributes = data_32, .limit = flat_limit});
    state.cs = {.selector = 0x8, .attributes = code_32, .limit = flat_limit};
    state.tr = {.attributes = tss_32_busy, .limit = 0x67};
    state.cr0 = cr0_protected | cr0_extension_type;
    state.rip = entry;
    state.registers.rbx = start_info;
    return state;
}

InitialState sipi_start(std::uint8_t vector) {
    InitialState state = with_data({.attributes = data_16, .limit = real_limit});
    state.cs = {.selector = static_cast<std::uint16_t>(vector << 8),
                .attributes = code_16,
                .limit = real_limit,
                .base = std::uint64_t{vector} << 12};
    state.tr = {.attributes = tss_32_busy, .limit = real_limit};
    state.gdtr = {.limit = real_limit};
    state.idtr = {.limit = real_limit};
    state.cr0 = cr0_extension_type | cr0_not_write_through | cr0_cache_disable;
    return state;
}

} // namespace vcpu
