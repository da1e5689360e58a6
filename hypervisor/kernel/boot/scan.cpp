// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/scan.cpp - the image of `caisson board scan` in place of main.cpp: takes the machine over as a boot does,
// looks at everything that a boot looks at, says it as JSON in frames of its own (core/board/write.hpp), keeps it where the loader
// of its medium asks for that, and switches the machine off, or resets it then. No bundle, no partition; the other CPUs are started one after the other, to tell their CPUID.
//
// Trust:      firmware and devices, as far as boot trusts them: the same code reads them.
// Invariants: nothing is written to but what boot writes to: bus masters off, BARs measured and put back, the half of its features that a
//             virtio device shows.
#include "drivers/pci/scan.hpp"
#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/boot/application_processor.hpp"
#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "arch/x86_64/virt/choose.hpp"
#include "build_id.hpp"
#include "drivers/clock/counters.hpp"
#include "drivers/pci/port_registers.hpp"
#include "drivers/pci/virtio.hpp"
#include "hypervisor/core/board/kept_scan.hpp"
#include "hypervisor/core/board/write.hpp"
#include "hypervisor/kernel/boot/stages.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/end/end.hpp"
#include "hypervisor/kernel/memory/early_map.hpp"
#include "hypervisor/kernel/time/find_watchdog.hpp"
#include "partitions/abi/console.h"

#include <cstring>
#include <memory>

namespace hv {
namespace {

using board::Facts;
using board::Known;

static_assert(static_cast<unsigned>(drivers::WatchdogKind::wdat) + 1 ==
              static_cast<unsigned>(board::Watchdog::wdat));

constexpr Known known(bool yes) {
    return yes ? Known::yes : Known::no;
}

// One frame at a time; a reader puts the pieces together (image-tools/board/from_line.cpp).
class Frames {
public:
    void operator()(std::string_view text) {
        for (const char c : text) {
            piece_[filled_++] = c;
            if (filled_ == piece_.size())
                flush();
        }
    }
    void flush() {
        if (filled_ != 0)
            console::record(static_cast<audit::FrameType>(board::frame_type), {piece_.data(), filled_});
        filled_ = 0;
    }

private:
    std::array<char, CAISSON_FRAME_MAX> piece_{};
    std::size_t filled_ = 0;
};

// Where the loader of the medium wants the description kept over a reset (core/board/kept_scan.hpp), if it does: memory that firmware
// calls usable, apart from this image and from what the loader left.
std::optional<std::uint64_t> wanted_place() {
    const loader::Range& module = found().boot.module;
    board::KeepRequest request{0};
    if (module.bytes >= sizeof request && early_mapped(module.base, sizeof request))
        std::memcpy(&request, cpu::pointer_to<char>(base::VirtAddr{module.base}), sizeof request);
    const auto apart = [&request](std::uint64_t base, std::uint64_t bytes) {
        return request.address >= base + bytes || request.address + board::kept_bytes <= base;
    };
    const ImageExtent image = image_extent();
    const bool good = request.magic == board::KeepRequest::right_magic &&
                      found().map.contains(request.address, board::kept_bytes) &&
                      early_mapped(request.address, board::kept_bytes) && apart(image.base, image.bytes) &&
                      apart(module.base, module.bytes);
    return good ? std::optional{request.address} : std::nullopt;
}

// The description's copy in that memory.
class Keeper {
public:
    explicit Keeper(std::uint64_t address)
        : memory_(cpu::pointer_to<char>(base::VirtAddr{address}), board::kept_bytes) {}

    void operator()(std::string_view text) {
        too_long_ = too_long_ || text.size() > board::longest_kept - filled_;
        if (too_long_)
            return;
        std::memcpy(memory_.data() + sizeof(board::KeptScan) + filled_, text.data(), text.size());
        filled_ += text.size();
    }
    // Whether all of it is there, out of the caches: a reset may leave those behind.
    [[nodiscard]] bool finish() {
        if (too_long_)
            return false;
        const std::span<const char> text = memory_.subspan(sizeof(board::KeptScan), filled_);
        const board::KeptScan head{board::KeptScan::right_magic, static_cast<std::uint32_t>(filled_),
                                   board::sum_of(text)};
        std::memcpy(memory_.data(), &head, sizeof head);
        constexpr std::size_t line = 64; // or less, on any processor with long mode
        for (std::size_t at = 0; at < sizeof head + filled_; at += line)
            cpu::FlushLine{}(memory_.data() + at);
        return true;
    }

private:
    std::span<char> memory_;
    std::size_t filled_ = 0;
    bool too_long_ = false;
};

using Leaves = base::FixedVector<board::Leaf, board::max_leaves>;

void note_leaf(Leaves& leaves, std::uint32_t number, std::uint32_t sub) {
    const cpu::CpuidResult r = cpu::cpuid(number, sub);
    if ((r.eax | r.ebx | r.ecx | r.edx) != 0)
        (void)leaves.push_back({number, sub, r.eax, r.ebx, r.ecx, r.edx});
}

// Of the CPU that runs this.
void note_leaves(Leaves& leaves) {
    constexpr std::uint32_t hypervisor = 0x40000000, of_range = 0xf0000000;
    constexpr unsigned has_hypervisor = 31;
    for (const board::Wanted& wanted : board::wanted_leaves) {
        const std::uint32_t range = wanted.number & of_range;
        const bool there = range != hypervisor || (cpu::cpuid(1).ecx >> has_hypervisor & 1) != 0;
        if (there && wanted.number <= cpu::cpuid(range).eax)
            for (std::uint32_t sub = 0; sub < wanted.subs; ++sub)
                note_leaf(leaves, wanted.number, sub);
    }
}

void look_at_processor(Facts& facts) {
    constexpr unsigned has_architecture = 29;
    board::Processor& cpu = facts.processor;
    note_leaves(cpu.leaves);
    cpu.checked = Known::yes;
    const std::string_view missing = virt::choose();
    cpu.missing << missing;
    cpu.huge_pages = missing.empty() && virt::has_huge_pages();
    constexpr std::uint32_t intel = 0x756e6547; // "Genu"
    if (cpu::cpuid(0).ebx == intel && cpu::cpuid(0).eax >= 7 &&
        (cpu::cpuid(7).edx >> has_architecture & 1) != 0) {
        cpu.has_capabilities = true;
        cpu.capabilities = cpu::rdmsr_or_0(cpu::msr::arch_capabilities);
    }
}

void look_at_firmware(Facts& facts) {
    for (const memory::Range& range : found().boot.memory)
        (void)facts.memory.push_back(range);
    facts.smbios = found().boot.smbios;
    const loader::Screen& screen = found().boot.screen;
    facts.screen = {screen.base,   screen.bytes,         screen.width,
                    screen.height, screen.pixels_a_line, screen.format};
    const auto parsed = look_at_tables();
    if (!parsed.ok()) {
        facts.refused << acpi::describe(parsed.error());
        return;
    }
    facts.tables = tables();
    facts.spcr = acpi::find_serial_port(early_memory(), rsdp());
    facts.tpm = acpi::find_tpm(early_memory(), rsdp());
    facts.watchdog = static_cast<board::Watchdog>(1 + static_cast<unsigned>(alarm::watchdog_kind()));
    facts.has_wdrt = acpi::has_table(early_memory(), rsdp(), "WDRT");
}

void look_at_units(Facts& facts) {
    using Unit = iommu::vtd::Unit<cpu::Registers>;
    const acpi::Remapping& remapping = facts.tables.remapping;
    if (remapping.kind != acpi::RemappingKind::vtd)
        return;
    for (const std::uint64_t unit : remapping.units) {
        if (!early_mapped(unit, Unit::register_bytes)) {
            facts.units.clear();
            return;
        }
        (void)facts.units.push_back(Unit{cpu::Registers{base::VirtAddr{unit}}}.can());
    }
}

template <typename Registers>
void look_at_functions(const Registers& registers, std::uint32_t last_bus, Facts& facts) {
    drivers::PciScan{registers}.each(
        last_bus, [&facts](const pci::Function& function, const pci::Capabilities& capabilities) {
            pci::Function settled = function;
            drivers::settle_virtio(settled, early_registers);
            facts.too_many_functions =
                facts.too_many_functions || !facts.functions.push_back({settled, capabilities});
        });
    facts.pci_known = true;
}

// Where the memory-mapped registers are not to be had, by ports: no extended capability is seen then.
void look_at_pci(Facts& facts) {
    constexpr std::uint32_t every_bus = 0xff;
    const acpi::Ecam ecam = facts.tables.ecam;
    const memory::Run run = board::registers_of(ecam);
    if (ecam.base != 0 && early_mapped(run.base, run.bytes))
        look_at_functions(cpu::Registers{base::VirtAddr{ecam.base}}, ecam.last_bus, facts);
    else
        look_at_functions(drivers::PortRegisters{drivers::PciConfiguration{cpu::Ports{}}}, every_bus, facts);
}

void look_at_clocks(Facts& facts) {
    const std::uint64_t hpet = facts.tables.hpet;
    facts.hpet_pin = known(hpet != 0 && early_mapped(hpet, base::page_size) &&
                           drivers::HpetCounter{cpu::Registers{base::VirtAddr{hpet}}}.pin().has_value());
    facts.pit = known(drivers::PitCounter{cpu::Ports{}}.counts());
    constexpr std::uint64_t guess = 1'000'000'000; // for the end's patience alone
    Times& times = machine_in_making().times;
    if (find_clock())
        facts.tsc_hz = times.tsc_hz;
    else
        times.tsc_hz = guess;
}

// Another CPU tells its leaves and then halts, for good: in the early tables, on a stack of its own.
struct Told {
    Leaves leaves;
    std::atomic<bool> done = false;
};
constinit Told told;
alignas(16) constinit std::array<std::byte, std::size_t{4} * base::page_size> other_stack{};

void tell(void*) {
    note_leaves(told.leaves);
    told.done.store(true, std::memory_order_release);
    for (;;)
        cpu::halt();
}

// What the last one told.
void note_differences(const board::Processor& boot, board::OtherCpu& out) {
    for (const board::Wanted& wanted : board::wanted_leaves)
        for (std::uint32_t sub = 0; sub < wanted.subs; ++sub) {
            board::Processor other;
            other.leaves = told.leaves;
            const board::Leaf ours = board::in_common(boot(wanted.number, sub)),
                              theirs = board::in_common(other(wanted.number, sub));
            if (ours.eax != theirs.eax || ours.ebx != theirs.ebx || ours.ecx != theirs.ecx ||
                ours.edx != theirs.edx)
                (void)out.differences.push_back(theirs);
        }
}

// One after the other. One that does not start is left out of it for the rest of the scan.
void look_at_others(Facts& facts) {
    constexpr std::array<unsigned, 2> patience_ms{10, 10'000};
    if (facts.tsc_hz == 0 || !facts.refused.view().empty())
        return;
    facts.others_known = true;
    const base::PhysAddr page = trampoline_page();
    const std::uint64_t root = physical(boot::early_pml4).value();
    for (const acpi::Cpu& cpu : facts.tables.cpus) {
        if (!cpu.enabled || cpu.apic_id == facts.processor.apic_id ||
            facts.others.size() == board::max_others)
            continue;
        told.leaves.clear();
        told.done.store(false, std::memory_order_relaxed);
        board::OtherCpu other;
        other.apic_id = cpu.apic_id;
        const boot::Start start{nullptr, cpu::address_of(*other_stack.end()).value(), tell, root};
        for (std::size_t i = 0; i < patience_ms.size() && !other.answered; ++i) {
            boot::start_processor(page, cpu.apic_id, start, i > 0, facts.tsc_hz);
            for (const Deadline arrival{patience_ms[i]}; !other.answered && !arrival.passed(); cpu::pause())
                other.answered = told.done.load(std::memory_order_acquire);
        }
        if (other.answered)
            note_differences(facts.processor, other);
        (void)facts.others.push_back(other);
        if (!other.answered)
            break; // it may come yet, onto the stack of the next
    }
    boot::erase_trampoline(page);
}

// For who stands before the machine.
template <typename... Parts> void say(const Parts&... parts) {
    LogLine line;
    console::say((line << ... << parts).view(), screen::Colour::plain);
}

void say_what_was_found(const Facts& facts) {
    base::Text<48> brand;
    for (const std::uint32_t number : {0x80000002u, 0x80000003u, 0x80000004u}) {
        const board::Leaf leaf = facts.processor(number);
        for (const std::uint32_t word : {leaf.eax, leaf.ebx, leaf.ecx, leaf.edx})
            for (unsigned shift = 0; shift < 32; shift += 8)
                if (const auto letter = static_cast<char>(word >> shift); letter != '\0')
                    brand << letter;
    }
    std::uint64_t usable = 0;
    for (const memory::Range& range : facts.memory)
        usable += range.kind == memory::Kind::usable ? range.bytes : 0;
    const std::string_view missing = facts.processor.missing.view(), refused = facts.refused.view();
    const auto word_of = [](const auto& list, auto value) { return list[static_cast<std::size_t>(value)]; };
    say("processor: ", brand.view(), ", ", facts.tables.cpus.size(), " CPUs");
    say("partitions: ", missing.empty() ? "this processor runs them" : missing);
    say("memory: ", usable >> 20, " MiB usable");
    if (!refused.empty())
        say("firmware's tables cannot be used: ", refused);
    say("IOMMU: ", word_of(board::words::remapping, facts.tables.remapping.kind), ", ",
        facts.tables.remapping.units.size(), " units; PCI functions: ", facts.functions.size());
    say("TPM: ",
        !facts.tpm                     ? "none"
        : facts.tpm->control_area != 0 ? "CRB"
                                       : "FIFO",
        "; watchdog: ", word_of(board::words::watchdog, facts.watchdog));
    if (facts.uart.base != 0)
        say("serial port at ", base::hex(facts.uart.base),
            ": the whole description went over it (caisson board import)");
    else
        say("no serial port answers: the whole description has nowhere to go");
}

} // namespace
} // namespace hv

extern "C" void caisson_boot(std::uint32_t protocol, std::uint64_t information) {
    using namespace hv;
    alignas(Facts) static constinit std::array<std::byte, sizeof(Facts)> place{};
    static constinit Frames frames;
    catch_early_exceptions();
    take_over(protocol, information, Bundle::not_needed);
    Facts& facts = *std::construct_at(cpu::pointer_to<Facts>(cpu::address_of(place.front())));
    console::log("board scan " CAISSON_BUILD_ID);
    facts.origin << "scan";
    facts.name << "a scanned board";
    facts.uart_known = known(found().console.base != 0);
    if (found().console.base != 0)
        facts.uart = {found().console.base, found().console.in_memory, found().console.wide,
                      found().console.stride};
    apic::adopt();
    facts.processor.apic_id = apic::id();
    look_at_processor(facts);
    look_at_firmware(facts);
    look_at_units(facts);
    look_at_pci(facts);
    look_at_clocks(facts);
    look_at_others(facts);
    board::write(facts, frames);
    frames.flush();
    say_what_was_found(facts);
    if (const auto wanted = wanted_place()) {
        Keeper keeper{*wanted};
        board::write(facts, keeper);
        if (keeper.finish()) {
            machine_in_making().behaviour.on_all_stopped = plan::AllStopped::reboot;
            say("the machine is reset now, to write the description onto the medium");
        }
    }
    end_in_order();
}
