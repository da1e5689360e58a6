// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/partition/load.hpp"

#include "arch/x86_64/cpu/guest_state.hpp"
#include "hypervisor/core/acpi/guest_tables.hpp"
#include "hypervisor/core/plan/guest_layout.hpp"
#include "hypervisor/core/pvh/start_info.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/partition/partition.hpp"
#include "partitions/abi/boot_page.h"

#include <cstring>

namespace hv {
namespace {

using Problem = std::optional<std::string_view>;

constexpr std::uint64_t boot_area_bytes = CAISSON_GPA_BOOT_END - CAISSON_GPA_ACPI;

template <typename Visit> void each_region(const Partition& partition, plan::RegionKind kind, Visit visit) {
    for (std::uint32_t i = 0; i < partition.plan.region_count; ++i)
        if (partition.plan.regions[i].kind == static_cast<std::uint32_t>(kind))
            visit(partition.plan.regions[i]);
}

// Copies part of a section to guest memory.
bool copy_to_guest(const Partition& partition, std::uint32_t section, std::uint64_t offset,
                   std::uint64_t length, std::uint64_t gpa) {
    const SectionView view{section};
    return view.source().each(offset, length, [&](std::span<const std::byte> piece) {
        const std::uint64_t at = gpa;
        gpa += piece.size();
        return each_guest_piece(WindowSide::target, partition, at, piece.size(), true,
                                [&piece](std::span<std::byte> to) {
                                    std::memcpy(to.data(), piece.data(), to.size());
                                    piece = piece.subspan(to.size());
                                });
    });
}

Problem load_kernel(Partition& partition) {
    if (!partition.kernel.made()) {
        const SectionView view{partition.plan.kernel_section};
        auto parsed = elf::parse_pvh(view.source());
        if (!parsed.ok())
            return elf::describe(parsed.error());
        partition.kernel.emplace(parsed.value());
    }
    for (const elf::Segment& segment : partition.kernel->segments) {
        const std::uint64_t start = segment.physical_address, end = start + segment.memory_size;
        if (!vcpu::inside_one(partition.policy.ram_view(), start, segment.memory_size))
            return "the kernel does not fit into the partition's memory";
        if (start < CAISSON_GPA_BOOT_END && end > CAISSON_GPA_ACPI)
            return "the kernel lies over the boot area";
        if (segment.file_size > 0 && !copy_to_guest(partition, partition.plan.kernel_section,
                                                    segment.file_offset, segment.file_size, start))
            return "the kernel cannot be copied";
    }
    return std::nullopt;
}

Problem load_module(const Partition& partition, pvh::GuestRange& module) {
    const std::uint32_t section = partition.plan.module_section;
    if (section == plan::no_section)
        return std::nullopt;
    module.bytes = machine().contents->section(section).size;
    module.gpa = plan::module_gpa(partition.plan.memory_bytes, module.bytes);
    if (!vcpu::inside_one(partition.policy.ram_view(), module.gpa, module.bytes) ||
        !copy_to_guest(partition, section, 0, module.bytes, module.gpa))
        return "the module does not fit into the partition's memory";
    return std::nullopt;
}

pvh::GuestRange root_of(const Partition& partition) {
    pvh::GuestRange root;
    each_region(partition, plan::RegionKind::root_image, [&root](const plan::Region& region) {
        root = {region.gpa, region.bytes};
    });
    return root;
}

pvh::BootPageInput boot_page(const Partition& partition, std::uint32_t startup_bytes) {
    const Times& times = machine().times;
    pvh::BootPageInput input;
    input.flags = (virt::features.vmx ? 0 : CAISSON_BOOT_VMMCALL) |
                  (partition.has_console() ? 0 : CAISSON_BOOT_NO_CONSOLE);
    input.partition_id = partition.index;
    input.vcpu_count = partition.plan.cpu_count;
    input.generation = partition.policy.generation;
    input.tsc_hz = times.tsc_hz;
    input.apic_timer_hz = times.apic_timer_hz;
    input.wall_ns = times.wall_ns;
    input.wall_tsc = times.wall_tsc;
    input.memory_bytes = partition.plan.memory_bytes;
    input.root = root_of(partition);
    input.startup_bytes = startup_bytes;
    fill_random(input.entropy_seed);
    input.name = partition.name;
    return input;
}

Problem write_boot_area(const Partition& partition, pvh::GuestRange module) {
    const auto window = Window::guest(WindowSide::target, partition, CAISSON_GPA_ACPI, boot_area_bytes, true);
    if (!window || window->bytes().size() != boot_area_bytes)
        return "the partition has no boot area";
    const auto area = [&](std::uint64_t gpa) { return window->bytes().subspan(gpa - CAISSON_GPA_ACPI); };

    const auto tables =
        acpi::build_guest_tables(area(CAISSON_GPA_ACPI).first<4096>(), base::GuestPhysAddr{CAISSON_GPA_ACPI},
                                 partition.plan.cpu_count);
    if (!tables.ok())
        return "its ACPI tables cannot be made";

    const std::span<const std::byte> startup = machine().plan->startup(partition.index);
    std::array<pvh::GuestRange, plan::max_regions> ram{};
    std::size_t ram_count = 0;
    each_region(partition, plan::RegionKind::ram, [&](const plan::Region& region) {
        ram[ram_count++] = {region.gpa, region.bytes};
    });
    pvh::StartInput start;
    start.ram = std::span{ram}.first(ram_count);
    start.root = root_of(partition);
    if (partition.plan.payload == static_cast<std::uint32_t>(plan::PayloadKind::unikernel))
        module = {CAISSON_GPA_BOOT_PAGE, base::page_size + startup.size()};
    start.modules = std::span{&module, module.bytes > 0 ? std::size_t{1} : std::size_t{0}};
    start.command_line = machine().plan->command_line(partition.index);
    start.rsdp = tables.value().value();
    if (!pvh::build_start_info(area(CAISSON_GPA_START_INFO).first<pvh::start_info_bytes>(), start).ok())
        return "its start record cannot be made";

    pvh::build_boot_page(area(CAISSON_GPA_BOOT_PAGE).first<4096>(),
                         boot_page(partition, static_cast<std::uint32_t>(startup.size())));
    if (startup.size() > CAISSON_STARTUP_MAX)
        return "its startup record is too long";
    std::memcpy(area(CAISSON_GPA_STARTUP).data(), startup.data(), startup.size());
    return std::nullopt;
}

} // namespace

SectionView::SectionView(std::uint32_t section) {
    const bundle::Section entry = machine().contents->section(section);
    offset_ = entry.offset;
    size_ = entry.size;
}

std::span<const std::byte> SectionView::operator()(std::uint64_t offset, std::size_t length) const {
    window_.reset();
    auto window = Window::bundle(WindowSide::source, offset_ + offset, length);
    if (!window)
        return {};
    window_.emplace(std::move(*window));
    return window_->bytes();
}

void clear_memory(const Partition& partition, bool scrub) {
    each_region(partition, plan::RegionKind::ram, [&](const plan::Region& region) {
        const bool all = each_guest_piece(WindowSide::target, partition, region.gpa, region.bytes, true,
                                          [scrub](std::span<std::byte> piece) {
                                              if (scrub)
                                                  cpu::scrub(piece);
                                              else
                                                  std::memset(piece.data(), 0, piece.size());
                                          });
        base::expects(all, "clear_memory: a region of the plan is not bound");
    });
}

Problem load_payload(Partition& partition) {
    if (auto problem = load_kernel(partition))
        return problem;
    pvh::GuestRange module;
    if (auto problem = load_module(partition, module))
        return problem;
    return write_boot_area(partition, module);
}

void copy_root(const Partition& partition) {
    const pvh::GuestRange root = root_of(partition);
    const bool good = copy_to_guest(partition, partition.plan.root_section, 0,
                                    machine().contents->section(partition.plan.root_section).size, root.gpa);
    base::expects(good, "copy_root: the region of the plan is not bound");
}

} // namespace hv
