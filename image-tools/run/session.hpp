// SPDX-License-Identifier: Apache-2.0
// image-tools/run/session.hpp - what one boot said on its serial line: consoles, records, and how each partition ended.
//
// Trust:      payloads of 'o' frames are a guest's; the other frames are the hypervisor's, their contents still checked.
// Invariants: only an 'x' record, or the audit record that it is quarantined, ends a partition; a missing one is never taken
//             for success.
// Spec:       partitions/abi/console.h.
#pragma once

#include "image-tools/channel/frame_decoder.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace run {

struct Ending {
    std::uint64_t generation = 0;
    unsigned status = 0;
    std::string reason;
    std::string detail;
    std::uint64_t exits = 0, refusals = 0, dropped = 0;
    std::uint64_t started = 0, first_output = 0, ended = 0; // TSC
    bool last = false;
};

struct PartitionResult {
    std::string name;
    std::vector<Ending> endings; // one a generation
    std::uint64_t output_bytes = 0;
    std::string health{}; // as it last said in this generation: starting, healthy, unhealthy
    std::map<std::uint32_t, int>
        reached{}; // of its probes: error numbers of their last connects; 0: connected
    [[nodiscard]] const Ending* final() const {
        return !endings.empty() && endings.back().last ? &endings.back() : nullptr;
    }
    // As docs/boot-and-trust.md names them, as far as the records tell.
    [[nodiscard]] std::string_view state() const {
        return final() == nullptr                 ? "running"
               : final()->reason == "quarantined" ? "quarantined"
               : final()->status == 0             ? "stopped"
                                                  : "failed";
    }
    [[nodiscard]] std::size_t restarts() const { return endings.size() - (final() != nullptr ? 1 : 0); }
};

struct BootFigures {
    std::uint64_t entry = 0, verified = 0, ready = 0; // TSC
    std::uint64_t memory_hypervisor = 0, memory_bundle = 0, memory_partitions = 0;
    std::uint64_t cpus = 0;
    std::string build_id;
};

struct MachineEnd {
    std::string reason;
    std::string action;
};

// Who wants to see things as they come. Any may be empty.
struct Listener {
    // `stream`: 1 standard output, 2 standard error.
    std::function<void(std::size_t partition, std::string_view bytes, unsigned stream)> output;
    std::function<void(std::string_view line)> log;
    std::function<void(std::string_view record)> audit;
    std::function<void(std::string_view what)> fault = {};
};

class Session {
public:
    Session(std::vector<std::string> partitions, Listener listener);
    void feed(std::span<const std::uint8_t> bytes);

    [[nodiscard]] const std::vector<PartitionResult>& partitions() const { return partitions_; }
    [[nodiscard]] const std::optional<MachineEnd>& end() const { return end_; }
    [[nodiscard]] const std::optional<BootFigures>& boot() const { return boot_; }
    [[nodiscard]] const std::vector<std::string>& log() const { return log_; }
    [[nodiscard]] const std::vector<std::string>& audit() const { return audit_; }
    // What was wrong with the line itself: bytes outside frames, records that cannot be read. The first ones; a listener hears all.
    [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }
    [[nodiscard]] bool seen_frame() const { return seen_frame_; }
    // The machine was asked to end, and has heard it.
    [[nodiscard]] bool stopping() const { return stopping_; }
    // What came before the first frame, its end: firmware, or a machine that never got so far.
    [[nodiscard]] const std::string& noise() const { return noise_; }

private:
    void frame();
    void kept_frame();
    void note(std::string_view payload);
    void exit_record(std::string_view payload);
    void quarantined(std::string_view payload);
    void fault(std::string text);

    channel::FrameDecoder decoder_, kept_; // kept_: of what a machine said before it was reset
    Listener listener_;
    std::vector<PartitionResult> partitions_;
    std::optional<MachineEnd> end_;
    std::optional<BootFigures> boot_;
    std::vector<std::string> log_, audit_, faults_;
    std::string noise_;
    bool seen_frame_ = false, stopping_ = false;
};

} // namespace run
