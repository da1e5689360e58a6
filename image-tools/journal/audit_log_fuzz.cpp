// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/audit_log_fuzz.cpp - any bytes as a log file: what reads as a record is its only writing, and a log without
// a finding is one whose chain holds.
#include "image-tools/journal/verifier.hpp"

#include <cstdlib>

namespace {

void require(bool condition) {
    if (!condition)
        std::abort();
}

void check_line(std::string_view line) {
    const auto record = journal::from_line(line);
    if (!record)
        return;
    require(journal::to_line(*record) == line);
    std::string payload = record->text() + " hash=";
    for (const std::uint8_t byte : record->hash)
        payload.append(1, "0123456789abcdef"[byte >> 4]).append(1, "0123456789abcdef"[byte & 15]);
    const auto again = journal::from_payload(payload);
    require(again && again->text() == record->text() && again->hash == record->hash);
}

void check_log(std::string_view text, journal::Unseal key) {
    journal::Verifier verifier(std::move(key));
    audit::Hash previous{};
    bool holds = true;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        verifier.line(line);
        const auto record = journal::from_line(line);
        if (record && record->event == "boot" && record->seq == 0)
            previous = {};
        holds = holds && record && audit::chained(previous, record->text()) == record->hash;
        previous = record ? record->hash : audit::Hash{};
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    verifier.end();
    require(holds || !verifier.findings().empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{static_cast<const char*>(static_cast<const void*>(data)), size};
    check_line(text);
    check_log(text, {});
    check_log(text, [](const audit::Key& sealed, const audit::Key&) { return std::optional(sealed); });
    return 0;
}
