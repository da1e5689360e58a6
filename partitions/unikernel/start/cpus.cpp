// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/cpus.cpp - see cpus.hpp.
//
// A CPU starts in real mode at address 0, a page that nothing else uses, goes over to the first tables (entry.S) and from those to the
// kernel's own. Here it has a stack, that of its idle thread, and waits for the kernel lock.
// Spec: Intel SDM vol. 3 "MP Initialization Protocol".
#include "partitions/unikernel/start/cpus.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/calibrate.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/timer.hpp"

#include <cstring>

extern "C" {
extern const char other_cpu_begin[], other_cpu_end[]; // entry.S
// What it takes over.
std::uint64_t other_cpu_tables, other_cpu_stack;
uk::sched::Cpu* other_cpu_block;
}

namespace uk::start {

namespace {

constexpr std::uint64_t patience_ns = 10'000'000'000; // an emulator may have other things to do
std::uint64_t first_cr4 = 0;
bool is_up = false;

void start_cpu(std::uint32_t number) {
    auto* cpu = mm::make<sched::Cpu>();
    if (cpu != nullptr)
        cpu->number = number;
    if (cpu == nullptr || !sched::make_idle_thread(*cpu))
        base::fail("out of memory at start", "", 0);
    other_cpu_block = cpu;
    other_cpu_stack = reinterpret_cast<std::uint64_t>(&cpu->idle->frame());
    __atomic_store_n(&is_up, false, __ATOMIC_RELEASE);
    machine::send_start(number);
    const Deadline end = deadline_after(patience_ns);
    while (!__atomic_load_n(&is_up, __ATOMIC_ACQUIRE)) {
        if (monotonic_ns() > end) {
            base::Text<80> text;
            text << "CPU " << number << " does not start";
            log(text.view());
            base::fail("a CPU does not start", "", 0);
        }
        cpu::pause();
    }
    machine::cpus[number] = cpu;
    ++machine::cpu_count;
}

} // namespace

extern "C" [[noreturn]] __attribute__((no_stack_protector)) void start_other_cpu(sched::Cpu* cpu) {
    machine::use_features(first_cr4);
    machine::set_up_cpu(*cpu, cpu->number);
    if (machine::is_direct())
        machine::enable_bare_apic();
    sched::set_up_further_timer();
    __atomic_store_n(&is_up, true, __ATOMIC_RELEASE);
    machine::kernel_lock.take();
    sched::run_further_cpu();
}

void start_other_cpus(unsigned count) {
    std::byte* begin = mm::frame_data(base::PhysAddr{0});
    const auto bytes = static_cast<std::size_t>(other_cpu_end - other_cpu_begin);
    // SAFETY: page 0 is RAM that is never given out; entry.S is linked where it is loaded, and in the direct map too.
    std::memcpy(begin, mm::frame_data(base::PhysAddr{reinterpret_cast<std::uint64_t>(other_cpu_begin)}),
                bytes);
    other_cpu_tables = cpu::read_cr<3>();
    first_cr4 = cpu::read_cr<4>();
    machine::tell_programs_their_cpu();
    for (std::uint32_t number = 1; number < count && number < machine::most_cpus; ++number)
        start_cpu(number);
    std::memset(begin, 0, bytes);
}

} // namespace uk::start
