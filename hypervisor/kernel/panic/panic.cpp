// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/panic/panic.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/power/power.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/time/alarm.hpp"
#include "partitions/abi/console.h"

#include <atomic>

namespace hv {
namespace {

constinit std::atomic<bool> panicking{false};

// What the exception entries push (arch/x86_64/boot/exceptions.S), lowest address first.
struct Frame {
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    std::uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};
constexpr std::uint64_t vector_page_fault = 14;

// The others stop where they are; guests leave by the NMI. A moment later none is in the middle of a frame.
void stop_other_cpus() {
    for (Cpu* cpu : machine().cpus)
        if (cpu->online.load(std::memory_order_acquire) && cpu->self != nullptr && cpu != &this_cpu())
            request(*cpu, request_halt);
    for (unsigned i = 0; i < 1000; ++i)
        cpu::pause();
}

drivers::Power<cpu::Ports> power{cpu::Ports{}};

void soft_off() {
    const auto& fadt = machine().acpi.fadt;
    const auto& sleep = machine().acpi.soft_off;
    if (!fadt || !sleep || !fadt->pm1a_control || fadt->pm1a_control->space != acpi::Space::io)
        return;
    drivers::SoftOff how;
    how.pm1a_control = static_cast<std::uint16_t>(fadt->pm1a_control->address);
    how.sleep_type_a = sleep->pm1a;
    if (fadt->pm1b_control && fadt->pm1b_control->space == acpi::Space::io) {
        how.pm1b_control = static_cast<std::uint16_t>(fadt->pm1b_control->address);
        how.sleep_type_b = sleep->pm1b;
    }
    power.soft_off(how);
}

void reset_machine() {
    const auto& fadt = machine().acpi.fadt;
    std::optional<std::uint16_t> port;
    if (fadt && fadt->reset && fadt->reset->space == acpi::Space::io)
        port = static_cast<std::uint16_t>(fadt->reset->address);
    power.reset(port, fadt ? fadt->reset_value : std::uint8_t{0});
}

[[noreturn]] void end(std::string_view reason, plan::AllStopped action, std::uint32_t debug_value,
                      std::string_view text) {
    constexpr std::array<std::string_view, 3> names{"poweroff", "reboot", "halt"};
    console::end_audit(reason, text);
    console::record(audit::FrameType::end,
                    audit::build(audit::EndRecord{reason, names[static_cast<std::size_t>(action)]}).view());
    console::drain();
    if (action != plan::AllStopped::halt) {
        if (machine().is_qemu && debug_value != 0)
            power.debug_exit(CAISSON_DEBUG_EXIT_PORT, debug_value);
        if (action == plan::AllStopped::poweroff)
            soft_off();
        else
            reset_machine();
        for (unsigned i = 0; i < 1'000'000; ++i)
            cpu::pause();
        console::log("the machine did not react: halted");
    }
    halt_for_ever();
}

} // namespace

void begin_panic() {
    if (panicking.exchange(true))
        halt_for_ever();
    console::seize();
    if (!machine().cpus.empty())
        stop_other_cpus();
}

void end_in_panic(std::string_view line) {
    console::log(line);
    const plan::OnPanic wish = machine().plan.made() ? machine().plan->on_panic() : plan::OnPanic::halt;
    if (wish == plan::OnPanic::reboot)
        end("panic", plan::AllStopped::reboot, 0, line);
    // QEMU ends by its exit device; a real machine that is to halt stays where somebody can read the line.
    if (machine().is_qemu || wish == plan::OnPanic::poweroff)
        end("panic", plan::AllStopped::poweroff, CAISSON_DEBUG_EXIT_PANIC, line);
    end("panic", plan::AllStopped::halt, CAISSON_DEBUG_EXIT_PANIC, line);
}

void end_in_order() {
    stop_other_cpus();
    alarm::stop_watchdog();
    end("all-stopped", machine().plan->on_all_stopped(), CAISSON_DEBUG_EXIT_ALL_STOPPED, {});
}

void refuse_to_start(std::string_view line) {
    console::log(line);
    if (machine().is_qemu)
        end("refused", plan::AllStopped::poweroff, CAISSON_DEBUG_EXIT_REFUSED, line);
    end("refused", plan::AllStopped::halt, CAISSON_DEBUG_EXIT_REFUSED, line);
}

} // namespace hv

void base::fail(const char* what, const char* file, unsigned line) {
    hv::begin_panic();
    hv::LogLine text;
    text << "panic: " << what << " (" << file << ':' << line << ')';
    hv::end_in_panic(text.view());
}

extern "C" [[noreturn]] void caisson_exception(const hv::Frame* frame) {
    hv::begin_panic();
    hv::LogLine text;
    text << "panic: exception " << frame->vector << " error " << base::hex(frame->error_code) << " rip "
         << base::hex(frame->rip) << " rsp " << base::hex(frame->rsp) << " rflags "
         << base::hex(frame->rflags);
    if (frame->vector == hv::vector_page_fault)
        text << " cr2 " << base::hex(cpu::read_cr<2>());
    text << " rax " << base::hex(frame->rax) << " rbx " << base::hex(frame->rbx) << " rcx "
         << base::hex(frame->rcx) << " rdx " << base::hex(frame->rdx) << " rsi " << base::hex(frame->rsi)
         << " rdi " << base::hex(frame->rdi) << " rbp " << base::hex(frame->rbp) << " r8 "
         << base::hex(frame->r8) << " r9 " << base::hex(frame->r9) << " r10 " << base::hex(frame->r10)
         << " r11 " << base::hex(frame->r11) << " r12 " << base::hex(frame->r12) << " r13 "
         << base::hex(frame->r13) << " r14 " << base::hex(frame->r14) << " r15 " << base::hex(frame->r15);
    hv::end_in_panic(text.view());
}
