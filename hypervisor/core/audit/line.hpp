// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/line.hpp - who speaks next on the serial line, and how much at a time.
//
// Pure. A line takes 11,520 bytes a second; nobody may wait for it in another's name. So frames are sent a few bytes at a
// time by whoever comes by: visit() puts in what the UART takes at once. Of others' frames it is one FIFO load at most.
// Audit records and partitions take turns, a frame each.
// Invariants: I1  a visit never waits   I2  a visit sends at most `load_for_others` bytes that are not its own, of one frame
//             I3  each frame is whole, except one that a panic breaks off
#pragma once

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/audit/frame.hpp"
#include "hypervisor/core/audit/log.hpp"
#include "hypervisor/core/audit/ring.hpp"
#include "hypervisor/core/screen/grid.hpp"

namespace audit {

inline constexpr std::size_t console_ring_bytes = 8192;
inline constexpr unsigned load_for_others = 16; // a 16550's FIFO

// A partition's way to the line.
struct Outlet {
    std::uint32_t partition = 0;  // its index
    std::uint64_t generation = 0; // in whose name frames are sent
    ConsoleRing<console_ring_bytes> ring;
    screen::Pane pane; // what it says on the screen
};

// Visitors that are no partition: a CPU with nothing else to do, and one that has.
inline constexpr std::uint32_t everybody = 0xFFFFFFFE, passer_by = 0xFFFFFFFD;

// Uart: room(), how many bytes it takes at once (0: busy); put(byte).
template <typename Uart> class Line {
public:
    // `outlets`: a range of pointers to Outlet, in the order of their partitions. Returns how long, by now(), it sent what is
    // the visitor's own.
    template <typename Outlets, typename Now>
    std::uint64_t visit(Uart& uart, Log& log, const Outlets& outlets, std::uint32_t visitor, Now now) {
        unsigned others = base::weak("waits_for_line") ? ~0u : load_for_others;
        std::uint64_t for_itself = 0;
        for (std::uint64_t since = now(); !idle(log, outlets); since = now()) {
            const bool own = visitor == everybody || speaker_ == visitor;
            unsigned room = uart.room();
            if (!own)
                room = room < others ? room : others;
            if (room == 0 && !base::weak("waits_for_line"))
                break;
            const unsigned sent = load(uart, room);
            if (!own)
                others -= sent;
            const bool done = frame_.done();
            if (done)
                finish(log);
            if (own)
                for_itself += now() - since;
            else if (done)
                break; // whoever comes next begins another
        }
        return for_itself;
    }
    // True: no frame is under way and nothing wants to be one. Begins the next frame otherwise.
    template <typename Outlets> bool idle(Log& log, const Outlets& outlets) {
        if (!frame_.done())
            return false;
        audit_next_ = !audit_next_;
        if (audit_next_ && begin_record(log))
            return false;
        for (std::size_t i = 0; i < outlets.size(); ++i) {
            Outlet& outlet = *outlets[next_outlet_ % outlets.size()];
            ++next_outlet_;
            if (begin_output(outlet))
                return false;
        }
        return audit_next_ || !begin_record(log);
    }
    // A record of the hypervisor's own, now, after the frame that is under way. patience() passes a moment while the UART is
    // busy, and is false when that has taken too long: what is left of the frame is lost then.
    template <typename Patience>
    void send(Uart& uart, Log& log, const FrameHeader& header, std::span<const char> payload,
              Patience& patience) {
        complete(uart, log, patience);
        begin(header, payload, hypervisor_id);
        complete(uart, log, patience);
    }
    // Likewise every audit record that waits.
    template <typename Patience> void send_records(Uart& uart, Log& log, Patience& patience) {
        do
            complete(uart, log, patience);
        while (begin_record(log));
    }
    [[nodiscard]] bool busy() const { return !frame_.done(); }
    // A panic: whatever was being sent is broken off. A record stays in the log and is sent again.
    void break_off() {
        frame_ = {};
        record_sent_ = false;
    }

private:
    void begin(const FrameHeader& header, std::span<const char> payload, std::uint32_t speaker) {
        frame_.begin(header, next_frame_++, payload);
        speaker_ = speaker;
    }
    bool begin_record(const Log& log) {
        const Record* const record = log.oldest();
        if (record == nullptr)
            return false;
        begin({FrameType::audit}, record->view(), hypervisor_id);
        record_sent_ = true;
        return true;
    }
    bool begin_output(Outlet& outlet) {
        constexpr unsigned records = 8; // more are more work than a FIFO load
        Stream stream{};
        const std::size_t count = outlet.ring.take(stream, payload_, records);
        if (count == 0)
            return false;
        outlet.pane.hear(std::span{payload_}.first(count));
        begin({stream == Stream::errors ? FrameType::errors : FrameType::output, outlet.partition,
               outlet.generation},
              std::span{payload_}.first(count), outlet.partition);
        return true;
    }
    template <typename Patience> void complete(Uart& uart, Log& log, Patience& patience) {
        while (!frame_.done()) {
            if (const unsigned room = uart.room(); room != 0) {
                (void)load(uart, room);
                patience.renew();
            } else if (!patience()) {
                frame_ = {};
            }
        }
        finish(log);
    }
    unsigned load(Uart& uart, unsigned room) {
        std::array<char, 64> bytes{};
        const std::size_t most = room < bytes.size() ? room : bytes.size();
        const std::size_t count = frame_.fill(std::span{bytes}.first(most));
        for (const char byte : std::span{bytes}.first(count))
            uart.put(static_cast<std::uint8_t>(byte));
        return static_cast<unsigned>(count);
    }
    void finish(Log& log) {
        if (record_sent_)
            log.sent();
        record_sent_ = false;
    }

    FrameEncoder frame_;
    std::uint64_t next_frame_ = 0;
    std::uint32_t speaker_ = hypervisor_id;
    bool record_sent_ = false; // the frame is the log's oldest record
    bool audit_next_ = false;
    std::size_t next_outlet_ = 0;
    std::array<char, CAISSON_FRAME_MAX> payload_{}; // of an output frame: the ring has room again at once
};

} // namespace audit
