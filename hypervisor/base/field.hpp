// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/field.hpp - named bit fields of registers and table entries.
#pragma once

#include <cstdint>
#include <type_traits>

namespace base {

// Field<std::uint64_t, 12, 40>: bits 12..51. `Word` is the register's width.
template <typename Word, unsigned Low, unsigned Width = 1> struct Field {
    static_assert(std::is_unsigned_v<Word> && Width > 0 && Low + Width <= sizeof(Word) * 8);
    static constexpr Word limit = Width == sizeof(Word) * 8
                                      ? static_cast<Word>(~Word{0})
                                      : static_cast<Word>((Word{1} << (Width % (sizeof(Word) * 8))) - 1);
    static constexpr Word mask = static_cast<Word>(limit << Low);

    [[nodiscard]] static constexpr Word get(Word word) { return static_cast<Word>((word >> Low) & limit); }
    [[nodiscard]] static constexpr Word make(Word value) { return static_cast<Word>((value & limit) << Low); }
    [[nodiscard]] static constexpr Word set(Word word, Word value) {
        return static_cast<Word>((word & ~mask) | make(value));
    }
    [[nodiscard]] static constexpr bool test(Word word) { return (word & mask) != 0; }
};

} // namespace base
