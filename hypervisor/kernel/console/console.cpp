// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/console/console.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/constant.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/plan/limits.hpp"

#include <algorithm>

namespace hv::console {

CAISSON_CONSTANT_AFTER_BOOT constinit screen::Canvas canvas{};
constinit screen::Grid grid;
constinit screen::Pane messages;
constinit bool at_once = false;

namespace {

constinit Wire wire;
constinit TicketLock holding; // the line; waited for only by who has no guest to go back to
constinit audit::Line<Wire> line;
constinit base::FixedVector<Outlet*, plan::max_partitions> outlets;
constinit std::atomic<bool> waiting{false}; // something may want to be sent
constinit TicketLock appending;             // of audit records; never held while the line is waited for
constinit audit::Log audit_log;
constinit std::atomic<bool> seized{false};

// A line that has taken nothing for so long takes nothing any more: 1.7 s at 5 GHz. The slowest line that we know needs 14 ms
// for a FIFO (9600 baud), but a terminal server or an emulator's reader may stop for a while.
constexpr std::uint64_t stuck_ticks = std::uint64_t{1} << 33;
constinit bool stuck = false; // nobody waits again until it has taken something

// A CPU that has the line lets a panic of another's have it: it stops where it is.
void yield_to_panic() {
    while (seized.load(std::memory_order_acquire))
        virt::pause();
}

// Passes the time while the UART is busy; false: it is stuck.
class Patience {
public:
    bool operator()() {
        if (yields_)
            yield_to_panic();
        virt::pause();
        stuck = stuck || cpu::rdtsc() - since_ >= stuck_ticks;
        return !stuck;
    }
    void renew() {
        if (yields_)
            yield_to_panic();
        stuck = false;
        since_ = cpu::rdtsc();
    }
    // In a panic the line is this CPU's without a lock.
    explicit Patience(bool yields) : yields_(yields) {}

private:
    bool yields_;
    std::uint64_t since_ = cpu::rdtsc();
};

// The line, as long as it takes. What a panic found under way is broken off.
template <typename Send> void hold_and(Send send) {
    const bool panic = seized.load(std::memory_order_acquire);
    Patience patience{!panic};
    if (panic)
        line.break_off();
    else
        holding.lock();
    send(patience);
    if (!panic)
        holding.unlock();
}

void send(const audit::FrameHeader& header, std::span<const char> payload) {
    hold_and([&](Patience& patience) { line.send(wire, audit_log, header, payload, patience); });
}

bool anything() {
    return line.busy() || audit_log.oldest() != nullptr ||
           std::ranges::any_of(outlets, [](const Outlet* outlet) { return !outlet->ring.empty(); });
}

// On the screen what has changed: so many letters, so many cells. The line is this CPU's.
void show(unsigned most) {
    if (canvas.memory.empty())
        return;
    bool more = false;
    for (Outlet* outlet : outlets) {
        more |= outlet->pane.lay(most);
        if (outlet->state_at == 0)
            continue;
        const auto state = outlet->state->load(std::memory_order_relaxed);
        grid.write(outlet->state_at, vcpu::name_of(state),
                   state >= vcpu::PartitionState::failed ? screen::Colour::bad : screen::Colour::good);
    }
    grid.draw(canvas, most, more);
}

std::uint64_t visit_as(std::uint32_t visitor) {
    const bool waits = base::weak("waits_for_line"), idle = visitor == audit::everybody;
    if ((!idle && !waiting.load(std::memory_order_acquire)) || (!waits && !holding.try_lock()))
        return 0;
    if (waits)
        holding.lock();
    yield_to_panic();
    const std::uint64_t for_itself = line.visit(wire, audit_log, outlets, visitor, cpu::rdtsc);
    if (idle) // 10 KiB at scale 1: less than a breath (core/vcpu/breath.hpp), however slow the frame buffer
        show(screen::columns / 4);
    // Looked at again after it is taken back: what is offered in between sets it again.
    waiting.store(false, std::memory_order_seq_cst);
    if (anything())
        waiting.store(true, std::memory_order_release);
    holding.unlock();
    return for_itself;
}

} // namespace

Wire& the_wire() {
    return wire;
}

void add(Outlet& outlet) {
    base::expects(outlet.partition == outlets.size() && outlets.push_back(&outlet),
                  "console: outlet out of turn");
}

void record(audit::FrameType type, std::string_view payload) {
    send({type, audit::hypervisor_id, 0},
         std::span{payload}.first(std::min<std::size_t>(payload.size(), CAISSON_FRAME_MAX)));
}

void say(std::string_view text, screen::Colour colour) {
    hold_and([&](const Patience&) {
        messages.colour = colour;
        messages.hear(std::span{text});
        (void)messages.lay(screen::cells);
        messages.full = true;
        if (at_once)
            show(screen::cells);
    });
}

void log(std::string_view text, screen::Colour colour) {
    record(audit::FrameType::log, text);
    say(text, colour);
}

void finish_output(Outlet& outlet) {
    // 14 s at 5 GHz: its 8 KB and as much of each of fifteen neighbours at 11,520 bytes a second.
    constexpr std::uint64_t most = 8 * stuck_ticks;
    offer(outlet);
    const std::uint64_t since = cpu::rdtsc();
    while (!outlet.ring.empty() && cpu::rdtsc() - since < most) {
        serve();
        virt::pause();
    }
    const Locked held{holding};
    outlet.ring.discard();
}

void exit_record(const Outlet& outlet, std::string_view payload) {
    send({audit::FrameType::exit, outlet.partition, outlet.generation}, std::span{payload});
}

void offer(Outlet& outlet) {
    std::uint64_t never = 0;
    outlet.first_output_tsc.compare_exchange_strong(never, cpu::rdtsc());
    outlet.ring.offer();
    waiting.store(true, std::memory_order_seq_cst);
}

bool something_waits() {
    return waiting.load(std::memory_order_acquire);
}

std::uint64_t visit(const Outlet& outlet) {
    return visit_as(outlet.partition);
}

void visit_in_passing() {
    (void)visit_as(audit::passer_by);
}

void serve() {
    (void)visit_as(audit::everybody);
}

OpenRecord open_audit_record(std::string_view event, audit::Account account) {
    const bool locked = !seized.load(std::memory_order_acquire);
    if (locked)
        appending.lock();
    return {audit_log.open(event, cpu::rdtsc(), account), locked};
}

void close_audit_record(const OpenRecord& open) {
    if (open.locked)
        yield_to_panic(); // whose record then takes this one's place
    if (open.record != nullptr)
        audit_log.commit();
    waiting.store(true, std::memory_order_seq_cst);
    if (open.locked)
        appending.unlock();
}

void begin_audit(const audit::Key* first_key) {
    audit_log.begin(first_key);
}

void end_audit(std::string_view reason, std::string_view text) {
    const auto send_all = [] {
        hold_and([](Patience& patience) { line.send_records(wire, audit_log, patience); });
    };
    send_all(); // so that there is room
    audit_event("closed", [&](audit::Record& record) {
        record.add("reason", reason);
        if (!text.empty())
            record.add("text", text);
    });
    send_all();
}

void listen(bool on) {
    wire.listen(on);
}

std::optional<std::uint8_t> heard() {
    return wire.get();
}

void seize() {
    seized.store(true, std::memory_order_release);
}

void drain() {
    Patience patience{false};
    while (!wire.drained() && patience()) {
    }
}

} // namespace hv::console
