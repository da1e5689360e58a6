// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/record_reader.hpp - the records of hypervisor/core/audit/record.hpp read back.
//
// Trust: a record is the hypervisor's if its frame was; its text is still checked, whole and in order.
#pragma once

#include "hypervisor/core/audit/record.hpp"

#include <optional>

namespace audit {

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

} // namespace audit
