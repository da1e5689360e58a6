// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/console/console.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "drivers/uart/uart.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/plan/format.hpp"

#include <algorithm>

namespace hv::console {
namespace {

constinit drivers::Uart<cpu::Ports> uart{cpu::Ports{}};
constinit TicketLock line;
constinit base::FixedVector<Outlet*, plan::max_partitions> outlets;
constinit std::atomic<std::uint64_t> waiting{0}; // bit n: partition n's ring has something to send
constinit TicketLock appending;                  // of audit records; never held while the line is waited for
constinit audit::Log audit_log;
constinit std::atomic<bool> seized{false};
constinit std::uint64_t next_frame = 0; // the line's holder only

// With more rounds the holder would work for its neighbours without end.
constexpr unsigned rounds_a_turn = 4;
// A holder sends at most so many frames of one ring in one round.
constexpr unsigned frames_a_round = 2;
constexpr unsigned audit_records_a_round = 4;

static_assert(plan::max_partitions <= 64);

void send(const audit::FrameHeader& header, std::span<const char> payload) {
    audit::FrameEncoder frame;
    frame.begin(header, next_frame++, payload);
    std::array<char, 64> piece{};
    while (!frame.done())
        uart.write(std::as_bytes(std::span{piece}.first(frame.fill(piece))));
}

// True when the ring is empty afterwards.
bool send_ring(Outlet& outlet, unsigned frames) {
    for (unsigned i = 0; i < frames; ++i) {
        const std::span<const char> ready = outlet.ring.peek();
        if (ready.empty())
            return true;
        const std::size_t count = std::min<std::size_t>(ready.size(), CAISSON_FRAME_MAX);
        std::uint64_t never = 0;
        outlet.first_output_tsc.compare_exchange_strong(never, cpu::rdtsc());
        send({audit::FrameType::output, outlet.partition, outlet.generation}, ready.first(count));
        outlet.ring.consume(count);
    }
    return outlet.ring.empty();
}

void send_audit(unsigned most) {
    for (const audit::Record* record; most > 0 && (record = audit_log.oldest()) != nullptr; --most) {
        send({audit::FrameType::audit}, record->view());
        audit_log.sent();
    }
}

bool something_waits() {
    return waiting.load(std::memory_order_acquire) != 0 || audit_log.oldest() != nullptr;
}

void send_waiting() {
    for (unsigned round = 0; round < rounds_a_turn && something_waits(); ++round) {
        send_audit(audit_records_a_round);
        std::uint64_t bits = waiting.exchange(0, std::memory_order_acq_rel);
        for (; bits != 0; bits &= bits - 1) {
            const auto index = static_cast<unsigned>(__builtin_ctzll(bits));
            if (!send_ring(*outlets[index], frames_a_round))
                waiting.fetch_or(std::uint64_t{1} << index, std::memory_order_acq_rel);
        }
    }
}

// Sends what rings hold while the line is free. A holder may have looked at `waiting` just before a bit was set, so
// whoever lets the line go looks again.
void serve() {
    for (unsigned turn = 0; turn < rounds_a_turn && something_waits(); ++turn) {
        if (!line.try_lock())
            return;
        send_waiting();
        line.unlock();
    }
}

// Holds the line, or after a panic does without.
class Turn {
public:
    Turn() : held_(!seized.load(std::memory_order_relaxed)) {
        if (held_)
            line.lock();
    }
    ~Turn() {
        if (!held_)
            return;
        line.unlock();
        serve();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    bool held_;
};

} // namespace

void start() {
    (void)uart.start();
}

void add(Outlet& outlet) {
    base::expects(outlet.partition == outlets.size() && outlets.push_back(&outlet),
                  "console: outlet out of turn");
}

void record(audit::FrameType type, std::string_view payload) {
    const Turn turn;
    send({type, audit::hypervisor_id, 0},
         std::span{payload}.first(std::min<std::size_t>(payload.size(), CAISSON_FRAME_MAX)));
}

void log(std::string_view text) {
    record(audit::FrameType::log, text);
}

void finish_output(Outlet& outlet) {
    const Turn turn;
    while (!send_ring(outlet, frames_a_round)) {
    }
}

void exit_record(const Outlet& outlet, std::string_view payload) {
    const Turn turn;
    send({audit::FrameType::exit, outlet.partition, outlet.generation}, std::span{payload});
}

void flush(const Outlet& outlet) {
    waiting.fetch_or(std::uint64_t{1} << outlet.partition, std::memory_order_acq_rel);
    serve();
}

audit::Record* open_audit_record(std::string_view event) {
    if (!seized.load(std::memory_order_relaxed))
        appending.lock();
    return audit_log.open(event, cpu::rdtsc());
}

void close_audit_record(bool opened) {
    if (opened)
        audit_log.commit();
    if (seized.load(std::memory_order_relaxed))
        return;
    appending.unlock();
    serve();
}

void begin_audit(const audit::Key* first_key) {
    audit_log.begin(first_key);
}

void end_audit(std::string_view reason, std::string_view text) {
    const auto send_all = [] {
        const Turn turn;
        send_audit(audit::Log::slots);
    };
    send_all(); // so that there is room
    audit_event("closed", [&](audit::Record& record) {
        record.add("reason", reason);
        if (!text.empty())
            record.add("text", text);
    });
    send_all();
}

void seize() {
    seized.store(true, std::memory_order_relaxed);
}

void drain() {
    uart.drain();
}

} // namespace hv::console
