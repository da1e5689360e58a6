// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/console/console.hpp - the serial line: the hypervisor's records and the partitions' output, in frames.
//
// Guest output waits in the partition's ring and audit records in their log until somebody passes the line on
// (core/audit/line.hpp): an idle CPU, else whoever exits, at most a FIFO load for others (rule 22). No exit waits for the
// line. The hypervisor's other records, of a machine that starts, of a partition or a machine that ends, do.
// Invariants: every byte on the line is part of a frame; an exit record follows all output of its generation.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/uart/uart.hpp"
#include "hypervisor/base/text.hpp"
#include "hypervisor/core/audit/line.hpp"
#include "hypervisor/core/audit/retained.hpp"
#include "hypervisor/core/vcpu/lifecycle.hpp"
#include "hypervisor/kernel/console/ticket_lock.hpp"

namespace hv {

using LogLine = base::Text<512>;

namespace console {

// The UART, and the retained log, which gets what the UART gets.
struct Wire : drivers::Uart<cpu::PortsAndMemory> {
    audit::RetainedLog<cpu::FlushLine> retained;

    void put(std::uint8_t byte) {
        Uart::put(byte);
        retained.put(byte);
    }
};

// A partition's way to the line.
struct Outlet : audit::Outlet {
    TicketLock producing; // one vCPU at a time fills the ring; the others wait for a bounded copy
    std::atomic<std::uint64_t> first_output_tsc = 0;          // of this generation; 0: none yet
    const std::atomic<vcpu::PartitionState>* state = nullptr; // shown at a cell; 0: nowhere
    unsigned state_at = 0;
};

// Boot CPU: to be set up. The UART before the first frame (drivers/uart/start.hpp): without one nobody hears a thing; the log once
// the plan says where it lies.
[[nodiscard]] Wire& the_wire();
// Boot CPU: the outlets in the order of their partitions, each once.
void add(Outlet& outlet);

// The screen, as boot has set it up (boot/screen.cpp). It is drawn some cells at a time by who has no guest to go back to;
// `at_once`: all of it whenever something is said, as long as no partition runs.
extern screen::Canvas canvas;
extern screen::Grid grid;
extern screen::Pane messages;
extern bool at_once;

// One 'l' frame, and the screen's messages.
void log(std::string_view line, screen::Colour colour = screen::Colour::plain);
// On the screen alone.
void say(std::string_view text, screen::Colour colour);
// One frame of the hypervisor's.
void record(audit::FrameType type, std::string_view payload);
// Of a partition that has stopped: sends the rest of its output, however long the line is taken.
void finish_output(Outlet& outlet);
// Its exit record, in its generation's name.
void exit_record(const Outlet& outlet, std::string_view payload);

// What the ring holds may be sent from now on.
void offer(Outlet& outlet);

// True: bytes wait that the line could take now or later.
[[nodiscard]] bool something_waits();
// The same, or the screen could be drawn.
[[nodiscard]] inline bool something_to_do() {
    return something_waits() || grid.changed;
}
// From an exit of this partition: sends what the UART takes at once, of others' at most a FIFO load. Returns the TSC ticks that
// its own took.
[[nodiscard]] std::uint64_t visit(const Outlet& outlet);
// The same without a writer's name, when time says so.
void visit_in_passing();
// From a CPU that has no guest to go back to: sends what the UART takes at once, and draws.
void serve();

// An audit record: `event`, `seq` and `time` are filled in, then `fill(record)` adds pairs. Chained at once, sent when the
// line is free: nobody waits for the UART. Before begin_audit() there is no log. What a guest causes is on its account.
template <typename Fill>
void audit_event(std::string_view event, Fill fill, audit::Account account = audit::Account::hypervisor);
void begin_audit(const audit::Key* first_key);
// The last record, with everything before it, on the line.
void end_audit(std::string_view reason, std::string_view text);
// audit_event's two halves.
struct OpenRecord {
    audit::Record* record; // or null: dropped
    bool locked;           // no panic was under way
};
[[nodiscard]] OpenRecord open_audit_record(std::string_view event, audit::Account account);
void close_audit_record(const OpenRecord& open);

// The line's input, for the time CPU alone: whether a byte interrupts; the next one that came.
void listen(bool on);
[[nodiscard]] std::optional<std::uint8_t> heard();

// For a panic: the line is ours from here on, whoever had it.
void seize();
void drain();

} // namespace console

template <typename Fill>
void console::audit_event(std::string_view event, Fill fill, audit::Account account) {
    const OpenRecord open = open_audit_record(event, account);
    if (open.record != nullptr)
        fill(*open.record);
    close_audit_record(open);
}

} // namespace hv
