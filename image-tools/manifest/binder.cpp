// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/binder.cpp - typed values out of YAML nodes.
#include "image-tools/manifest/binder.hpp"

#include "image-tools/diagnostic/suggest.hpp"
#include "image-tools/manifest/failures.hpp"

#include <algorithm>
#include <utility>

namespace manifest {
namespace {

std::string in_quotes(std::string_view text) {
    return "'" + std::string(text) + "'";
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const auto near = diagnostic::suggest(word, candidates);
    return near ? "did you mean " + in_quotes(*near) + "?" : std::string{};
}

std::string joined(std::span<const std::string_view> words) {
    std::string out;
    for (std::string_view word : words)
        out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
}

} // namespace

void Binder::map(const Node& node, std::string_view what, std::span<const Key> keys,
                 std::span<const std::string_view> reserved) const {
    if (node.kind != Node::Kind::mapping)
        wrong(node, std::string(what) + " must be a map, not " + std::string(kind_name(node)));
    for (const Entry& entry : node.entries)
        if (!entry.key.starts_with("x-"))
            attempt([&] { bind(entry, what, keys, reserved); });
}

void Binder::bind(const Entry& entry, std::string_view what, std::span<const Key> keys,
                  std::span<const std::string_view> reserved) const {
    const auto known =
        std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == entry.key; });
    if (known != keys.end())
        return known->bind(entry.value);
    if (std::find(reserved.begin(), reserved.end(), entry.key) != reserved.end())
        not_yet(entry.spot, in_quotes(entry.key));
    std::vector<std::string_view> names;
    for (const Key& key : keys)
        names.push_back(key.name);
    names.insert(names.end(), reserved.begin(), reserved.end());
    std::string help = did_you_mean(entry.key, names);
    if (help.empty())
        help = std::string(what) + " has the keys " + joined(std::span(names).first(keys.size())) +
               "; keys of your own start with x-";
    source_.fail(entry.spot, "E0302", "unknown key " + in_quotes(entry.key) + " in " + std::string(what),
                 std::move(help));
}

bool Binder::attempt(const std::function<void()>& action) const {
    try {
        action();
        return true;
    } catch (const diagnostic::Failure& failure) {
        failures_.push_back(failure.diagnostic());
        if (failures_.size() >= most_failures)
            throw_failures();
        return false;
    }
}

void Binder::throw_failures() const {
    if (failures_.empty())
        return;
    std::vector<diagnostic::Diagnostic> all = std::exchange(failures_, {});
    diagnostic::Diagnostic first = std::move(all.front());
    all.erase(all.begin());
    throw Failures(std::move(first), std::move(all));
}

std::string Binder::text(const Node& node, std::string_view what) const {
    if (node.kind != Node::Kind::scalar)
        wrong(node, in_quotes(what) + " must be a word, not " + std::string(kind_name(node)));
    if (node.text.find('\0') != std::string::npos)
        wrong(node, in_quotes(what) + " must not contain a NUL");
    return node.text;
}

std::string Binder::non_empty(const Node& node, std::string_view what) const {
    std::string value = text(node, what);
    if (value.empty())
        wrong(node, in_quotes(what) + " must not be empty");
    return value;
}

bool Binder::boolean(const Node& node, std::string_view what) const {
    const std::string value = text(node, what);
    if (node.plain && value == "true")
        return true;
    if (node.plain && value == "false")
        return false;
    wrong(node, in_quotes(what) + " must be true or false");
}

std::uint64_t Binder::number(const Node& node, std::string_view what, std::uint64_t low,
                             std::uint64_t high) const {
    const std::string given = text(node, what);
    const std::string range =
        "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    const auto value = parse_number(given);
    const auto* number = std::get_if<std::uint64_t>(&value);
    if (number == nullptr || *number < low || *number > high)
        wrong(node, in_quotes(what) + " " + range + ", not " + in_quotes(given));
    return *number;
}

std::uint64_t Binder::size(const Node& node, std::string_view what) const {
    return take(node, parse_size(text(node, what)));
}

std::vector<std::string> Binder::list(const Node& node, std::string_view what) const {
    if (node.kind == Node::Kind::scalar)
        wrong(node, in_quotes(what) + " must be a list", "there is no shell: write [" + node.text + "]");
    if (node.kind != Node::Kind::sequence)
        wrong(node, in_quotes(what) + " must be a list, not " + std::string(kind_name(node)));
    std::vector<std::string> out;
    for (const Node& item : node.items)
        out.push_back(text(item, what));
    return out;
}

std::uint32_t Binder::duration_ms(const Node& node, std::string_view what, plan::Bounds bounds) const {
    const std::uint32_t value = take(node, parse_duration_ms(text(node, what)));
    if (!bounds.hold(value))
        wrong(node, in_quotes(what) + " is from " + duration_text(bounds.least) + " to " +
                        duration_text(bounds.most) + ", not " + in_quotes(text(node, what)));
    return value;
}

std::size_t Binder::word(const Node& node, std::string_view what, std::span<const std::string_view> words,
                         std::size_t first_reserved) const {
    const std::string value = text(node, what);
    const auto found = std::find(words.begin(), words.end(), value);
    if (found == words.end()) {
        std::string help = did_you_mean(value, words);
        if (help.empty())
            help = "it can be: " + joined(words.first(first_reserved));
        wrong(node, in_quotes(what) + " cannot be " + in_quotes(value), std::move(help));
    }
    const auto index = static_cast<std::size_t>(found - words.begin());
    if (index >= first_reserved)
        not_yet(node.spot, in_quotes(std::string(what) + ": " + value));
    return index;
}

void Binder::wrong(const Node& node, std::string message, std::string help) const {
    source_.fail(node.spot, "E0309", std::move(message), std::move(help));
}

void Binder::not_yet(Spot spot, std::string_view what) const {
    source_.fail(spot, "E0308", std::string(what) + " is known, not yet supported",
                 "remove it; docs/manifest.md lists what this version supports");
}

} // namespace manifest
