// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/record.hpp - reads the uplink's record (partitions/abi/uplink.h) with every offset and every value checked.
//
// Pure.
// Trust:      written by the image tool and verified with the bundle. It is checked as if it were not.
// Invariants: I1  names end with NUL inside the record
//             I2  addresses of containers are of the wires' subnet, and nobody's twice; so are their wires, and a published port
//             I3  what the translator and its rates promise to none but sound numbers, they are given
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/abi/uplink.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace uplink {

class Record {
public:
    // Nothing where anything is wrong.
    [[nodiscard]] static std::optional<Record> parse(std::span<const std::byte> bytes);

    [[nodiscard]] const caisson_uplink& header() const { return header_; }
    [[nodiscard]] bool is_leased() const;
    [[nodiscard]] std::uint32_t inside_mask() const { return mask_of(header_.prefix); }
    [[nodiscard]] caisson_uplink_container container(unsigned i) const {
        return entry<caisson_uplink_container>(header_.containers, i);
    }
    [[nodiscard]] std::string_view name(unsigned i) const {
        return reinterpret_cast<const char*>(bytes_.data() + container(i).name);
    }
    [[nodiscard]] caisson_uplink_rule rule(unsigned i) const {
        return entry<caisson_uplink_rule>(header_.rules, i);
    }
    // How many rates the rules from `first` on have: of one container.
    [[nodiscard]] unsigned limits_of(unsigned first, unsigned rules) const;
    [[nodiscard]] caisson_uplink_published published(unsigned i) const {
        return entry<caisson_uplink_published>(header_.published, i);
    }

    static constexpr std::uint64_t most_rate = 12'500'000'000; // bytes a second: net::Pace's
    static constexpr unsigned most_rules = 1024, most_published = 1024;

private:
    [[nodiscard]] static constexpr std::uint32_t mask_of(std::uint32_t prefix) {
        return ~std::uint32_t{0} << (32 - prefix);
    }
    [[nodiscard]] bool has_array(std::uint32_t offset, std::uint64_t count, std::uint64_t size) const;
    [[nodiscard]] bool is_inside(std::uint32_t address) const;
    [[nodiscard]] bool has_sound_addresses() const;
    [[nodiscard]] bool has_sound_containers() const;
    [[nodiscard]] bool has_sound_rules() const;
    [[nodiscard]] bool has_sound_limits(unsigned first, unsigned rules) const;
    [[nodiscard]] bool has_sound_published() const;
    template <typename T> [[nodiscard]] T entry(std::uint32_t offset, unsigned i) const {
        T out{};
        std::memcpy(&out, bytes_.data() + offset + std::uint64_t{i} * sizeof(T), sizeof(T));
        return out;
    }

    std::span<const std::byte> bytes_;
    caisson_uplink header_{};
};

} // namespace uplink
