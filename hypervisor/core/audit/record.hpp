// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/record.hpp - records inside frames: key=value pairs.
//
// Pure: the writer; the readers are image-tools/channel/record_reader.hpp. Values may come from
// guests (names of what they did, their own audit text): any byte that is not printable ASCII, and
// space, '%' and '=', is written as %XX, so a value can neither end its pair nor start another.
// Spec:       partitions/abi/console.h.
#pragma once

#include "hypervisor/base/text.hpp"
#include "partitions/abi/console.h"

#include <span>

namespace audit {

class Record {
public:
    Record& add(std::string_view key, std::string_view value);
    Record& add(std::string_view key, std::uint64_t value);
    Record& add_hex(std::string_view key, std::uint64_t value);
    Record& add_bytes(std::string_view key, std::span<const std::uint8_t> bytes); // two digits a byte
    void clear() { text_.clear(); }
    void shorten(std::size_t most) { text_.shorten(most); }
    [[nodiscard]] std::string_view view() const { return text_.view(); }

private:
    void key(std::string_view name);
    base::Text<CAISSON_FRAME_MAX> text_;
};

} // namespace audit
