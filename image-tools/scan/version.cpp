// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/version.cpp - the orders of versions.
#include "image-tools/scan/version.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace scan {
namespace {

using Order = std::weak_ordering;
constexpr Order less = Order::less, equal = Order::equivalent, greater = Order::greater;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view take_while(std::string_view& text, bool (*is)(char)) {
    std::size_t length = 0;
    while (length < text.size() && is(text[length]))
        ++length;
    const std::string_view out = text.substr(0, length);
    text.remove_prefix(length);
    return out;
}

// Digits of any length as numbers; none is 0.
Order by_number(std::string_view one, std::string_view other) {
    one.remove_prefix(std::min(one.find_first_not_of('0'), one.size()));
    other.remove_prefix(std::min(other.find_first_not_of('0'), other.size()));
    if (one.size() != other.size())
        return one.size() < other.size() ? less : greater;
    return one.compare(other) <=> 0;
}

// What stands before the first such character, which goes too; else nothing, or with `all` everything.
std::string_view take_before(std::string_view& text, char at) {
    const std::size_t end = text.find(at);
    if (end == std::string_view::npos)
        return {};
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(end + 1);
    return out;
}

// Debian: "~" before the end, the end before letters, letters before all else.
int dpkg_rank(char c) {
    return c == '~'       ? -1
           : is_digit(c)  ? 0
           : is_letter(c) ? static_cast<unsigned char>(c)
                          : static_cast<unsigned char>(c) + 256;
}

Order dpkg_part(std::string_view one, std::string_view other) {
    while (!one.empty() || !other.empty()) {
        while ((!one.empty() && !is_digit(one[0])) || (!other.empty() && !is_digit(other[0]))) {
            const int left = one.empty() ? 0 : dpkg_rank(one[0]),
                      right = other.empty() ? 0 : dpkg_rank(other[0]);
            if (left != right)
                return left <=> right;
            one.remove_prefix(one.empty() ? 0 : 1);
            other.remove_prefix(other.empty() ? 0 : 1);
        }
        const std::string_view left = take_while(one, is_digit), right = take_while(other, is_digit);
        if (const Order order = by_number(left, right); order != equal)
            return order;
    }
    return equal;
}

Order dpkg(std::string_view one, std::string_view other) {
    const std::string_view epoch = take_before(one, ':'), other_epoch = take_before(other, ':');
    if (const Order order = by_number(epoch, other_epoch); order != equal)
        return order;
    const auto split = [](std::string_view text) {
        const std::size_t dash = text.rfind('-');
        return dash == std::string_view::npos ? std::pair(text, std::string_view{})
                                              : std::pair(text.substr(0, dash), text.substr(dash + 1));
    };
    const auto [upstream, revision] = split(one);
    const auto [other_upstream, other_revision] = split(other);
    if (const Order order = dpkg_part(upstream, other_upstream); order != equal)
        return order;
    return dpkg_part(revision, other_revision);
}

// Alpine: numbers, a letter, suffixes, "-rN"; a suffix of what came before the release makes it earlier.
struct ApkVersion {
    std::vector<std::string_view> numbers;
    char letter = 0;
    std::vector<std::pair<int, std::string_view>> suffixes; // rank, number
    std::string_view revision;
};

ApkVersion apk_version(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, int>, 9> suffixes{{{"alpha", -4},
                                                                               {"beta", -3},
                                                                               {"pre", -2},
                                                                               {"rc", -1},
                                                                               {"cvs", 1},
                                                                               {"svn", 2},
                                                                               {"git", 3},
                                                                               {"hg", 4},
                                                                               {"p", 5}}};
    ApkVersion out;
    for (;;) {
        out.numbers.push_back(take_while(text, is_digit));
        if (text.empty() || text[0] != '.')
            break;
        text.remove_prefix(1);
    }
    if (!text.empty() && is_letter(text[0])) {
        out.letter = text[0];
        text.remove_prefix(1);
    }
    while (!text.empty() && text[0] == '_') {
        text.remove_prefix(1);
        const std::string_view word = take_while(text, is_letter);
        int rank = 0;
        for (const auto& [name, value] : suffixes)
            if (word == name)
                rank = value;
        out.suffixes.emplace_back(rank, take_while(text, is_digit));
    }
    if (const std::size_t revision = text.find("-r"); revision != std::string_view::npos)
        out.revision = text.substr(revision + 2);
    return out;
}

Order apk(std::string_view one_text, std::string_view other_text) {
    const ApkVersion one = apk_version(one_text), other = apk_version(other_text);
    for (std::size_t i = 0; i < std::min(one.numbers.size(), other.numbers.size()); ++i) {
        const std::string_view left = one.numbers[i], right = other.numbers[i];
        // As a fraction where a zero leads: 1.01 is before 1.1.
        const bool fraction = i > 0 && (left.starts_with('0') || right.starts_with('0'));
        if (const Order order = fraction ? Order(left.compare(right) <=> 0) : by_number(left, right);
            order != equal)
            return order;
    }
    if (one.numbers.size() != other.numbers.size())
        return one.numbers.size() <=> other.numbers.size();
    if (one.letter != other.letter)
        return one.letter <=> other.letter;
    for (std::size_t i = 0; i < std::max(one.suffixes.size(), other.suffixes.size()); ++i) {
        const std::pair<int, std::string_view> none{0, {}};
        const auto &left = i < one.suffixes.size() ? one.suffixes[i] : none,
                   &right = i < other.suffixes.size() ? other.suffixes[i] : none;
        if (left.first != right.first)
            return left.first <=> right.first;
        if (const Order order = by_number(left.second, right.second); order != equal)
            return order;
    }
    return by_number(one.revision, other.revision);
}

// rpm: runs of digits and of letters; "~" sorts before the end, "^" after it and before all else.
Order rpm_part(std::string_view one, std::string_view other) {
    const auto is_between = [](char c) { return !is_digit(c) && !is_letter(c) && c != '~' && c != '^'; };
    while (!one.empty() || !other.empty()) {
        take_while(one, is_between);
        take_while(other, is_between);
        const bool left_tilde = one.starts_with('~'), right_tilde = other.starts_with('~');
        if (left_tilde != right_tilde)
            return left_tilde ? less : greater;
        const bool left_caret = one.starts_with('^'), right_caret = other.starts_with('^');
        if (left_caret != right_caret) {
            if (left_caret)
                return other.empty() ? greater : less;
            return one.empty() ? less : greater;
        }
        if (left_tilde || left_caret) {
            one.remove_prefix(1);
            other.remove_prefix(1);
            continue;
        }
        if (one.empty() || other.empty())
            break;
        const bool number = is_digit(one[0]);
        const std::string_view left = take_while(one, number ? is_digit : is_letter),
                               right = take_while(other, number ? is_digit : is_letter);
        if (right.empty())
            return number ? greater : less; // a number is later than letters
        const Order order = number ? by_number(left, right) : Order(left.compare(right) <=> 0);
        if (order != equal)
            return order;
    }
    return one.empty() == other.empty() ? equal : one.empty() ? less : greater;
}

Order rpm(std::string_view one, std::string_view other) {
    const std::string_view epoch = take_before(one, ':'), other_epoch = take_before(other, ':');
    if (const Order order = by_number(epoch, other_epoch); order != equal)
        return order;
    const auto release = [](std::string_view& text) {
        const std::size_t dash = text.rfind('-');
        if (dash == std::string_view::npos)
            return std::string_view{};
        const std::string_view out = text.substr(dash + 1);
        text = text.substr(0, dash);
        return out;
    };
    const std::string_view left = release(one), right = release(other);
    if (const Order order = rpm_part(one, other); order != equal)
        return order;
    return left.empty() || right.empty() ? equal : rpm_part(left, right); // a bare version is of any release
}

std::vector<std::string_view> between(std::string_view text, char at) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(at), text.size());
        out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

Order semver(std::string_view one, std::string_view other) {
    const auto core = [](std::string_view& text) {
        if (text.starts_with('v'))
            text.remove_prefix(1);
        text = text.substr(0, text.find('+'));
        // "1.21rc1", as Go calls itself.
        const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
        const std::string_view out = text.substr(0, end);
        text.remove_prefix(end);
        if (text.starts_with('-'))
            text.remove_prefix(1);
        return between(out, '.');
    };
    const auto left = core(one), right = core(other);
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
        if (const Order order = by_number(i < left.size() ? left[i] : std::string_view{},
                                          i < right.size() ? right[i] : std::string_view{});
            order != equal)
            return order;
    if (one.empty() || other.empty())
        return one.empty() == other.empty() ? equal : one.empty() ? greater : less; // before its release
    const auto pre = between(one, '.'), other_pre = between(other, '.');
    for (std::size_t i = 0; i < std::min(pre.size(), other_pre.size()); ++i) {
        const bool number = all_digits(pre[i]), other_number = all_digits(other_pre[i]);
        if (number != other_number)
            return number ? less : greater;
        if (const Order order =
                number ? by_number(pre[i], other_pre[i]) : Order(pre[i].compare(other_pre[i]) <=> 0);
            order != equal)
            return order;
    }
    return pre.size() <=> other_pre.size();
}

// Python: epoch, release, then one rank for what precedes or follows the release.
struct PepVersion {
    std::string epoch;
    std::vector<std::string> release;
    // Of a dev release alone, a pre-release, the release; then its number.
    int phase = 0; // -4 dev of the release itself, -3 a, -2 b, -1 rc, 0 none
    std::string pre, post, dev;
    bool has_post = false, has_dev = false;
    std::string local;
};

PepVersion pep_version(std::string_view given) {
    std::string lower;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const char c = given[i];
        const bool implicit_post =
            c == '-' && i > 0 && is_digit(given[i - 1]) && i + 1 < given.size() && is_digit(given[i + 1]);
        lower += implicit_post          ? ".post"
                 : c == '-' || c == '_' ? "."
                 : c >= 'A' && c <= 'Z' ? std::string(1, static_cast<char>(c - 'A' + 'a'))
                                        : std::string(1, c);
    }
    std::string_view text = lower;
    PepVersion out;
    const std::size_t begin = std::min(text.find_first_not_of(" v"), text.size());
    text.remove_prefix(begin);
    out.epoch = take_before(text, '!');
    if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
        out.local = text.substr(plus + 1);
        text = text.substr(0, plus);
    }
    while (!text.empty() && is_digit(text[0])) {
        out.release.emplace_back(take_while(text, is_digit));
        if (text.size() > 1 && text[0] == '.' && is_digit(text[1]))
            text.remove_prefix(1);
    }
    while (out.release.size() > 1 && out.release.back().find_first_not_of('0') == std::string::npos)
        out.release.pop_back();
    static constexpr std::array<std::pair<std::string_view, int>, 8> phases{{{"alpha", -3},
                                                                             {"beta", -2},
                                                                             {"preview", -1},
                                                                             {"pre", -1},
                                                                             {"rc", -1},
                                                                             {"a", -3},
                                                                             {"b", -2},
                                                                             {"c", -1}}};
    while (!text.empty()) {
        if (text[0] == '.') {
            text.remove_prefix(1);
            continue;
        }
        const std::string_view word = take_while(text, is_letter);
        if (text.starts_with('.') && text.size() > 1 && is_digit(text[1]))
            text.remove_prefix(1);
        const std::string_view number = take_while(text, is_digit);
        if (word == "post" || word == "rev" || word == "r" || (word.empty() && !number.empty())) {
            out.has_post = true;
            out.post = number;
        } else if (word == "dev") {
            out.has_dev = true;
            out.dev = number;
        } else {
            for (const auto& [name, phase] : phases)
                if (word == name) {
                    out.phase = phase;
                    out.pre = number;
                }
        }
        if (word.empty() && number.empty())
            break;
    }
    if (out.has_dev && out.phase == 0 && !out.has_post)
        out.phase = -4;
    return out;
}

Order pep440(std::string_view one_text, std::string_view other_text) {
    const PepVersion one = pep_version(one_text), other = pep_version(other_text);
    if (const Order order = by_number(one.epoch, other.epoch); order != equal)
        return order;
    for (std::size_t i = 0; i < std::max(one.release.size(), other.release.size()); ++i)
        if (const Order order = by_number(i < one.release.size() ? one.release[i] : std::string(),
                                          i < other.release.size() ? other.release[i] : std::string());
            order != equal)
            return order;
    if (one.phase != other.phase)
        return one.phase <=> other.phase;
    if (const Order order = by_number(one.pre, other.pre); order != equal)
        return order;
    if (one.has_post != other.has_post)
        return one.has_post ? greater : less;
    if (const Order order = by_number(one.post, other.post); order != equal)
        return order;
    if (one.has_dev != other.has_dev)
        return one.has_dev ? less : greater;
    if (const Order order = by_number(one.dev, other.dev); order != equal)
        return order;
    const auto left = between(one.local, '.'), right = between(other.local, '.');
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
        const bool number = all_digits(left[i]), other_number = all_digits(right[i]);
        if (number != other_number)
            return number ? greater : less;
        if (const Order order =
                number ? by_number(left[i], right[i]) : Order(left[i].compare(right[i]) <=> 0);
            order != equal)
            return order;
    }
    return left.size() <=> right.size();
}

} // namespace

Order compare(Scheme scheme, std::string_view one, std::string_view other) {
    switch (scheme) {
    case Scheme::none:
        return one.compare(other) <=> 0;
    case Scheme::dpkg:
        return dpkg(one, other);
    case Scheme::apk:
        return apk(one, other);
    case Scheme::rpm:
        return rpm(one, other);
    case Scheme::semver:
        return semver(one, other);
    case Scheme::pep440:
        return pep440(one, other);
    }
    return equal;
}

Scheme scheme_of(std::string_view ecosystem) {
    static constexpr auto schemes = std::to_array<std::pair<std::string_view, Scheme>>({
        {"Debian", Scheme::dpkg},
        {"Ubuntu", Scheme::dpkg},
        {"Alpine", Scheme::apk},
        {"Wolfi", Scheme::apk},
        {"Chainguard", Scheme::apk},
        {"Red Hat", Scheme::rpm},
        {"Rocky Linux", Scheme::rpm},
        {"AlmaLinux", Scheme::rpm},
        {"openSUSE", Scheme::rpm},
        {"SUSE", Scheme::rpm},
        {"Mageia", Scheme::rpm},
        {"openEuler", Scheme::rpm},
        {"Go", Scheme::semver},
        {"npm", Scheme::semver},
        {"crates.io", Scheme::semver},
        {"PyPI", Scheme::pep440},
    });
    for (const auto& [name, scheme] : schemes)
        if (name == ecosystem)
            return scheme;
    return Scheme::none;
}

} // namespace scan
