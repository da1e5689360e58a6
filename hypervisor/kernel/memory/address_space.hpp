// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/address_space.hpp - the hypervisor's own translation tables.
//
//   image                  where it is linked, at the top 2 GiB
//   frame pool             one to one, and the retained log
//   per CPU, 8 MiB each    stacks with a hole below each, then two windows (cpu/area.hpp)
//   devices                one page each, one to one: the local APIC where the machine has no x2APIC, the HPET and
//                          the hardware watchdog where the plan needs time; a UART in memory
//   screen                 the part of it that is drawn, one to one
// Nothing else is mapped once the early tables are left: no guest memory, no bundle, no firmware.
// Invariants: W^X throughout; no page below a stack is mapped; guest memory and the bundle are not in them.
#pragma once

#include "hypervisor/core/paging/table_builder.hpp"
#include "hypervisor/kernel/memory/pool.hpp"

namespace hv {

struct Cpu;

// Where the image lies, page aligned.
struct ImageExtent {
    std::uint64_t base, bytes;
};
[[nodiscard]] ImageExtent image_extent();
// Where something in the image lies.
[[nodiscard]] base::PhysAddr physical_in_image(base::VirtAddr place);
template <typename T> base::PhysAddr physical(const T& object) {
    return physical_in_image(cpu::address_of(object));
}

class AddressSpace {
public:
    // Maps the image, the whole pool and the retained log. Errors are core/paging's.
    [[nodiscard]] static base::Result<AddressSpace, paging::Error> create(memory::FramePool& pool,
                                                                          const memory::Run& retained);

    // Stacks and window tables of a CPU; fills in its window tables.
    [[nodiscard]] base::Status<paging::Error> add_cpu(memory::FramePool& pool, Cpu& cpu);
    [[nodiscard]] base::Status<paging::Error> add_device(base::PhysAddr registers, std::uint64_t bytes,
                                                         paging::Access access = paging::device);
    [[nodiscard]] base::PhysAddr root() const { return tables_.root(); }

private:
    using Tables = paging::TableBuilder<TablePool>;
    explicit AddressSpace(Tables tables) : tables_(tables) {}
    [[nodiscard]] base::Status<paging::Error> map_image();

    Tables tables_;
};

} // namespace hv
