// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/boot.cpp - from the PVH entry to the gate, and round it until the machine wants the uplink to end.
//
// Trust: start info, boot page and record come from the hypervisor; each is checked before it is used, and an error ends the partition
//        with one clear line.
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/abi/startup.h"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"
#include "partitions/unikernel/mm/object.hpp"
#include "partitions/unikernel/start/card.hpp"
#include "partitions/unikernel/start/early.hpp"
#include "partitions/unikernel/start/lane_end.hpp"
#include "partitions/uplink/containers.hpp"
#include "partitions/uplink/gate.hpp"
#include "partitions/uplink/memory.hpp"
#include "partitions/uplink/start/beat.hpp"
#include "partitions/uplink/start/traps.hpp"

#include <algorithm>

// Whom the frame allocator asks when nothing is free: here nobody keeps what can be made again.
bool uk::fs::give_back_kept() {
    return false;
}

extern "C" {
extern std::uintptr_t __stack_chk_guard;
[[noreturn]] void uplink_run_on(std::uint64_t stack, void (*function)());
}

namespace uplink {

namespace {

using uk::start::boot_page, uk::start::boot_module;

constexpr std::uint64_t millisecond = 1'000'000, clock_period = 500 * millisecond;
station::Station outside;
std::span<Wire> wires;

Record read_record() {
    const std::span<const std::byte> module = boot_module();
    const caisson_boot_page& page = boot_page();
    if (page.startup_offset > module.size() || page.startup_bytes > module.size() - page.startup_offset)
        base::fail("boot page: the uplink's record is out of range", "", 0);
    const auto record = Record::parse(module.subspan(page.startup_offset, page.startup_bytes));
    if (!record)
        base::fail("the uplink's record is missing or not sound", "", 0);
    return *record;
}

// One of its own, as any owner of a card: what is static of it, from the record.
void fill_in_outside(const caisson_uplink& header) {
    outside.card = uk::start::start_card(boot_page());
    outside.leased = header.outside == CAISSON_OUTSIDE_LEASED;
    if (outside.leased)
        return;
    outside.address = header.outside_address;
    outside.prefix = header.outside_prefix;
    outside.gateway = header.gateway;
}

void connect_wires(const Record& record) {
    const auto made = make_list<Wire>(record.header().container_count);
    if (!made)
        base::fail("out of memory at start", "", 0);
    wires = *made;
    for (unsigned i = 0; i < wires.size(); ++i) {
        const std::uint32_t link = record.container(i).link;
        if (link >= boot_page().link_count)
            base::fail("the uplink's record: a container without a link", "", 0);
        uk::start::connect(wires[i].end, boot_page(), link);
        if (wires[i].end.send == nullptr || wires[i].end.receive == nullptr)
            base::fail("the uplink's record: a container at the end of a one-way wire", "", 0);
        wires[i].name = record.name(i);
    }
}

void start_gate(const Record& record) {
    const caisson_uplink& header = record.header();
    connect_wires(record);
    fill_in_outside(header);
    const auto tables = make_tables(record);
    Configuration all;
    all.address = header.address;
    all.prefix = header.prefix;
    all.wires = wires;
    all.outside = &outside;
    all.seed = uk::machine::random_word();
    std::copy(std::begin(header.name_servers), std::end(header.name_servers), all.name_servers.begin());
    if (tables) {
        all.containers = tables->containers;
        all.publications = tables->publications;
        all.translations = tables->translations;
        all.waiting = tables->waiting;
    }
    if (!tables || !start(all))
        base::fail("out of memory at start", "", 0);
    for (unsigned i = 0; i < wires.size(); ++i)
        uk::start::listen(record.container(i).link);
}

// ---- What kernel and hypervisor tell each other through the boot page (boot_page.h)

volatile caisson_boot_page& shared_page() {
    return *reinterpret_cast<volatile caisson_boot_page*>(boot_module().data());
}

[[noreturn]] void end() {
    for (const Wire& wire : wires)
        uk::log(figures_of(wire).view());
    uk::log(figures_of_outside().view());
    const uk::mm::FrameCounts frames = uk::mm::frame_counts();
    base::Text<80> memory;
    memory << "memory: " << (frames.total - frames.free) * 4 << " KiB used of " << frames.total * 4;
    uk::log(memory.view());
    uk::machine::end_partition(0, CAISSON_EXIT_NORMAL);
}

void beat() {
    each_beat(boot_page().generation, wires);
    volatile caisson_boot_page& page = shared_page();
    if (page.watchdog_ms != 0)
        page.heartbeat = page.heartbeat + 1;
    if (page.stop_request != 0)
        end();
}

void run() {
    start_gate(read_record());
    constexpr std::uint64_t quarter_second = 250 * millisecond;
    const std::uint64_t watchdog = boot_page().watchdog_ms * millisecond;
    const std::uint64_t period = watchdog == 0 ? quarter_second : std::min(quarter_second, watchdog / 4);
    std::uint64_t next_beat = 0, next_clock = uk::monotonic_ns() + clock_period;
    for (;;) {
        const bool more = poll();
        const std::uint64_t now = uk::monotonic_ns();
        if (now >= next_beat) {
            beat();
            next_beat = now + period;
        }
        if (now >= next_clock) {
            run_clock();
            next_clock = now + clock_period;
        } else if (!more) {
            sleep_until(std::min({next_beat, next_clock, next_due()}));
        }
    }
}

} // namespace

// Weak: mortal.cpp takes its place.
[[gnu::weak]] void each_beat(std::uint64_t, std::span<const Wire>) {}

extern "C" [[noreturn]] __attribute__((no_stack_protector)) void kernel_start(std::uint32_t start_info) {
    std::uint64_t guard = cpu::rdtsc() * 0x9E3779B97F4A7C15;
    if ((cpu::cpuid(1).ecx & 1u << 30) != 0)
        (void)cpu::rdrand(guard);
    __stack_chk_guard = guard & ~std::uint64_t{0xFF}; // a zero byte stops string overruns

    uk::start::read_boot_page(start_info);
    if (uk::machine::is_direct())
        base::fail("the uplink runs under the hypervisor alone", "", 0);
    set_up_traps(); // on the first tables already: the same memory
    uk::start::set_up_memory({});
    for (void (*const* init)() = init_array_start; init != init_array_end; ++init)
        (*init)();
    uk::machine::set_up_random(std::as_bytes(std::span{boot_page().entropy_seed}));
    uk::start::start_clock();
    set_up_timer(boot_page().apic_timer_hz);
    const std::uint64_t stack = uk::mm::map_kernel_stack();
    if (stack == 0)
        base::fail("out of memory at start", "", 0);
    uplink_run_on(stack, &run);
}

} // namespace uplink
