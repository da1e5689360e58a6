// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/startup.hpp - reads the startup record (partitions/abi/startup.h)
// with every offset checked.
//
// Pure.
// Trust:      written by the image tool and verified with the bundle; in direct mode whatever was
//             given to QEMU.
// Invariants: every string that a Startup gives ends with NUL inside the record.
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/abi/startup.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace uk::start {

class Startup {
public:
    // Nothing where magic, sizes, counts or offsets are wrong.
    [[nodiscard]] static std::optional<Startup> parse(std::span<const std::byte> bytes);

    [[nodiscard]] const caisson_startup& header() const { return header_; }
    [[nodiscard]] std::string_view argument(unsigned i) const { return listed(header_.argv, i); }
    [[nodiscard]] std::string_view environment(unsigned i) const { return listed(header_.envp, i); }
    [[nodiscard]] std::string_view working_directory() const { return text(header_.working_dir); }
    [[nodiscard]] std::string_view hostname() const { return text(header_.hostname); }
    [[nodiscard]] std::uint32_t group(unsigned i) const { return word(header_.groups, i); }
    [[nodiscard]] std::span<const std::byte> init() const {
        return bytes_.subspan(header_.init, header_.init_bytes);
    }
    [[nodiscard]] std::span<const std::byte> filter() const {
        return bytes_.subspan(header_.filter, header_.filter_count * filter_instruction);
    }
    [[nodiscard]] std::string_view program(unsigned i) const { return listed(header_.programs, i); }
    struct Tmpfs {
        std::string_view path;
        std::uint32_t mode;
        std::uint64_t size;
    };
    [[nodiscard]] Tmpfs tmpfs(unsigned i) const;
    [[nodiscard]] caisson_peer peer(unsigned i) const { return entry<caisson_peer>(header_.peers, i); }
    [[nodiscard]] std::string_view peer_name(unsigned i) const { return text(peer(i).name); }
    [[nodiscard]] caisson_rule rule(unsigned i) const { return entry<caisson_rule>(header_.rules, i); }
    [[nodiscard]] bool has_network() const {
        return header_.peer_count != 0 || header_.outside != CAISSON_OUTSIDE_NONE;
    }
    [[nodiscard]] caisson_published published(unsigned i) const {
        return entry<caisson_published>(header_.published, i);
    }
    // IPv6 outside; way 0: none. `sound`: false where it is not what a card's can be. The rest of the record does not hang on it, and the
    // kernel without a network does not look.
    [[nodiscard]] caisson_outside6 outside6(bool& sound) const;
    [[nodiscard]] caisson_rule6 rule6(const caisson_outside6& of, unsigned i) const {
        return entry<caisson_rule6>(of.rules, i);
    }

private:
    static constexpr std::size_t filter_instruction = 8; // struct sock_filter
    [[nodiscard]] bool is_sound() const;
    [[nodiscard]] bool has_array(std::uint32_t offset, std::uint64_t count, std::uint64_t size) const;
    [[nodiscard]] bool has_text(std::uint32_t offset) const;
    [[nodiscard]] bool has_texts(std::uint32_t offset, std::uint32_t count) const;
    [[nodiscard]] std::uint32_t word(std::uint32_t offset, unsigned i) const;
    [[nodiscard]] bool has_sound_network() const;
    [[nodiscard]] bool has_sound_uplink() const;
    template <typename T> [[nodiscard]] T entry(std::uint32_t offset, unsigned i) const {
        T out{};
        std::memcpy(&out, bytes_.data() + offset + std::uint64_t{i} * sizeof(T), sizeof(T));
        return out;
    }
    [[nodiscard]] caisson_tmpfs tmpfs_entry(unsigned i) const {
        return entry<caisson_tmpfs>(header_.tmpfs, i);
    }
    [[nodiscard]] std::string_view text(std::uint32_t offset) const; // checked before
    [[nodiscard]] std::string_view listed(std::uint32_t offset, unsigned i) const {
        return text(word(offset, i));
    }

    std::span<const std::byte> bytes_;
    caisson_startup header_{};
};

} // namespace uk::start
