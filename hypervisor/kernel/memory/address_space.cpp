// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/memory/address_space.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/cpu/area.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/memory/own_tables.hpp"

// The linker script's marks (link.ld).
extern "C" {
extern const char image_start[], boot_text_start[], boot_data_start[], boot_end[];
extern const char image_text_start[], image_constant_start[], image_end[];
extern const char boot_stack_guard[];
extern const std::uint64_t boot_image_place; // entry.S
}

namespace hv {
namespace {

static_assert(paging::host.leaf_entry(base::PhysAddr{}, 0, paging::read_only) == read_only_page &&
              paging::host.leaf_entry(base::PhysAddr{}, 0, paging::read_write) == read_write_page);

constinit std::optional<TablePool> table_pool;

std::uint64_t number(const char* mark) {
    return cpu::address_of(*mark).value();
}

// What a table is asked for: the address without the copies of its bit 47.
std::uint64_t table_input(const char* mark) {
    return number(mark) & (paging::input_limit - 1);
}

} // namespace

ImageExtent image_extent() {
    return {boot_image_place, number(image_end) - number(image_start)};
}

base::PhysAddr physical_in_image(base::VirtAddr place) {
    return base::PhysAddr{place.value() - number(image_start) + boot_image_place};
}

base::Result<AddressSpace, paging::Error> AddressSpace::create(memory::FramePool& pool,
                                                               const memory::Run& retained) {
    TablePool& memory = table_pool.emplace(pool);
    AddressSpace space{CAISSON_TRY(Tables::create(paging::host, memory))};
    CAISSON_TRY(space.map_image());
    for (const memory::Run& run : {pool.runs()[0], retained})
        CAISSON_TRY(space.tables_.map(run.base, base::PhysAddr{run.base}, run.bytes, paging::read_write));
    return space;
}

base::Status<paging::Error> AddressSpace::map_image() {
    const auto map = [this](const char* from, const char* to, paging::Access access) {
        return tables_.map(table_input(from), physical(*from), number(to) - number(from), access);
    };
    image_place = physical(*image_start);
    image_table = CAISSON_TRY(tables_.last_table(table_input(image_start)));
    CAISSON_TRY(map(image_start, boot_text_start, paging::read_only));
    CAISSON_TRY(map(boot_text_start, boot_data_start, paging::read_execute));
    CAISSON_TRY(map(boot_data_start, boot_stack_guard, paging::read_write));
    CAISSON_TRY(map(boot_stack_guard + base::page_size, boot_end, paging::read_write));
    CAISSON_TRY(map(boot_end, image_text_start, paging::read_only));
    CAISSON_TRY(map(image_text_start, image_constant_start, paging::read_execute));
    return map(image_constant_start, image_end, paging::read_write);
}

base::Status<paging::Error> AddressSpace::add_cpu(memory::FramePool& pool, Cpu& cpu) {
    const std::uint64_t area = cpu_area(cpu.index);
    const paging::Access stack_access =
        base::weak("code_on_stack") ? paging::read_write_execute : paging::read_write;
    for (const StackPlace& stack : {main_stack, nmi_stack, double_fault_stack, machine_check_stack})
        CAISSON_TRY(tables_.map(area + stack.offset, take_frames(pool, stack.pages),
                                stack.pages * base::page_size, stack_access));
    for (unsigned slot = 0; slot < window_count; ++slot) {
        const std::uint64_t at = area + window_offset(slot);
        cpu.windows[slot].table = CAISSON_TRY(tables_.last_table(at));
        cpu.windows[slot].at = base::VirtAddr{at};
    }
    return base::success;
}

base::Status<paging::Error> AddressSpace::add_device(base::PhysAddr registers, std::uint64_t bytes,
                                                     paging::Access access) {
    return tables_.map(registers.value(), registers, bytes, access);
}

} // namespace hv
