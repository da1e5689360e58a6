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

} // namespace audit
