// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/kernel/boot/stages.hpp"

#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/virt/choose.hpp"
#include "drivers/uart/start.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/plan/needs.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/core/plan/topology.hpp"
#include "hypervisor/core/vcpu/machine_check.hpp"
#include "hypervisor/kernel/cpu/area.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/dma/assign.hpp"
#include "hypervisor/kernel/dma/start.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/memory/pool.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/partition/partition.hpp"
#include "hypervisor/kernel/time/start.hpp"
#if CAISSON_WEAK
#include "hypervisor/kernel/boot/weak_permissions_test.hpp"
#endif

namespace hv {
namespace {

constexpr std::uint64_t io_permission_frames = plan::needs::io_permissions,
                        msr_permission_frames = plan::needs::msr_permissions;
// Stacks and their table, window tables, Cpu, host save area, host VMCB.
static_assert(plan::needs::a_cpu >= stack_pages + 1 + window_count + frames_for<Cpu>() + 2);
static_assert(plan::needs::a_partition >= frames_for<Partition>());
static_assert(plan::needs::a_vcpu >= frames_for<Vcpu>() + 1);
// Notes a vCPU may write to the audit log in a second.
constexpr std::uint64_t notes_a_second = 10;

constinit base::FixedVector<plan::Cpu, acpi::max_cpus> cpu_list;
constinit base::FixedVector<plan::SectionExtent, bundle::max_sections> section_list;
constinit memory::Run image_run{};

plan::Machine described_machine() {
    Machine& m = machine_in_making();
    board::list_cpus(tables(), plan::topology(cpu::cpuid), apic::id(), cpu_list);
    section_list.clear();
    m.sections.clear();
    for (std::uint32_t i = 0; i < found().contents->section_count(); ++i) {
        const bundle::Section section = found().contents->section(i);
        (void)section_list.push_back({section.type, section.partition, section.offset, section.size});
        (void)m.sections.push_back({section.offset, section.size});
    }
    plan::Machine described = described_hardware();
    described.cpus = cpu_list.view();
    described.sections = section_list.view();
    described.pci = &dma::pci_machine(found().plan->device_count());
    return described;
}

plan::Options options() {
    return plan::needs::options(machine().remapping, machine().units.size(), found().plan->device_count(),
                                !machine().hardening.uses(vcpu::Measure::small_executable_pages),
                                virt::has_huge_pages());
}

template <typename T> T expect_tables(base::Result<T, paging::Error> result) {
    base::expects(result.ok(),
                  "translation tables: bind() reserved too few frames or placed something twice");
    return std::move(result).value();
}

paging::Access lane_access(bool own) {
    return {.write = own || base::weak("writable_lanes"), .execute = base::weak("executable_lanes")};
}

base::PhysAddr second_stage(std::uint32_t partition) {
    using Tables = paging::TableBuilder<TablePool>;
    const paging::Format& format = virt::features.vmx ? paging::extended : paging::nested;
    TablePool memory{bound_plan().pool};
    const unsigned largest = !options().large_pages ? 0 : options().huge_pages ? 2 : 1;
    Tables tables = expect_tables(Tables::create(format, memory, largest)); // every leaf is executable
    for (const plan::Piece& piece : bound_plan().pieces_of(partition)) {
        const bool ram = piece.kind == plan::RegionKind::ram;
        expect_tables(tables.map(piece.gpa, base::PhysAddr{piece.host.base}, piece.host.bytes,
                                 ram ? paging::read_write_execute : paging::read_execute));
    }
    for (std::uint32_t i = 0; i < found().plan->wire_count(); ++i) {
        const plan::Wire wire = found().plan->wire(i);
        const std::uint32_t end = wire.end_of(partition);
        for (std::uint32_t lane = 0; lane < wire.lanes() && end < 2; ++lane)
            expect_tables(tables.map(wire.gpa[end] + lane * wire.lane_bytes,
                                     base::PhysAddr{bound_plan().wires[i].base + lane * wire.lane_bytes},
                                     wire.lane_bytes, lane_access(lane == end)));
    }
    for (const plan::BoundDevice& device : bound_plan().devices)
        for (const plan::BoundBar& bar : device.bars)
            if (device.partition == partition && bar.bytes != 0)
                expect_tables(tables.map(bar.gpa, base::PhysAddr{bar.host}, bar.bytes, paging::device));
    if (base::weak("extra_page"))
        expect_tables(tables.map(found().plan->partition(partition).regions[0].bytes,
                                 base::PhysAddr{image_extent().base}, base::page_size, paging::read_only));
    return tables.root();
}

void make_cpus() {
    Machine& m = machine_in_making();
    for (std::uint32_t rank = 0; rank < bound_plan().cpus.size(); ++rank) {
        Cpu& cpu = make_in<Cpu>(bound_plan().pool);
        cpu.index = rank;
        cpu.apic_id = bound_plan().cpus[rank].apic_id;
        cpu.host_save_area = take_frames(bound_plan().pool, 1);
        cpu.host_vmcb = take_frames(bound_plan().pool, 1);
        (void)m.cpus.push_back(&cpu);
    }
}

Vcpu& make_vcpu(Partition& partition, std::uint32_t index) {
    Machine& m = machine_in_making();
    Vcpu& vcpu = make_in<Vcpu>(bound_plan().pool);
    virt::make_guest(vcpu.guest, take_frames(bound_plan().pool, 1));
    vcpu.partition = &partition;
    vcpu.core.policy = &partition.policy;
    vcpu.core.index = index;
    vcpu.audit_rate = vcpu::RateLimiter{notes_a_second, m.times.tsc_hz};
    for (std::uint32_t rank = 0; rank < bound_plan().cpus.size(); ++rank)
        if (bound_plan().cpus[rank].partition == partition.index && bound_plan().cpus[rank].vcpu == index) {
            vcpu.cpu = m.cpus[rank];
            vcpu.cpu->vcpu = &vcpu;
        }
    base::expects(vcpu.cpu != nullptr, "bind() gave a vCPU no CPU");
    return vcpu;
}

vcpu::CpuidLeaf own_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
    const cpu::CpuidResult r = cpu::cpuid(leaf, subleaf);
    return {r.eax, r.ebx, r.ecx, r.edx};
}

void fill_policy(Partition& partition, const plan::Partition& planned) {
    const Times& times = machine().times;
    vcpu::Policy& policy = partition.policy;
    vcpu::build_cpuid(policy.cpuid, own_cpuid, planned.cpu_count);
    for (std::uint32_t i = 0; i < planned.region_count; ++i)
        if (planned.regions[i].kind == plan::RegionKind::ram)
            policy.ram[policy.ram_count++] = {planned.regions[i].gpa, planned.regions[i].bytes};
    policy.vcpu_count = planned.cpu_count;
    policy.last_local_vector = apic::read(apic::Register::version) >> 16 & 0xff;
    policy.corrected_machine_check = (cpu::rdmsr_or_0(vcpu::mca::mcg_cap) & vcpu::mca::cap_cmci) != 0;
    policy.clock = {times.tsc_hz, times.apic_timer_hz, times.wall_ns, times.wall_tsc};
}

void make_partitions() {
    Machine& m = machine_in_making();
    for (std::uint32_t index = 0; index < found().plan->partition_count(); ++index) {
        Partition& partition = make_in<Partition>(bound_plan().pool);
        partition.index = index;
        partition.name = found().plan->partition_name(index);
        const plan::Partition planned = found().plan->partition(index);
        partition.behaviour = planned.behaviour;
        partition.entry = planned.entry;
        for (std::uint32_t i = 0; i < planned.load_count; ++i)
            (void)partition.loads.push_back(found().plan->load(planned.first_load + i));
        fill_policy(partition, planned);
        partition.second_stage.adopt(second_stage(index));
        for (std::uint32_t i = 0; i < planned.cpu_count; ++i)
            (void)partition.vcpus.push_back(&make_vcpu(partition, i));
        partition.output.partition = index;
        console::add(partition.output);
        partition.timed.partition = index;
        const plan::Behaviour& wish = partition.behaviour;
        partition.output_bytes = {wish.output_rate == 0 ? UINT64_MAX : wish.output_rate, m.times.tsc_hz};
        partition.note_bytes = {wish.note_rate, m.times.tsc_hz};
        partition.timed.interval_ms = wish.watchdog_ms;
        partition.timed.stop_word = std::uint64_t{wish.stop_timeout_ms} << 32 | wish.stop_signal;
        partition.timed.cpu = partition.primary().cpu;
        alarm::look_after(partition.timed);
        (void)m.partitions.push_back(&partition);
    }
}

// Both ends of each wire know each other. Nothing of a one-way wire's reader reaches its writer.
void connect_links() {
    for (std::uint32_t i = 0; i < found().plan->wire_count(); ++i) {
        const plan::Wire wire = found().plan->wire(i);
        std::array<Partition*, 2> ends{};
        std::array<Link*, 2> links{};
        for (const std::uint32_t end : {0u, 1u}) {
            ends[end] = machine().partitions[wire.partitions[end]];
            links[end] = &ends[end]->links[ends[end]->policy.link_count++];
            if (end < wire.lanes())
                links[end]->writes = {bound_plan().wires[i].base + end * wire.lane_bytes, wire.lane_bytes};
        }
        for (const std::uint32_t end : {0u, 1u}) {
            const bool both = wire.lanes() == 2;
            const bool rings = both || end == 0, learns = both || end == 1 || base::weak("leaky_lanes");
            links[end]->other = rings ? links[1 - end] : &no_end.link;
            links[end]->on_the_way = rings ? &ends[1 - end]->rings_on_the_way : &no_end.on_the_way;
            links[end]->life = learns ? &ends[1 - end]->life : &no_end.life;
        }
    }
}

// Every port exits. MSRs: core's allow-list; without x2APIC the local APIC's registers are forwarded, so they exit.
void make_permission_maps() {
    Machine& m = machine_in_making();
    m.io_permissions = take_frames(bound_plan().pool, io_permission_frames);
    const auto ports = cpu::bytes_at(pool_address(m.io_permissions), io_permission_frames * base::page_size);
    std::memset(ports.data(), 0xff, ports.size());
    m.msr_permissions = take_frames(bound_plan().pool, msr_permission_frames);
    const std::span map{cpu::pointer_to<std::uint8_t>(pool_address(m.msr_permissions)), vcpu::msrpm_bytes};
    const bool tsc_deadline = (cpu::cpuid(1).ecx >> 24 & 1) != 0;
    if (virt::features.vmx)
        vcpu::build_vmx_bitmap(map.first<vcpu::msr_bitmap_bytes>(), tsc_deadline, apic::x2apic_offered());
    else
        vcpu::build_svm_msrpm(map.first<vcpu::msrpm_bytes>(), tsc_deadline, apic::x2apic_offered());
#if CAISSON_WEAK
    weaken(ports, map, virt::features.vmx);
#endif
}

} // namespace

void refuse(const plan::Issue& issue) {
    LogLine line;
    plan::write_refusal(line, issue, found().plan ? &*found().plan : nullptr, tables().cpus_left_out,
                        acpi::max_cpus);
    refuse_with(line.view());
}

plan::Machine described_hardware() {
    image_run = {image_extent().base, image_extent().bytes};
    return {.map = &found().map,
            .pool_end = early_map_end(),
            .cpus = {},
            .reserved = {&image_run, 1},
            .bundle_base = found().boot.module.base,
            .bundle_bytes = found().boot.module.bytes,
            .sections = {},
            .devices = found().devices.view()};
}

void refuse_other_kind(const Cpu& cpu) {
    const bool protected_alike = harden_this_cpu();
    if (cpu.vcpu == nullptr)
        return; // parked: nobody runs there
    const char* difference = vcpu::differs(cpu.vcpu->partition->policy.cpuid, own_cpuid);
    if (!protected_alike)
        difference = "protections against its own weaknesses";
    else if (!virt::same_here())
        difference = "VT-x or AMD-V capabilities";
    if (difference != nullptr)
        refuse_to_start("the CPU with APIC ID ", cpu.apic_id, " has other ", difference,
                        " than the boot CPU: give every CPU the same microcode, or name CPUs of one kind in "
                        "the plan (cpuset)");
}

void bind_plan() {
    Machine& m = machine_in_making();
    const plan::Machine described = described_machine();
    if (const auto bound = plan::bind(*found().plan, described, options(), bound_plan()); !bound.ok())
        refuse(bound.error());
    if (const auto good = plan::check(*found().plan, described, options(), bound_plan()); !good.ok())
        refuse(good.error());
    m.pieces = bound_plan().pieces;
}

base::PhysAddr build_everything() {
    Machine& m = machine_in_making();
    m.bundle = found().boot.module.base;
    m.bundle_bytes = found().boot.module.bytes;
    AddressSpace space = expect_tables(AddressSpace::create(bound_plan().pool, bound_plan().retained));
    make_cpus();
    for (Cpu* cpu : m.cpus)
        expect_tables(space.add_cpu(bound_plan().pool, *cpu));
    if (!apic::x2apic_offered())
        expect_tables(space.add_device(apic::register_page(), base::page_size));
    if (const drivers::UartPlace& uart = found().console; uart.in_memory)
        expect_tables(
            space.add_device(base::PhysAddr{base::round_down(uart.base, base::page_size)}, base::page_size));
    expect_tables(map_screen(space));
    expect_tables(alarm::start(space, found().plan->needs_time(), found().console.base == drivers::com1));
    dma::deny_everything(bound_plan().pool, m.cpus[bound_plan().time_cpu()]->apic_id);
    expect_tables(dma::map_registers(space));
    expect_tables(dma::assign_devices(bound_plan().pool, space, *found().plan));
    make_permission_maps();
    make_partitions();
    connect_links();
    show_partitions();
    bound_plan().pool.seal();
    virt::nmi_tables = space.root();
    return space.root();
}

std::uint64_t hypervisor_bytes() {
    return image_extent().bytes + bound_plan().pool.total_frames() * base::page_size +
           bound_plan().retained.bytes;
}

std::uint64_t partition_bytes() {
    std::uint64_t sum = 0;
    for (const plan::Piece& piece : bound_plan().pieces)
        sum += piece.host.bytes;
    for (const memory::Run& run : bound_plan().wires)
        sum += run.bytes;
    return sum;
}

} // namespace hv
