// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/registry_name.hpp"

#include "image-tools/oci/failure.hpp"

#include <algorithm>

namespace oci {
namespace {

constexpr std::size_t longest_repository = 255;
constexpr std::size_t longest_tag = 128;
constexpr std::size_t longest_host = 255;

bool lower(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_port(std::string_view text) {
    constexpr std::size_t most_digits = 5;
    return digits(text) && text.size() <= most_digits && std::stoul(std::string(text)) <= 65535;
}

// "registry.example:5000", "[::1]:5000".
bool is_host(std::string_view text) {
    if (text.size() > longest_host) {
        return false;
    }
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos || end < 3) {
            return false;
        }
        const std::string_view address = text.substr(1, end - 1), rest = text.substr(end + 1);
        const bool good = std::all_of(address.begin(), address.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
        });
        return good && (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1))));
    }
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) {
        return false;
    }
    std::string_view name = text.substr(0, colon);
    while (true) { // labels between dots: letters and digits, hyphens inside
        const auto dot = name.find('.');
        const std::string_view label = name.substr(0, dot);
        if (label.empty() || label.front() == '-' || label.back() == '-' ||
            !std::all_of(label.begin(), label.end(),
                         [](char c) { return lower(c) || upper(c) || c == '-'; })) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        name.remove_prefix(dot + 1);
    }
}

// Lower-case letters and digits with separators inside: one dot, one or two underscores, or hyphens.
bool is_part(std::string_view text) {
    std::size_t at = 0;
    while (true) {
        const std::size_t begin = at;
        while (at < text.size() && lower(text[at])) {
            ++at;
        }
        if (at == begin) {
            return false;
        }
        if (at == text.size()) {
            return true;
        }
        const char separator = text[at];
        const std::size_t first = at;
        while (at < text.size() && text[at] == separator) {
            ++at;
        }
        const std::size_t count = at - first;
        if (!(separator == '-' || (separator == '_' && count <= 2) || (separator == '.' && count == 1))) {
            return false;
        }
    }
}

bool is_repository(std::string_view text) {
    if (text.size() > longest_repository) {
        return false;
    }
    while (true) {
        const auto slash = text.find('/');
        if (!is_part(text.substr(0, slash))) {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(slash + 1);
    }
}

bool is_tag(std::string_view text) {
    const auto word = [](char c) { return lower(c) || upper(c) || c == '_'; };
    return !text.empty() && text.size() <= longest_tag && word(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return word(c) || c == '.' || c == '-'; });
}

} // namespace

std::string RegistryName::text() const {
    return (host.empty() ? "" : host + "/") + repository + (tag.empty() ? "" : ":" + tag) +
           (digest ? "@" + digest->text() : "");
}

std::optional<RegistryName> parse_registry_name(std::string_view text, std::string& problem) {
    RegistryName name;
    std::string_view rest = text;
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        name.digest = files::Digest::parse(rest.substr(at + 1));
        if (!name.digest) {
            problem = printable(rest.substr(at + 1)) + " is not a digest; write @sha256: and its 64 digits";
            return std::nullopt;
        }
        rest = rest.substr(0, at);
    }
    const auto slash = rest.find('/');
    const std::string_view first = rest.substr(0, slash);
    if (slash != std::string_view::npos &&
        (first.find_first_of(".:[") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), upper))) {
        if (!is_host(first)) {
            problem = printable(first) + " is not a host with or without a port";
            return std::nullopt;
        }
        name.host = first;
        rest.remove_prefix(slash + 1);
    }
    if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
        name.tag = rest.substr(colon + 1);
        if (!is_tag(name.tag)) {
            problem = printable(name.tag) + " is not a tag: letters, digits, '_', '.' and '-', at most 128";
            return std::nullopt;
        }
        rest = rest.substr(0, colon);
    }
    name.repository = rest;
    if (!is_repository(name.repository)) {
        problem =
            printable(name.repository) +
            " is not a repository: lower-case letters and digits, single '.', '_' or '-' inside, '/' between";
        return std::nullopt;
    }
    return name;
}

} // namespace oci
