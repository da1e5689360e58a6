// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/text_sink.cpp - a growing text on the heap.
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace uk::fs {

TextSink::TextSink(TextSink&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)), lost_(std::exchange(other.lost_, false)) {}

TextSink& TextSink::operator=(TextSink&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(lost_, other.lost_);
    return *this;
}

TextSink::~TextSink() {
    mm::free(data_);
}

TextSink& TextSink::operator<<(std::string_view text) {
    if (text.size() > capacity_ - size_) {
        const std::size_t wanted = std::max(capacity_ * 2, size_ + text.size());
        const std::size_t capacity = (wanted + 63) / 64 * 64;
        auto* grown = static_cast<char*>(mm::allocate(capacity));
        if (grown == nullptr) {
            lost_ = true;
            return *this;
        }
        if (size_ > 0)
            std::memcpy(grown, data_, size_);
        mm::free(data_);
        data_ = grown;
        capacity_ = capacity;
    }
    if (!text.empty())
        std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
}

namespace {

// Digits at the end of `buffer`.
std::string_view digits(std::array<char, 24>& buffer, std::uint64_t value, unsigned radix) {
    std::size_t at = buffer.size();
    do {
        buffer[--at] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value != 0);
    return {buffer.data() + at, buffer.size() - at};
}

} // namespace

TextSink& TextSink::operator<<(std::uint64_t value) {
    std::array<char, 24> buffer{};
    return *this << digits(buffer, value, 10);
}

void TextSink::padded(std::uint64_t value, unsigned width) {
    std::array<char, 24> buffer{};
    const std::string_view text = digits(buffer, value, 10);
    for (std::size_t i = text.size(); i < width; ++i)
        *this << ' ';
    *this << text;
}

void TextSink::hexadecimal(std::uint64_t value, unsigned width) {
    std::array<char, 24> buffer{};
    const std::string_view text = digits(buffer, value, 16);
    for (std::size_t i = text.size(); i < width; ++i)
        *this << '0';
    *this << text;
}

} // namespace uk::fs
