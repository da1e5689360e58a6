// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/purl.cpp - package URLs.
//
// Spec: the Package URL specification and its types deb, apk, rpm, golang, cargo, pypi, npm, maven.
#include "image-tools/sbom/package.hpp"
#include "image-tools/sbom/text.hpp"

#include <algorithm>
#include <array>

namespace sbom {
namespace {

constexpr std::array<std::string_view, kinds> type_words{"deb",   "apk",  "rpm", "golang",
                                                         "cargo", "pypi", "npm", "maven"};

std::string encoded(std::string_view text, std::string_view also = {}) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view(".-_~:").find(c) != std::string_view::npos ||
                           also.find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

// Each part between slashes.
std::string encoded_path(std::string_view path) {
    return encoded(path, "/");
}

std::string name_part(const Package& package, const Distribution& distribution) {
    const std::string in = distribution.id.empty() ? "" : encoded(text::lower(distribution.id)) + "/";
    switch (package.kind) {
    case Kind::deb:
    case Kind::apk:
        return in + encoded(text::lower(package.name));
    case Kind::rpm:
        return in + encoded(package.name);
    case Kind::golang:
        return encoded_path(text::lower(package.name));
    case Kind::cargo:
        return encoded(package.name);
    case Kind::pypi: {
        std::string name = text::lower(package.name);
        std::replace(name.begin(), name.end(), '_', '-');
        return encoded(name);
    }
    case Kind::npm:
        return encoded_path(package.name);
    case Kind::maven: {
        const std::size_t colon = package.name.find(':');
        return encoded(package.name.substr(0, colon)) + "/" +
               encoded(colon == std::string::npos ? package.name : package.name.substr(colon + 1));
    }
    }
    return {};
}

} // namespace

std::string_view word(Kind kind) {
    return type_words[static_cast<std::size_t>(kind)];
}

std::string purl(const Package& package, const Distribution& distribution) {
    std::string version = package.version;
    std::vector<std::pair<std::string, std::string>> qualifiers; // by name
    if (!package.architecture.empty())
        qualifiers.emplace_back("arch", package.architecture);
    const bool of_distribution =
        package.kind == Kind::deb || package.kind == Kind::apk || package.kind == Kind::rpm;
    if (of_distribution && !distribution.id.empty() && !distribution.version.empty())
        qualifiers.emplace_back("distro", distribution.id + "-" + distribution.version);
    if (package.kind == Kind::rpm)
        if (const std::size_t colon = version.find(':'); colon != std::string::npos) {
            qualifiers.emplace_back("epoch", version.substr(0, colon));
            version.erase(0, colon + 1);
        }
    if (!package.source.empty() && (package.kind == Kind::deb || package.kind == Kind::apk))
        qualifiers.emplace_back("upstream",
                                package.source +
                                    (package.source_version.empty() ? "" : "@" + package.source_version));
    std::string out = "pkg:" + std::string(word(package.kind)) + "/" + name_part(package, distribution);
    if (!version.empty())
        out += "@" + encoded(version);
    char between = '?';
    for (const auto& [name, value] : qualifiers) {
        out += between + name + "=" + encoded(value);
        between = '&';
    }
    return out;
}

} // namespace sbom
