// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/record.hpp - records inside frames: key=value pairs, the end of a generation, boot
// figures.
//
// Pure: the builders; the readers are image-tools/channel/record_reader.hpp. Values may come from guests (names of what they did,
// their own audit text): any byte that is not printable ASCII, and space, '%' and '=', is written as %XX, so
// a value can neither end its pair nor start another. Spec: partitions/abi/console.h.
#pragma once

#include "hypervisor/base/text.hpp"
#include "partitions/abi/console.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace audit {

using RecordText = base::Text<CAISSON_FRAME_MAX>;

class Record {
public:
    Record& add(std::string_view key, std::string_view value);
    Record& add(std::string_view key, std::uint64_t value);
    Record& add_hex(std::string_view key, std::uint64_t value);
    Record& add_bytes(std::string_view key, std::span<const std::uint8_t> bytes); // two digits a byte
    Record& add_pairs(std::string_view pairs);                                    // of another record
    void clear() { text_.clear(); }
    void shorten(std::size_t most) { text_.shorten(most); }
    [[nodiscard]] std::string_view view() const { return text_.view(); }
    [[nodiscard]] bool truncated() const { return text_.truncated(); }

private:
    void key(std::string_view name);
    RecordText text_;
};

struct ExitRecord {
    std::string_view partition;
    std::uint64_t generation = 1;
    std::uint8_t status = 0;
    std::string_view reason; // exit, signal, fault, stopped
    std::string_view detail; // none, or what it was stopped for
    std::uint64_t exits = 0, refusals = 0, dropped = 0;
    std::uint64_t started = 0, first_output = 0, ended = 0; // TSC
    bool last = true;
};
[[nodiscard]] Record build(const ExitRecord& record);

struct EndRecord {
    std::string_view reason; // all-stopped, panic, refused
    std::string_view action; // poweroff, reboot, halt
};
[[nodiscard]] Record build(const EndRecord& record);

struct BootRecord {
    std::uint64_t entry = 0, verified = 0, ready = 0; // TSC
    std::uint64_t memory_hypervisor = 0, memory_bundle = 0, memory_partitions = 0;
    std::uint64_t cpus = 0;
    std::uint64_t abi = 0; // CAISSON_ABI_VERSION
    std::string_view build_id;
};
[[nodiscard]] Record build(const BootRecord& record);

} // namespace audit
