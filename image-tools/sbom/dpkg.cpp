// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/dpkg.cpp - Debian's packages: /var/lib/dpkg/status, and status.d of images without dpkg.
//
// Spec: deb-control(5), dpkg-query(1); machine-readable debian/copyright 1.0.
#include "image-tools/sbom/database.hpp"
#include "image-tools/sbom/text.hpp"

#include <cctype>
#include <set>

namespace sbom {
namespace {

constexpr std::string_view dpkg_folder = "var/lib/dpkg/";
constexpr std::uint64_t largest_status = 64 << 20;

bool is_dpkg_file(const File& file) {
    std::string_view path = file.path;
    if (!path.starts_with(dpkg_folder))
        return false;
    path.remove_prefix(dpkg_folder.size());
    return path == "status" || (path.starts_with("status.d/") && !path.ends_with(".md5sums"));
}

// The short names of a copyright file that is made for programs, else the common licences that it names.
std::string dpkg_licence(const Files& files, const std::string& package) {
    const auto text = files.text("usr/share/doc/" + package + "/copyright", 1 << 20);
    if (!text)
        return {};
    std::set<std::string> names;
    if (text->find("/copyright-format/1.0") != std::string::npos) {
        for (const std::string_view line : text::split(*text, '\n'))
            if (line.starts_with("License:"))
                if (const std::string_view name = text::trimmed(line.substr(8)); !name.empty())
                    names.insert(std::string(name.substr(0, 200)));
    } else {
        constexpr std::string_view common = "/usr/share/common-licenses/";
        for (std::size_t at = text->find(common); at != std::string::npos; at = text->find(common, at)) {
            at += common.size();
            std::size_t end = at;
            while (end < text->size() && (std::isalnum(static_cast<unsigned char>((*text)[end])) != 0 ||
                                          (*text)[end] == '-' || (*text)[end] == '.'))
                ++end;
            std::string name = text->substr(at, end - at);
            while (name.ends_with('.'))
                name.pop_back();
            if (!name.empty() && name.size() < 40)
                names.insert(name);
        }
    }
    std::string out;
    for (const std::string& name : names)
        out += (out.empty() ? "" : "; ") + name;
    return out;
}

std::vector<std::string> dpkg_files(const Files& files, const std::string& name,
                                    const std::string& architecture) {
    std::vector<std::string> out;
    for (const std::string& base : {name, name + ":" + architecture}) {
        const auto list = files.text(std::string(dpkg_folder) + "info/" + base + ".list", 16 << 20);
        if (!list)
            continue;
        for (const std::string_view line : text::split(*list, '\n'))
            if (line.size() > 2 && line.front() == '/')
                out.emplace_back(line.substr(1));
        return out;
    }
    const auto sums = files.text(std::string(dpkg_folder) + "status.d/" + name + ".md5sums", 16 << 20);
    if (sums)
        for (const std::string_view line : text::split(*sums, '\n'))
            if (line.size() > 34)
                out.emplace_back(text::trimmed(line.substr(32)));
    return out;
}

// "name (version)".
void take_source(const std::string& field, Package& out) {
    const std::size_t open = field.find('(');
    out.source = text::trimmed(std::string_view(field).substr(0, open));
    if (open != std::string::npos)
        out.source_version =
            text::trimmed(std::string_view(field).substr(open + 1, field.find(')', open) - open - 1));
    if (out.source == out.name && (out.source_version.empty() || out.source_version == out.version))
        out.source.clear();
}

void read_dpkg(const Files& files, const File& file, std::vector<Package>& out) {
    const std::string status = whole_or_damaged(files, file, largest_status);
    for (const std::string_view paragraph : text::paragraphs(status)) {
        const text::Fields fields = text::fields(paragraph);
        Package package{Kind::deb, text::value(fields, "package"), text::value(fields, "version")};
        const std::string state = text::value(fields, "status");
        // Removed ones stay in the list with their configuration.
        if (!state.empty() && !state.ends_with(" installed"))
            continue;
        if (package.name.empty() || package.version.empty())
            throw Damaged("a paragraph without Package or Version");
        package.architecture = text::value(fields, "architecture");
        package.supplier = text::value(fields, "maintainer");
        take_source(text::value(fields, "source"), package);
        package.licence = dpkg_licence(files, package.name);
        package.files = dpkg_files(files, package.name, package.architecture);
        package.place = file.path;
        out.push_back(std::move(package));
    }
}

} // namespace

const Database dpkg{"dpkg", is_dpkg_file, read_dpkg};

} // namespace sbom
