// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/licence.cpp - what packages call their licences.
//
// The list is the part of SPDX's that packages of distributions name often; what is not in it is handed on as words, which
// is never wrong.
// Spec: SPDX 2.3, annex D (expressions); machine-readable debian/copyright 1.0, "Short name".
#include "image-tools/sbom/licence.hpp"

#include "image-tools/files/digest.hpp"
#include "image-tools/sbom/text.hpp"

#include <algorithm>
#include <array>

namespace sbom {
namespace {

constexpr auto identifiers = std::to_array<std::string_view>({
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CPL-1.0",
    "EPL-1.0",
    "EPL-2.0",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "FTL",
    "GFDL-1.1-or-later",
    "GFDL-1.2-only",
    "GFDL-1.2-or-later",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "ISC",
    "JSON",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "SMLNJ",
    "SSPL-1.0",
    "Sleepycat",
    "TCL",
    "UPL-1.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
    "bzip2-1.0.6",
    "curl",
    "libpng-2.0",
    "zlib-acknowledgement",
});

// Other names for the same. In small letters.
constexpr auto aliases = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"apache", "Apache-2.0"},
    {"apache 2.0", "Apache-2.0"},
    {"apache license 2.0", "Apache-2.0"},
    {"apache license, version 2.0", "Apache-2.0"},
    {"apache software license", "Apache-2.0"},
    {"apache-2", "Apache-2.0"},
    {"artistic", "Artistic-1.0"},
    {"asl 2.0", "Apache-2.0"},
    {"bsd-2-clause", "BSD-2-Clause"},
    {"bsd-3-clause", "BSD-3-Clause"},
    {"bsd-4-clause", "BSD-4-Clause"},
    {"expat", "MIT"},
    {"mit license", "MIT"},
    {"the mit license", "MIT"},
    {"gfdl-1.2", "GFDL-1.2-only"},
    {"gfdl-1.2+", "GFDL-1.2-or-later"},
    {"gfdl-1.3", "GFDL-1.3-only"},
    {"gfdl-1.3+", "GFDL-1.3-or-later"},
    {"gpl-1", "GPL-1.0-only"},
    {"gpl-1+", "GPL-1.0-or-later"},
    {"gpl-2", "GPL-2.0-only"},
    {"gpl-2.0", "GPL-2.0-only"},
    {"gpl-2+", "GPL-2.0-or-later"},
    {"gpl-2.0+", "GPL-2.0-or-later"},
    {"gplv2", "GPL-2.0-only"},
    {"gplv2+", "GPL-2.0-or-later"},
    {"gpl-3", "GPL-3.0-only"},
    {"gpl-3.0", "GPL-3.0-only"},
    {"gpl-3+", "GPL-3.0-or-later"},
    {"gpl-3.0+", "GPL-3.0-or-later"},
    {"gplv3", "GPL-3.0-only"},
    {"gplv3+", "GPL-3.0-or-later"},
    {"isc license (iscl)", "ISC"},
    {"lgpl-2", "LGPL-2.0-only"},
    {"lgpl-2+", "LGPL-2.0-or-later"},
    {"lgpl-2.1", "LGPL-2.1-only"},
    {"lgpl-2.1+", "LGPL-2.1-or-later"},
    {"lgplv2+", "LGPL-2.0-or-later"},
    {"lgplv2.1+", "LGPL-2.1-or-later"},
    {"lgpl-3", "LGPL-3.0-only"},
    {"lgpl-3+", "LGPL-3.0-or-later"},
    {"mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"},
    {"mplv2.0", "MPL-2.0"},
    {"python software foundation license", "PSF-2.0"},
    {"psf", "PSF-2.0"},
    {"zlib/libpng", "Zlib"},
});

std::string identifier_of(std::string_view name) {
    const std::string small = text::lower(name);
    for (const std::string_view known : identifiers)
        if (small == text::lower(known))
            return std::string(known);
    for (const auto& [alias, known] : aliases)
        if (small == alias)
            return std::string(known);
    return {};
}

// Identifiers with AND, OR, WITH and parentheses between them; nothing where a word is none.
std::string expression_of(std::string_view field) {
    std::string out, spaced;
    for (const char c : field)
        spaced += c == '(' || c == ')' ? std::string{' ', c, ' '} : std::string(1, c);
    int open = 0;
    bool wants_term = true;
    bool after_with = false;
    for (const std::string_view part : text::split(spaced, ' ')) {
        if (part.empty())
            continue;
        const std::string small = text::lower(part);
        const bool joins = small == "and" || small == "or";
        if (part == "(" || part == ")") {
            if ((part == "(") != wants_term)
                return {};
            open += part == "(" ? 1 : -1;
            if (open < 0)
                return {};
            out += part == "(" && !out.empty() && out.back() != '(' ? " (" : std::string(part);
            continue;
        }
        if (joins || small == "with") {
            if (wants_term || after_with)
                return {};
            std::string upper = small;
            for (char& c : upper)
                c = static_cast<char>(c - 'a' + 'A');
            out += " " + upper;
            wants_term = true;
            after_with = small == "with";
            continue;
        }
        if (!wants_term)
            return {};
        // Exceptions have a list of their own, which is long: their form alone is looked at.
        const std::string known = after_with && part.find("xception") != std::string_view::npos
                                      ? std::string(part)
                                      : identifier_of(part);
        if (known.empty())
            return {};
        out += (out.empty() || out.back() == '(' ? "" : " ") + known;
        wants_term = after_with = false;
    }
    return open == 0 && !wants_term ? out : std::string();
}

} // namespace

std::vector<Licence> licences_of(std::string_view field) {
    std::vector<Licence> out;
    const auto add = [&out](Licence licence) {
        for (const Licence& other : out)
            if (other.text == licence.text)
                return;
        out.push_back(std::move(licence));
    };
    while (!field.empty()) {
        const std::size_t end = std::min(field.find("; "), field.size());
        const std::string_view one = text::trimmed(field.substr(0, end));
        field.remove_prefix(std::min(end + 2, field.size()));
        if (one.empty())
            continue;
        if (std::string known = identifier_of(one); !known.empty())
            add({Licence::Form::identifier, std::move(known)});
        else if (std::string all = expression_of(one); !all.empty())
            add({Licence::Form::expression, std::move(all)});
        else
            add({Licence::Form::words, std::string(one)});
    }
    return out;
}

std::string reference_of(std::string_view words) {
    std::string out = "LicenseRef-";
    bool changed = false;
    for (const char c : words.substr(0, 40)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '.' || c == '-';
        changed = changed || !plain;
        out += plain ? c : '-';
    }
    if (changed || words.size() > 40)
        out += "-" + files::sha256(words).hex().substr(0, 8);
    return out;
}

} // namespace sbom
