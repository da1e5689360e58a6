// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/header_buffer.hpp - a private copy of a bundle's header, with room before it for the
// signature's domain, so that what is verified is what is read and the signed message is one run of bytes.
//
// Pure. Trust: the copy holds unverified bytes until verify_signature() has returned a signer.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bundle/issue.hpp"
#include "hypervisor/core/bytes/source.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace bundle {

class HeaderBuffer {
public:
    HeaderBuffer() {
        std::memcpy(storage_.data() + domain_offset, signature_domain, sizeof(signature_domain));
    }

    // Copies the header out of `file` and checks magic, format and sizes, nothing else. `file.size()` must be
    // the exact size of what firmware handed over.
    [[nodiscard]] Status load(const bytes::Source& file);

    // The header's bytes, header_size of them; empty before load().
    [[nodiscard]] std::span<const std::byte> header() const {
        return std::span{storage_}.subspan(header_offset, size_);
    }
    // For the tool: an all-zero header of that size (a multiple of 4096, at most 64 KiB), to be filled in.
    [[nodiscard]] std::span<std::byte> reset(std::uint32_t header_size) {
        size_ = std::min(header_size, max_header_size);
        const auto header = std::span{storage_}.subspan(header_offset, size_);
        std::fill(header.begin(), header.end(), std::byte{0});
        return header;
    }
    // "caisson bundle v1\0" || header[0, header_size - 64): what is signed.
    [[nodiscard]] std::span<const std::byte> message() const {
        return std::span{storage_}.subspan(domain_offset, sizeof(signature_domain) + size_ - signature_size);
    }
    [[nodiscard]] std::span<const std::byte> signature() const { return header().last(signature_size); }

private:
    static constexpr std::size_t header_offset = 32;
    static constexpr std::size_t domain_offset = header_offset - sizeof(signature_domain);

    alignas(16) std::array<std::byte, header_offset + max_header_size> storage_{};
    std::uint32_t size_ = 0;
};

} // namespace bundle
