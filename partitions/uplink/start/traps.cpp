// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/traps.cpp - see traps.hpp. Thin: no decision on untrusted data.
#include "partitions/uplink/start/traps.hpp"

#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/scale.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"

#include <algorithm>
#include <array>
#include <utility>

extern "C" {
extern const std::byte uplink_trap_stubs[32][16]; // NOLINT: places in code
void uplink_interrupt_stub();
void uplink_spurious_stub();
void uplink_wait();
void uplink_load_segments();
bool uplink_interrupted = false; // written by the stub
}

namespace uplink {

namespace {

namespace machine = uk::machine;

struct Gate { // AMD APM vol. 2 "64-Bit Interrupt Gate"
    std::uint16_t offset_low, selector;
    std::uint8_t ist, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

constexpr std::uint16_t code_selector = 0x08, task_selector = 0x18;
constexpr std::uint8_t interrupt_gate = 0x8E, own_stack = 1;
constexpr unsigned double_fault = 8, machine_check = 18, first_interrupt = 32;

machine::Cpu cpu;
std::array<Gate, 256> gates;
std::uint64_t count_multiplier = 0; // timer counts << 32 for a nanosecond

template <typename Address> Gate gate_to(Address target, std::uint8_t ist = 0) {
    const auto address = reinterpret_cast<std::uint64_t>(target);
    return {static_cast<std::uint16_t>(address),
            code_selector,
            ist,
            interrupt_gate,
            static_cast<std::uint16_t>(address >> 16),
            static_cast<std::uint32_t>(address >> 32),
            0};
}

void load_segments() {
    const auto task = reinterpret_cast<std::uint64_t>(&cpu.task);
    cpu.segments = {0,
                    0x00af9b000000ffff, // 0x08 code
                    0x00cf93000000ffff, // 0x10 data
                    (task >> 24 & 0xFF) << 56 | std::uint64_t{0x89} << 40 | (task & 0xFFFFFF) << 16 |
                        (sizeof(machine::TaskState) - 1),
                    task >> 32};
    ::cpu::lgdt({static_cast<std::uint16_t>(sizeof(cpu.segments) - 1),
                 reinterpret_cast<std::uint64_t>(cpu.segments.data())});
    uplink_load_segments();
    // What overruns the stack meets its guard page: that is told on another one.
    cpu.task.ist[own_stack - 1] =
        reinterpret_cast<std::uint64_t>(cpu.fatal_stack.data() + cpu.fatal_stack.size());
    cpu.task.io_map = sizeof(machine::TaskState);
    ::cpu::ltr(task_selector);
}

} // namespace

void set_up_traps() {
    load_segments();
    for (unsigned vector = 0; vector < gates.size(); ++vector) {
        const bool fatal = vector == double_fault || vector == machine_check;
        gates[vector] =
            vector < first_interrupt
                ? gate_to(&uplink_trap_stubs[vector], fatal ? own_stack : std::uint8_t{0})
                : gate_to(&uplink_interrupt_stub); // any may come, whether it was asked for or not
    }
    gates[machine::spurious_vector] = gate_to(&uplink_spurious_stub);
    ::cpu::lidt(
        {static_cast<std::uint16_t>(sizeof(gates) - 1), reinterpret_cast<std::uint64_t>(gates.data())});
    cpu.self = &cpu;
    ::cpu::wrmsr(machine::msr::gs_base, reinterpret_cast<std::uint64_t>(&cpu));
    constexpr std::uint64_t fxsr = 1 << 9, simd_exceptions = 1 << 10; // the random generator's
    ::cpu::write_cr<4>(::cpu::read_cr<4>() | fxsr | simd_exceptions);
}

void set_up_timer(std::uint64_t apic_hz) {
    constexpr std::uint32_t probe_count = 100'000;
    constexpr std::uint64_t second = 1'000'000'000;
    machine::start_local_timer();
    if (apic_hz == 0) {
        const std::uint64_t before = uk::monotonic_ns();
        machine::set_timer_count(probe_count);
        do
            uplink_wait(); // nobody else interrupts yet
        while (!std::exchange(uplink_interrupted, false));
        apic_hz = probe_count * second / std::max<std::uint64_t>(uk::monotonic_ns() - before, 1);
    }
    count_multiplier = (apic_hz << 32) / second;
}

// Interrupts are off but for this wait: one that came since the last look around is still to be taken, and ends it at once.
void sleep_until(std::uint64_t at_ns) {
    const std::uint64_t now = uk::monotonic_ns();
    if (at_ns <= now)
        return;
    const std::uint64_t counts =
        uk::scale_ticks(std::min<std::uint64_t>(at_ns - now, UINT32_MAX), count_multiplier);
    machine::set_timer_count(
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(counts + 1, 1, machine::timer_count_most)));
    uplink_wait();
}

} // namespace uplink

// What the unikernel's start asks of its traps: here every vector is taken alike.
void uk::machine::take_as_lane(unsigned) {}

extern "C" [[noreturn]] void uplink_trap(const std::uint64_t* frame) {
    base::Text<120> text;
    text << "exception " << frame[0] << " error " << base::hex(frame[1]) << " at " << base::hex(frame[2]);
    uk::log(text.view());
    base::fail("an exception in the uplink", "", 0);
}
