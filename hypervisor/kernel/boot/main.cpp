// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/main.cpp - from the entry code to the first partition, stage by stage.
//
// Stage one runs on the boot CPU alone under the early tables (everything readable): devices quiet, bundle header and
// plan verified, plan bound, everything allocated, the other CPUs started. Stage two runs on every CPU in the
// hypervisor's own tables: payloads hashed, all CPUs meet, leave_boot() takes this code away and partitions run.
// Invariants: no partition runs before every CPU's share is verified; one bad leaf refuses the whole bundle.
#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/boot/application_processor.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/virt/choose.hpp"
#include "build_id.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/audit/seal.hpp"
#include "hypervisor/core/audit/start_retained.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/boot/stages.hpp"
#include "hypervisor/kernel/cpu/area.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/cpu/machine_check.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/partition/partition.hpp"
#include "hypervisor/kernel/run/leave_boot.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#include "hypervisor/kernel/time/start.hpp"
#include "hypervisor/kernel/time/tsc.hpp"
#include "partitions/abi/hypercall.h"

#include <algorithm>

namespace hv {
namespace {

// How the CPUs meet before the first partition runs.
constinit std::atomic<std::uint32_t> verified_cpus{0};
constinit std::atomic<bool> failed{false};
constexpr screen::Colour phase = screen::Colour::title; // on the screen
constinit bundle::Issue first_failure{bundle::Error::unreadable};

crypto::Sha256Engine hash_engine() {
    const std::uint32_t features = cpu::cpuid(1).ecx;
    const bool sse = (features >> 9 & 1) != 0 && (features >> 19 & 1) != 0; // SSSE3, SSE4.1
    const bool sha = cpu::cpuid(0).eax >= 7 && (cpu::cpuid(7).ebx >> 29 & 1) != 0;
    return sse && sha ? crypto::Sha256Engine::sha_extensions : crypto::Sha256Engine::portable;
}

// False: no hardware source.
bool gather_entropy() {
    bool hardware = true;
    for (std::uint64_t& word : entropy_key) {
        std::uint64_t fresh = 0;
        hardware = random_word(fresh) && hardware;
        word = fresh ^ cpu::rdtsc();
    }
    return hardware;
}

// Tells what the boot before this one said last, if memory has it, to whoever hears it now; then begins a new log in its place.
void open_retained_log() {
    const auto region =
        cpu::bytes_at(base::VirtAddr{bound_plan().retained.base}, bound_plan().retained.bytes);
    if (const auto kept = audit::find_retained(region)) {
        base::Text<128> line;
        line << "the last " << kept->older.size() + kept->newer.size()
             << " bytes that were said before this machine was reset follow";
        console::log(line.view());
        for (auto left : {kept->older, kept->newer})
            while (!left.empty()) {
                const auto piece = left.first(std::min<std::size_t>(left.size(), CAISSON_FRAME_MAX));
                console::record(audit::FrameType::kept,
                                {cpu::pointer_to<const char>(cpu::address_of(piece.front())), piece.size()});
                left = left.subspan(piece.size());
            }
    }
    auto& head = *cpu::pointer_to<audit::RetainedHead>(cpu::address_of(region.front()));
    head = audit::new_head(region);
    cpu::FlushLine{}(&head);
    console::the_wire().retained = {&head, region.subspan(sizeof head)};
}

// Opens the audit log with what is about to run: the bundle's identity covers every byte of configuration and payload,
// the nonce tells this boot from all others. With an operator's key in the plan the log's first key is sealed to it.
void open_audit_log() {
    Machine& m = machine_in_making();
    const bundle::Header& header = found().contents->header();
    const audit::Key& operator_key = found().plan->header().audit_key;
    std::optional<audit::Seal> seal;
    if (operator_key != audit::Key{}) {
        audit::Key secret{};
        fill_random(secret);
        seal = audit::seal(secret, operator_key);
        crypto::wipe(secret);
        if (!seal)
            refuse_to_start("bundle refused: its audit key is not an X25519 public key");
    }
    console::begin_audit(seal ? &seal->first_key : nullptr);
    const auto text = [](const std::array<char, 32>& field) {
        return std::string_view{
            field.data(),
            static_cast<std::size_t>(std::find(field.begin(), field.end(), '\0') - field.begin())};
    };
    console::audit_event("boot", [&](audit::Record& record) {
        std::array<std::uint8_t, 16> nonce{};
        fill_random(nonce);
        record.add("name", text(header.name))
            .add("version", text(header.version))
            .add("security_version", header.security_version)
            .add_bytes("bundle", header.bundle_id)
            .add("build", CAISSON_BUILD_ID)
            .add("partitions", found().plan->partition_count())
            .add("tsc_hz", m.times.tsc_hz)
            .add("wall_ns", m.times.wall_ns)
            .add("wall_tsc", m.times.wall_tsc)
            .add_bytes("nonce", nonce);
        if (seal)
            record.add_bytes("operator", operator_key).add_bytes("sealed", seal->sealed);
    });
    if (seal)
        crypto::wipe(seal->first_key);
}

void record_boot() {
    Machine& m = machine_in_making();
    base::Text<16> abi;
    abi << (CAISSON_ABI_VERSION >> 16) << '.' << (CAISSON_ABI_VERSION & 0xFFFF);
    audit::Record record;
    record.add("entry", m.times.entry_tsc)
        .add("verified", m.times.verified_tsc)
        .add("ready", cpu::rdtsc())
        .add("memory_hypervisor", hypervisor_bytes())
        .add("memory_bundle", found().boot.module.bytes)
        .add("memory_partitions", partition_bytes())
        .add("cpus", m.cpus.size())
        .add("abi", abi.view())
        .add("build", CAISSON_BUILD_ID);
    console::record(audit::FrameType::boot, record.view());
}

// Looks until `condition()` holds, as long as `patience` lasts: for a wait that ends before time interrupts anybody. False: it
// does not hold.
template <typename Condition>
[[nodiscard]] bool look_until(Cpu& cpu, const Deadline& patience, Condition condition) {
    while (!condition()) {
        if (patience.passed())
            return false;
        if ((cpu.requests.load(std::memory_order_acquire) & request_halt) != 0)
            halt_for_ever();
        virt::breathe();
        virt::pause();
    }
    return true;
}

// Own share verified: tell the boot CPU, which looks at what all of them say.
void meet(Cpu& cpu) {
    // A megabyte a second, where the slowest CPU that we know hashes fifty; and what an emulator's host may hold a CPU up.
    constexpr std::uint64_t least_ms = 10'000, bytes_a_ms = 1000;
    while (base::weak("stays_hashing") && cpu.index == 1)
        cpu::pause();
    if (const auto share = verify_share(cpu);
        !share.ok() && !failed.exchange(true, std::memory_order_acq_rel))
        first_failure = share.error();
    verified_cpus.fetch_add(1, std::memory_order_acq_rel);
    Cpu& boot_cpu = *machine().cpus[0];
    if (&cpu != &boot_cpu) {
        request(boot_cpu, request_look);
        return;
    }
    const std::size_t all = machine().cpus.size();
    if (!look_until(cpu, Deadline{least_ms + machine().bundle_bytes / bytes_a_ms},
                    [all] { return verified_cpus.load(std::memory_order_acquire) == all; }))
        refuse_to_start(verified_cpus.load(std::memory_order_relaxed), " of ", all,
                        " CPUs have hashed their share of the bundle in time");
    if (failed.load(std::memory_order_acquire))
        refuse_bundle(first_failure);
    machine_in_making().times.verified_tsc = cpu::rdtsc();
    console::audit_event("integrity", [](audit::Record& record) {
        record.add("result", "verified").add("sections", found().contents->section_count());
    });
    record_boot();
    console::serve();
    alarm::begin();
}

// The boot CPU takes boot's code away when nobody else runs it any more.
void let_others_leave(Cpu& cpu) {
    // From one place in the code to the next: microseconds, unless an emulator's CPU is held up by its host.
    constexpr std::uint64_t patience_ms = 10'000;
    const std::size_t others = machine().cpus.size() - 1;
    if (!look_until(cpu, Deadline{patience_ms},
                    [others] { return left_boot.load(std::memory_order_acquire) == others; }))
        refuse_to_start(left_boot.load(std::memory_order_relaxed), " of ", others,
                        " other CPUs have left boot's code in time");
}

void set_up_guest(Vcpu& vcpu) {
    virt::set_up_guest(vcpu.guest, {&vcpu.core.registers, vcpu.cpu->host_vmcb, &vcpu.cpu->requests, &vcpu},
                       {machine().io_permissions, machine().msr_permissions,
                        vcpu.partition->second_stage.root(), vcpu.partition->policy.cpuid.cr4_allowed});
}

// Stage two; `argument` is the CPU.
void run_cpu(void* argument) {
    Cpu& cpu = *static_cast<Cpu*>(argument);
    if (cpu.index != 0)
        set_up(cpu);
    refuse_other_kind(cpu);
    cpu.online.store(true, std::memory_order_seq_cst);
    if (cpu.index != 0)
        tsc::answer();
    start_machine_checks(); // reports what is left over, which takes longer than a start may
    meet(cpu);
    while (base::weak("stays_in_boot") && cpu.index == 1)
        cpu::pause();
    if (cpu.index == 0) {
        for (const Partition* partition : machine().partitions)
            clear_lanes(*partition);
        let_others_leave(cpu);
        console::say("Verified: the partitions start.", phase);
        console::at_once = false;
    }
    if (cpu.vcpu != nullptr)
        set_up_guest(*cpu.vcpu);
    leave_boot(cpu);
}

// One after the other, so that each finds its own stack. A CPU that does not come up refuses the machine.
void start_other_cpus(base::PhysAddr space) {
    // Of an old CPU the first start-up IPI may be lost (SDM vol. 3 10.4.4 sends a second one 200 microseconds later). One comes up
    // in less than a millisecond; an emulator's can be held up by its host for seconds.
    constexpr std::array<unsigned, 2> patience_ms{10, 10'000};
    constexpr std::uint32_t tick_counts = 20'000;
    Machine& m = machine_in_making();
    if (m.cpus.size() == 1)
        return;
    const base::PhysAddr page = trampoline_page();
    apic::tick(tick_counts);
    for (Cpu* cpu : m.cpus) {
        if (cpu->index == 0)
            continue;
        const boot::Start start{cpu, stack_top(cpu->index, main_stack), run_cpu, space.value()};
        for (std::size_t i = 0; i < patience_ms.size() && !cpu->online.load(std::memory_order_acquire); ++i) {
            boot::start_processor(page, cpu->apic_id, start, i > 0, m.times.tsc_hz);
            const Deadline arrival{patience_ms[i]};
            while (!cpu->online.load(std::memory_order_acquire) && !arrival.passed())
                cpu::pause();
        }
        if (!cpu->online.load(std::memory_order_acquire))
            refuse_to_start("the CPU with APIC ID ", cpu->apic_id, " does not start");
        tsc::compare(*cpu);
    }
    apic::reset();
    boot::erase_trampoline(page);
}

} // namespace
} // namespace hv

extern "C" void caisson_boot(std::uint32_t protocol, std::uint64_t information) {
    using namespace hv;
    catch_early_exceptions();
    take_over(protocol, information);
    console::say("Taken over from firmware; the bundle's header and plan are verified ...", phase);
    Machine& m = machine_in_making();
    if (const std::string_view missing = virt::choose(); !missing.empty())
        refuse_to_start(missing);
    found().hash_engine = hash_engine();
    find_hardening();
    const bundle::Signer signer = verify_header_and_plan();
    show_appliance(signer);
    if (found().console.base == 0 && m.behaviour.has(plan::flag_require_console))
        refuse_to_start(plan::no_console);
    console::say("Header and plan are good; firmware's tables are read ...", phase);
    read_tables();
    measure_clocks();
    if (!gather_entropy())
        console::log("this CPU has no RDRAND: entropy comes from the clock alone and is weak");
    open_audit_log();
    measure_bundle(signer);
    console::say("The plan is placed on this machine ...", phase);
    bind_plan();
    open_retained_log();
    const base::PhysAddr space = build_everything();
    Cpu& self = *m.cpus[0];
    set_up(self);
    LogLine last;
    last << m.cpus.size() << " CPUs hash " << m.bundle_bytes / 1024 << " KiB of payloads ...";
    console::say(last.view(), phase);
    start_other_cpus(space);
    boot::enter_address_space(&self, stack_top(self.index, main_stack), run_cpu, space.value());
}
