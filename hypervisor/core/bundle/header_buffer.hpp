// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/header_buffer.hpp - a private copy of a bundle's header, with room before
// it for the signature's domain, so that what is verified is what is read and the signed message is
// one run of bytes.
//
// Pure.
// Trust:      the copy holds unverified bytes until verify_signature() has returned a signer.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bundle/issue.hpp"
#include "hypervisor/core/bytes/source.hpp"

#include <algorithm>
#include <cstring>

namespace bundle {

class HeaderBuffer {
public:
    // Copies the header out of `file` and checks magic, format and sizes, nothing else. `file.size()` must be
    // the exact size of what firmware handed over.
    [[nodiscard]] Status load(const bytes::Source& file);

    // The header's bytes, header_size of them; empty before load().
    [[nodiscard]] std::span<const std::byte> bytes() const {
        return std::as_bytes(whole()).subspan(header_offset, size_);
    }
    // The same, typed. After load().
    [[nodiscard]] const Header& header() const { return storage_.header; }
    [[nodiscard]] const Section& section(std::uint32_t index) const { return storage_.sections[index]; }

    // For the tool: an all-zero header of that size (a multiple of 4096, at most 64 KiB), to be filled in.
    [[nodiscard]] std::span<std::byte> reset(std::uint32_t header_size) {
        storage_ = {};
        size_ = std::min(header_size, max_header_size);
        return room().first(size_);
    }
    // "caisson bundle v1\0" || header[0, header_size - 512): what is signed.
    [[nodiscard]] std::span<const std::byte> message() const {
        return std::as_bytes(whole()).subspan(domain_offset,
                                              sizeof(signature_domain) + size_ - sizeof(Signatures));
    }
    [[nodiscard]] Signatures signatures() const {
        Signatures out;
        std::memcpy(&out, bytes().last<sizeof out>().data(), sizeof out);
        return out;
    }

private:
    static constexpr std::size_t header_offset = 32;
    static constexpr std::size_t domain_offset = header_offset - sizeof(signature_domain);
    struct alignas(16) Storage {
        std::array<std::byte, domain_offset> padding{};
        std::array<char, sizeof(signature_domain)> domain = std::to_array(signature_domain);
        Header header{};
        std::array<Section, (max_header_size - sections_offset) / section_entsize> sections{};
    };
    static_assert(sizeof(Storage) == header_offset + max_header_size);

    [[nodiscard]] std::span<const Storage, 1> whole() const {
        return std::span<const Storage, 1>{&storage_, 1};
    }
    [[nodiscard]] std::span<std::byte> room() {
        return std::as_writable_bytes(std::span<Storage, 1>{&storage_, 1}).subspan(header_offset);
    }

    Storage storage_;
    std::uint32_t size_ = 0;
};

} // namespace bundle
