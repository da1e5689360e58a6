// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/record_reader.cpp - text into records.
#include "image-tools/channel/record_reader.hpp"

#include <array>
#include <span>

namespace channel {
namespace {

constexpr std::uint64_t status_max = 255;

// string_view::substr can throw; these cannot.
std::string_view before(std::string_view text, std::size_t at) {
    return {text.data(), at < text.size() ? at : text.size()};
}
std::string_view after(std::string_view text, std::size_t at) {
    return at < text.size() ? std::string_view{text.data() + at + 1, text.size() - at - 1}
                            : std::string_view{};
}

// A key and where its value goes: exactly one of the three.
struct Slot {
    std::string_view key;
    std::uint64_t* number = nullptr;
    std::string_view* text = nullptr;
};

// Exactly these keys, in this order.
bool read_all(std::string_view payload, std::span<const Slot> slots) {
    PairReader reader{payload};
    for (const Slot& slot : slots) {
        const auto pair = reader.next();
        if (!pair || pair->key != slot.key)
            return false;
        if (slot.text != nullptr) {
            *slot.text = pair->value;
            continue;
        }
        const auto value = number(pair->value);
        if (!value)
            return false;
        *slot.number = *value;
    }
    return !reader.next() && !reader.bad();
}

} // namespace

std::optional<ExitRecord> parse_exit(std::string_view payload) {
    ExitRecord exit;
    std::uint64_t status = 0, last = 0;
    const std::array<Slot, 12> slots{{
        {"partition", nullptr, &exit.partition},
        {"generation", &exit.generation},
        {"status", &status},
        {"reason", nullptr, &exit.reason},
        {"detail", nullptr, &exit.detail},
        {"exits", &exit.exits},
        {"refusals", &exit.refusals},
        {"dropped", &exit.dropped},
        {"started", &exit.started},
        {"first_output", &exit.first_output},
        {"ended", &exit.ended},
        {"last", &last},
    }};
    if (!read_all(payload, slots) || status > status_max || last > 1)
        return std::nullopt;
    exit.status = static_cast<std::uint8_t>(status);
    exit.last = last == 1;
    return exit;
}

std::optional<EndRecord> parse_end(std::string_view payload) {
    EndRecord end;
    const std::array<Slot, 2> slots{{{"reason", nullptr, &end.reason}, {"action", nullptr, &end.action}}};
    if (!read_all(payload, slots))
        return std::nullopt;
    return end;
}

std::optional<BootRecord> parse_boot(std::string_view payload) {
    BootRecord boot;
    std::string_view abi;
    const std::array<Slot, 9> slots{{
        {"entry", &boot.entry},
        {"verified", &boot.verified},
        {"ready", &boot.ready},
        {"memory_hypervisor", &boot.memory_hypervisor},
        {"memory_bundle", &boot.memory_bundle},
        {"memory_partitions", &boot.memory_partitions},
        {"cpus", &boot.cpus},
        {"abi", nullptr, &abi},
        {"build", nullptr, &boot.build_id},
    }};
    if (!read_all(payload, slots))
        return std::nullopt;
    const std::size_t dot = abi.find('.');
    if (dot == std::string_view::npos)
        return std::nullopt;
    const auto major = number(before(abi, dot)), minor = number(after(abi, dot));
    if (!major || !minor || *major > 0xFFFF || *minor > 0xFFFF)
        return std::nullopt;
    boot.abi = *major << 16 | *minor;
    return boot;
}

std::optional<Pair> PairReader::next() {
    if (rest_.empty())
        return std::nullopt;
    const std::size_t end = rest_.find(' ');
    const std::string_view word = before(rest_, end);
    const std::size_t equals = word.find('=');
    // A trailing space, an empty word or key, and a second '=' are malformed.
    const bool trailing = end != std::string_view::npos && end + 1 == rest_.size();
    if (trailing || equals == std::string_view::npos || equals == 0 ||
        word.find('=', equals + 1) != std::string_view::npos) {
        bad_ = true;
        rest_ = {};
        return std::nullopt;
    }
    rest_ = after(rest_, end);
    return Pair{before(word, equals), after(word, equals)};
}

std::optional<std::string_view> find(std::string_view payload, std::string_view key) {
    PairReader reader{payload};
    while (const auto pair = reader.next())
        if (pair->key == key)
            return pair->value;
    return std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || __builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
            __builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value))
            return std::nullopt;
    }
    return value;
}

} // namespace channel
