// SPDX-License-Identifier: Apache-2.0
// image-tools/run/session.cpp - frames into results.
#include "image-tools/run/session.hpp"

#include "image-tools/channel/record_reader.hpp"

#include <algorithm>

namespace run {
namespace {

constexpr std::size_t most_kept = 100000; // records and log lines of one boot
constexpr std::size_t most_noise = 4096;
constexpr std::size_t most_faults = 20;
constexpr std::uint64_t most_probes = 1000, most_error = 4096;

} // namespace

Session::Session(std::vector<std::string> partitions, Listener listener) : listener_(std::move(listener)) {
    for (std::string& name : partitions)
        partitions_.push_back({std::move(name), {}, 0});
}

void Session::feed(std::span<const std::uint8_t> bytes) {
    using Got = channel::FrameDecoder::Got;
    for (std::uint8_t byte : bytes) {
        switch (decoder_.push(byte)) {
        case Got::nothing:
            break;
        case Got::noise:
            noise_ += static_cast<char>(byte);
            if (noise_.size() > 2 * most_noise)
                noise_.erase(0, most_noise);
            break;
        case Got::error:
            fault("the serial line is damaged: bytes that are in no frame where frame " +
                  std::to_string(decoder_.expected()) + " should be");
            break;
        case Got::frame:
            seen_frame_ = true;
            if (const std::uint64_t missing = decoder_.missing(); missing != 0)
                fault("the serial line lost frame" +
                      (missing == 1 ? " " + std::to_string(decoder_.number() - 1)
                                    : "s " + std::to_string(decoder_.number() - missing) + " to " +
                                          std::to_string(decoder_.number() - 1)));
            frame();
            break;
        }
    }
}

void Session::fault(std::string text) {
    if (listener_.fault)
        listener_.fault(text);
    if (faults_.size() < most_faults)
        faults_.push_back(std::move(text));
}

void Session::frame() {
    const std::string_view payload(decoder_.payload().data(), decoder_.payload().size());
    const audit::FrameHeader& header = decoder_.header();
    const auto keep = [](std::vector<std::string>& list, std::string_view text) {
        if (list.size() < most_kept)
            list.emplace_back(text);
    };
    switch (header.type) {
    case audit::FrameType::output:
    case audit::FrameType::errors:
        if (header.partition >= partitions_.size()) {
            fault("output of a partition that is not in the plan");
            break;
        }
        partitions_[header.partition].output_bytes += payload.size();
        if (listener_.output)
            listener_.output(header.partition, payload, header.type == audit::FrameType::errors ? 2 : 1);
        break;
    case audit::FrameType::log:
        keep(log_, payload);
        if (listener_.log)
            listener_.log(payload);
        break;
    case audit::FrameType::audit:
        keep(audit_, payload);
        if (channel::find(payload, "event") == "quarantined")
            quarantined(payload);
        if (channel::find(payload, "event") == "note")
            note(payload);
        stopping_ = stopping_ || channel::find(payload, "event") == "stop_request";
        if (listener_.audit)
            listener_.audit(payload);
        break;
    case audit::FrameType::exit:
        exit_record(payload);
        break;
    case audit::FrameType::kept:
        for (const char byte : payload)
            if (kept_.push(static_cast<std::uint8_t>(byte)) == channel::FrameDecoder::Got::frame)
                kept_frame();
        break;
    case audit::FrameType::end:
        if (const auto record = channel::parse_end(payload))
            end_ = MachineEnd{std::string(record->reason), std::string(record->action)};
        else
            fault("the record of the machine's end cannot be read");
        break;
    case audit::FrameType::boot:
        if (const auto record = channel::parse_boot(payload))
            boot_ = BootFigures{record->entry,         record->verified,
                                record->ready,         record->memory_hypervisor,
                                record->memory_bundle, record->memory_partitions,
                                record->cpus,          std::string(record->build_id)};
        else
            fault("the record of boot figures cannot be read");
        break;
    }
}

// For people only: nothing proves that this machine said it.
void Session::kept_frame() {
    const audit::FrameHeader& header = kept_.header();
    std::string start = "before the reset: ";
    if (header.type == audit::FrameType::output || header.type == audit::FrameType::errors)
        start += (header.partition < partitions_.size() ? partitions_[header.partition].name
                                                        : "partition " + std::to_string(header.partition)) +
                 ": ";
    std::string_view rest(kept_.payload().data(), kept_.payload().size());
    while (!rest.empty() && listener_.log) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        listener_.log(start + std::string(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

// Of how a container is only its own PID 1 speaks; a partition's other notes may say what they like. '=' is escaped.
void Session::note(std::string_view payload) {
    constexpr std::string_view health = "health%3D", probe = "probe%3D";
    const auto name = channel::find(payload, "partition"), found = channel::find(payload, "text");
    const auto owner = std::ranges::find_if(
        partitions_, [&](const PartitionResult& partition) { return name && partition.name == *name; });
    if (owner == partitions_.end() || !found)
        return;
    std::string_view text = *found;
    if (text.starts_with(health)) {
        owner->health = text.substr(health.size());
    } else if (text.starts_with(probe)) {
        text.remove_prefix(probe.size());
        const std::size_t colon = text.find(':');
        const auto which = channel::number(text.substr(0, colon));
        const std::uint64_t error = colon == std::string_view::npos
                                        ? most_error
                                        : channel::number(text.substr(colon + 1)).value_or(most_error);
        if (which.value_or(most_probes) < most_probes && error < most_error)
            owner->reached[static_cast<std::uint32_t>(*which)] = static_cast<int>(error);
    }
}

void Session::exit_record(std::string_view payload) {
    const auto record = channel::parse_exit(payload);
    const auto owner =
        std::find_if(partitions_.begin(), partitions_.end(), [&](const PartitionResult& partition) {
            return record && partition.name == record->partition;
        });
    if (!record || owner == partitions_.end()) {
        fault("a partition's end record cannot be read");
        return;
    }
    if (owner->endings.size() == most_kept)
        owner->endings.erase(owner->endings.begin());
    if (!record->last) {
        owner->health.clear();
        owner->reached.clear();
    }
    owner->endings.push_back({record->generation, record->status, std::string(record->reason),
                              std::string(record->detail), record->exits, record->refusals, record->dropped,
                              record->started, record->first_output, record->ended, record->last});
}

// A partition that could not be stopped has no exit record: it has not ended.
void Session::quarantined(std::string_view payload) {
    const auto name = channel::find(payload, "partition");
    const auto owner = std::ranges::find_if(
        partitions_, [&](const PartitionResult& partition) { return name && partition.name == *name; });
    const auto text = [&payload](std::string_view key) { return channel::find(payload, key).value_or(""); };
    const auto number = [&text](std::string_view key) { return channel::number(text(key)); };
    const auto generation = number("generation"), status = number("status"), time = number("time");
    if (owner == partitions_.end() || !generation || !status || *status > 255 || !time) {
        fault("the record of a partition's quarantine cannot be read");
        return;
    }
    owner->endings.push_back({.generation = *generation,
                              .status = static_cast<unsigned>(*status),
                              .reason = "quarantined",
                              .detail = std::string(text("detail")),
                              .ended = *time,
                              .last = true});
}

} // namespace run
