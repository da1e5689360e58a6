// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/address_space.hpp - the hypervisor's own translation tables.
//
//   image and frame pool   one to one
//   per CPU, 8 MiB each    from per_cpu_base: stacks with a hole below each, then two windows
//   devices                one page each, one to one: the local APIC where the machine has no x2APIC, the HPET and
//                          the hardware watchdog where the plan needs time
// Nothing else is mapped once the early tables are left: no guest memory, no bundle, no firmware.
// Invariants: W^X throughout; no page below a stack is mapped; guest memory and the bundle are not in them.
#pragma once

#include "hypervisor/core/paging/table_builder.hpp"
#include "hypervisor/kernel/memory/pool.hpp"

namespace hv {

struct Cpu;

inline constexpr std::uint64_t per_cpu_base = 0x7000'0000'0000;
inline constexpr std::uint64_t per_cpu_stride = std::uint64_t{8} << 20;

struct StackPlace {
    std::uint64_t offset; // in the CPU's 8 MiB; the page below is never mapped
    std::uint64_t pages;
};
inline constexpr StackPlace main_stack{0x1000, 4}, nmi_stack{0x6000, 1}, double_fault_stack{0x8000, 2},
    machine_check_stack{0xb000, 2};
inline constexpr std::uint64_t stack_pages =
    main_stack.pages + nmi_stack.pages + double_fault_stack.pages + machine_check_stack.pages;

inline constexpr unsigned window_count = 2;
inline constexpr std::uint64_t window_bytes = base::large_page_size; // one last-level table each
constexpr std::uint64_t window_offset(unsigned slot) {
    return (slot + 1) * base::large_page_size;
}

constexpr std::uint64_t cpu_area(std::uint32_t cpu) {
    return per_cpu_base + cpu * per_cpu_stride;
}
constexpr std::uint64_t stack_top(std::uint32_t cpu, StackPlace stack) {
    return cpu_area(cpu) + stack.offset + stack.pages * base::page_size;
}

// The image as the linker script laid it out, page aligned.
struct ImageExtent {
    std::uint64_t base, bytes;
};
[[nodiscard]] ImageExtent image_extent();

class AddressSpace {
public:
    // Maps the image and the whole pool. Errors are core/paging's.
    [[nodiscard]] static base::Result<AddressSpace, paging::Error> create(memory::FramePool& pool);

    // Stacks and window tables of a CPU; fills in its window tables.
    [[nodiscard]] base::Status<paging::Error> add_cpu(memory::FramePool& pool, Cpu& cpu);
    [[nodiscard]] base::Status<paging::Error> add_device(base::PhysAddr registers, std::uint64_t bytes);
    [[nodiscard]] base::PhysAddr root() const { return tables_.root(); }

private:
    using Tables = paging::TableBuilder<TablePool>;
    explicit AddressSpace(Tables tables) : tables_(tables) {}
    [[nodiscard]] base::Status<paging::Error> map_image();

    Tables tables_;
};

} // namespace hv
