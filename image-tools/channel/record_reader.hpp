// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/record_reader.hpp - the records of hypervisor/core/audit/record.hpp read back, and what the
// hypervisor's records of an exit, the end and a boot hold (written in hypervisor/kernel; every boot test reads them).
//
// Trust: a record is the hypervisor's if its frame was; its text is still checked, whole and in order.
#pragma once

#include "hypervisor/core/audit/record.hpp"

#include <optional>

namespace channel {

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
struct EndRecord {
    std::string_view reason; // all-stopped, panic, refused
    std::string_view action; // poweroff, reboot, halt
};
struct BootRecord {
    std::uint64_t entry = 0, verified = 0, ready = 0; // TSC
    std::uint64_t memory_hypervisor = 0, memory_bundle = 0, memory_partitions = 0;
    std::uint64_t cpus = 0;
    std::uint64_t abi = 0; // CAISSON_ABI_VERSION
    std::string_view build_id;
};
// Exactly their pairs, in their order; nothing otherwise.
[[nodiscard]] std::optional<ExitRecord> parse_exit(std::string_view payload);
[[nodiscard]] std::optional<EndRecord> parse_end(std::string_view payload);
[[nodiscard]] std::optional<BootRecord> parse_boot(std::string_view payload);

// Reads pairs in order; a payload that is not pairs separated by single spaces gives nothing.
struct Pair {
    std::string_view key, value; // value still escaped
};
class PairReader {
public:
    explicit PairReader(std::string_view payload) : rest_(payload) {}
    // The next pair, or nothing at the end or at a malformed pair (see bad()).
    [[nodiscard]] std::optional<Pair> next();
    [[nodiscard]] bool bad() const { return bad_; }

private:
    std::string_view rest_;
    bool bad_ = false;
};
// The value of one key, if the payload is well-formed up to it.
[[nodiscard]] std::optional<std::string_view> find(std::string_view payload, std::string_view key);
[[nodiscard]] std::optional<std::uint64_t> number(std::string_view text);

} // namespace channel
