// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/console/console.hpp - the serial line: the hypervisor's records and the partitions' output, in frames.
//
// Guest output goes through the partition's ring and never waits: whoever holds the line empties the rings that have
// something (rule 22), and audit records likewise through their log. The hypervisor's other records wait for the line; its
// holders are bounded and served in order.
// Invariants: every byte on the line is part of a frame; an exit record follows all output of its generation.
#pragma once

#include "hypervisor/base/text.hpp"
#include "hypervisor/core/audit/frame.hpp"
#include "hypervisor/core/audit/log.hpp"
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/kernel/console/ticket_lock.hpp"

namespace hv {

using LogLine = base::Text<512>;

inline constexpr std::size_t console_ring_bytes = 8192;

namespace console {

// A partition's way to the line.
struct Outlet {
    std::uint32_t partition = 0;  // its index
    std::uint64_t generation = 0; // in whose name frames are sent
    TicketLock producing;         // one vCPU at a time fills the ring; the others wait for a bounded copy
    audit::ConsoleRing<console_ring_bytes> ring;
    std::atomic<std::uint64_t> first_output_tsc = 0; // of this generation; 0: none yet
};

void start();
// Boot CPU: the outlets in the order of their partitions, each once.
void add(Outlet& outlet);

// One 'l' frame.
void log(std::string_view line);
// One frame of the hypervisor's.
void record(audit::FrameType type, std::string_view payload);
// Of a partition that has stopped: sends the rest of its output, however long the line is taken.
void finish_output(Outlet& outlet);
// Its exit record, in its generation's name.
void exit_record(const Outlet& outlet, std::string_view payload);

// Sends what the ring holds, if the line is free; else its holder does.
void flush(const Outlet& outlet);

// An audit record: `event`, `seq` and `time` are filled in, then `fill(record)` adds pairs. Chained at once, sent when the
// line is free: nobody waits for the UART. Before begin_audit() there is no log.
template <typename Fill> void audit_event(std::string_view event, Fill fill);
void begin_audit(const audit::Key* first_key);
// The last record, with everything before it, on the line.
void end_audit(std::string_view reason, std::string_view text);
[[nodiscard]] audit::Record* open_audit_record(std::string_view event); // audit_event's two halves
void close_audit_record(bool opened);

// For a panic: the line is ours from here on, whoever had it.
void seize();
void drain();

} // namespace console

template <typename Fill> void console::audit_event(std::string_view event, Fill fill) {
    audit::Record* const record = open_audit_record(event);
    if (record != nullptr)
        fill(*record);
    close_audit_record(record != nullptr);
}

} // namespace hv
