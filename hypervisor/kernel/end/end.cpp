// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/end/end.cpp - the ends of the machine (end.hpp), those that the floors below ask for too (panic.hpp).
#include "hypervisor/kernel/end/end.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/power/power.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/time/alarm.hpp"
#include "partitions/abi/console.h"

namespace hv {
namespace {

constinit std::atomic<bool> panicking{false};

// The others stop where they are; guests leave by the NMI. A moment later none is in the middle of a frame.
void stop_other_cpus() {
    for (Cpu* cpu : machine().cpus)
        if (cpu->online.load(std::memory_order_acquire) && cpu->self != nullptr && cpu != &this_cpu())
            request(*cpu, request_halt);
    for (const Deadline moment{1}; !moment.passed();)
        cpu::pause();
}

drivers::Power<cpu::Ports> power{cpu::Ports{}};

[[noreturn]] void end(std::string_view reason, plan::AllStopped action, std::uint32_t debug_value,
                      std::string_view text) {
    constexpr std::array<std::string_view, 3> names{"poweroff", "reboot", "halt"};
    const acpi::Fadt& fadt = machine().fadt;
    const auto& sleep = machine().soft_off;
    console::at_once = true;
    console::end_audit(reason, text);
    audit::Record record;
    record.add("reason", reason).add("action", names[static_cast<std::size_t>(action)]);
    console::record(audit::FrameType::end, record.view());
    console::say(record.view(), screen::Colour::title);
    console::drain();
    if (action != plan::AllStopped::halt) {
        if (machine().is_qemu && debug_value != 0)
            power.debug_exit(CAISSON_DEBUG_EXIT_PORT, debug_value);
        if (action == plan::AllStopped::reboot)
            power.reset(fadt.reset, fadt.reset_value);
        if (action == plan::AllStopped::poweroff && sleep && fadt.pm1a_control)
            power.soft_off(*fadt.pm1a_control, sleep->pm1a);
        if (action == plan::AllStopped::poweroff && sleep && fadt.pm1b_control)
            power.soft_off(*fadt.pm1b_control, sleep->pm1b);
        for (const Deadline reaction{2000}; !reaction.passed();) // firmware takes a fraction of it
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
    console::log(line, screen::Colour::bad);
    audit::Crc32c code; // of what is the same whenever it happens
    for (const char c : std::span{line}.first(std::min(line.size(), line.find(" rsp "))))
        code.add(static_cast<std::uint8_t>(c));
    LogLine report;
    report << "E0902 a bug in Caisson, code " << base::hex(code.value()) << ": report it and the lines above";
    console::say(report.view(), screen::Colour::bad);
    const plan::OnPanic wish =
        machine().table_bytes != 0 ? machine().behaviour.on_panic : plan::OnPanic::halt;
    if (wish == plan::OnPanic::reboot)
        end("panic", plan::AllStopped::reboot, 0, line);
    // QEMU ends by its exit device; a real machine that is to halt stays where somebody can read the line.
    const bool off = machine().is_qemu || wish == plan::OnPanic::poweroff;
    end("panic", off ? plan::AllStopped::poweroff : plan::AllStopped::halt, CAISSON_DEBUG_EXIT_PANIC, line);
}

void end_in_order() {
    stop_other_cpus();
    alarm::stop_watchdog();
    end("all-stopped",
        alarm::button_pressed ? plan::AllStopped::poweroff : machine().behaviour.on_all_stopped,
        CAISSON_DEBUG_EXIT_ALL_STOPPED, {});
}

void refuse_with(std::string_view line) {
    console::log(line, screen::Colour::bad);
    const bool of_bundle = line.starts_with("bundle refused");
    console::say(of_bundle ? "E0501 What to do: install image and bundle again, both of one build"
                           : "E0902 What to do: change what the line above names ('caisson board check')",
                 screen::Colour::bad);
    end("refused", machine().is_qemu ? plan::AllStopped::poweroff : plan::AllStopped::halt,
        CAISSON_DEBUG_EXIT_REFUSED, line);
}

} // namespace hv
