// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/record.cpp - records as text.
#include "hypervisor/core/audit/record.hpp"

namespace audit {
namespace {

bool plain(char c) {
    return c > ' ' && c < 0x7F && c != '%' && c != '=';
}

} // namespace

void Record::key(std::string_view name) {
    if (!text_.view().empty())
        text_ << ' ';
    text_ << name << '=';
}

Record& Record::add(std::string_view name, std::string_view value) {
    key(name);
    for (const char c : value) {
        if (plain(c)) {
            text_ << c;
            continue;
        }
        constexpr std::string_view digits = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(c);
        text_ << '%' << digits[byte >> 4] << digits[byte & 15];
    }
    return *this;
}

Record& Record::add(std::string_view name, std::uint64_t value) {
    key(name);
    text_ << value;
    return *this;
}

Record& Record::add_hex(std::string_view name, std::uint64_t value) {
    key(name);
    text_ << base::hex(value);
    return *this;
}

Record& Record::add_bytes(std::string_view name, std::span<const std::uint8_t> bytes) {
    key(name);
    for (const std::uint8_t byte : bytes)
        text_ << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
    return *this;
}

Record& Record::add_pairs(std::string_view pairs) {
    text_ << ' ' << pairs;
    return *this;
}

Record build(const ExitRecord& exit) {
    Record record;
    record.add("partition", exit.partition)
        .add("generation", exit.generation)
        .add("status", std::uint64_t{exit.status})
        .add("reason", exit.reason)
        .add("detail", exit.detail)
        .add("exits", exit.exits)
        .add("refusals", exit.refusals)
        .add("dropped", exit.dropped)
        .add("started", exit.started)
        .add("first_output", exit.first_output)
        .add("ended", exit.ended)
        .add("last", std::uint64_t{exit.last});
    return record;
}

Record build(const EndRecord& end) {
    Record record;
    record.add("reason", end.reason).add("action", end.action);
    return record;
}

Record build(const BootRecord& boot) {
    base::Text<16> abi;
    abi << (boot.abi >> 16) << '.' << (boot.abi & 0xFFFF);
    Record record;
    record.add("entry", boot.entry)
        .add("verified", boot.verified)
        .add("ready", boot.ready)
        .add("memory_hypervisor", boot.memory_hypervisor)
        .add("memory_bundle", boot.memory_bundle)
        .add("memory_partitions", boot.memory_partitions)
        .add("cpus", boot.cpus)
        .add("abi", abi.view())
        .add("build", boot.build_id);
    return record;
}

} // namespace audit
