// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/java.cpp - Java's archives: Maven's pom.properties, else the manifest; archives within archives.
//
// Spec: the JAR File Specification (manifest); Maven Archiver (pom.properties); OSGi Core (Bundle-...).
#include "image-tools/sbom/bytes.hpp"
#include "image-tools/sbom/text.hpp"
#include "image-tools/sbom/zip.hpp"

namespace sbom {
namespace {

constexpr std::uint64_t largest_text = 1 << 20, largest_archive = 128 << 20;
constexpr std::uint64_t most_unpacked = std::uint64_t{1} << 30; // of one archive, with all in it
constexpr unsigned deepest = 2;                                 // an application that carries its libraries

bool is_archive(std::string_view path) {
    return path.ends_with(".jar") || path.ends_with(".war") || path.ends_with(".ear");
}

bool is_java_file(const File& file) {
    return is_archive(file.path);
}

// NAME=VALUE lines.
std::string property(std::string_view properties, std::string_view name) {
    for (const std::string_view line : text::split(properties, '\n'))
        if (const std::size_t equals = line.find('=');
            equals != std::string_view::npos && text::trimmed(line.substr(0, equals)) == name)
            return std::string(text::trimmed(line.substr(equals + 1)));
    return {};
}

// Where there is no pom.properties: what the manifest calls it, else the file's name.
Package by_manifest(const std::string& manifest, std::string_view path) {
    // A long value goes on in a line that begins with a blank.
    std::string joined;
    for (const std::string_view line : text::split(manifest, '\n')) {
        std::string_view part = line;
        if (part.ends_with('\r'))
            part.remove_suffix(1);
        if (part.starts_with(' '))
            joined += part.substr(1);
        else
            joined += "\n" + std::string(part);
    }
    const text::Fields fields = text::fields(std::string_view(joined).substr(joined.empty() ? 0 : 1));
    const auto first_of = [&](std::initializer_list<std::string_view> names) {
        for (const std::string_view name : names)
            if (std::string value = text::value(fields, name); !value.empty())
                return value;
        return std::string();
    };
    std::string file(base_name(path));
    file.erase(file.rfind('.'));
    std::size_t digits = file.size();
    for (std::size_t i = file.find('-'); i != std::string::npos && digits == file.size();
         i = file.find('-', i + 1))
        if (i + 1 < file.size() && file[i + 1] >= '0' && file[i + 1] <= '9')
            digits = i;
    Package out{
        Kind::maven, {}, first_of({"bundle-version", "implementation-version", "specification-version"})};
    std::string name = first_of({"bundle-symbolicname", "automatic-module-name"});
    name.erase(std::min(name.find(';'), name.size()));
    if (digits < file.size())
        out.version = file.substr(digits + 1);
    const std::string artifact = file.substr(0, digits);
    const std::string group = first_of({"implementation-vendor-id"});
    out.name = (group.empty() ? name.empty() ? artifact : name : group) + ":" + artifact;
    out.licence = first_of({"bundle-license"});
    out.supplier = first_of({"implementation-vendor", "bundle-vendor"});
    return out;
}

void look_into(const Zip& zip, const std::string& path, unsigned depth, std::uint64_t& budget,
               std::vector<Package>& out) {
    std::string manifest;
    const std::size_t before = out.size();
    for (const Zip::Entry& entry : zip.entries()) {
        if (entry.name == "META-INF/MANIFEST.MF") {
            manifest = zip.read(entry, largest_text);
        } else if (entry.name.starts_with("META-INF/maven/") && entry.name.ends_with("/pom.properties")) {
            const std::string properties = zip.read(entry, largest_text);
            Package package{Kind::maven,
                            property(properties, "groupId") + ":" + property(properties, "artifactId"),
                            property(properties, "version")};
            package.place = path;
            if (package.name.size() > 1)
                out.push_back(std::move(package));
        }
    }
    if (out.size() == before && !manifest.empty()) {
        out.push_back(by_manifest(manifest, path));
        out.back().place = path;
    }
    if (depth == deepest)
        return;
    for (const Zip::Entry& entry : zip.entries()) {
        if (!is_archive(entry.name))
            continue;
        if (entry.size > budget)
            throw Damaged("the archives in it are too large");
        budget -= entry.size;
        const std::string inner = zip.read(entry, largest_archive);
        const Zip archive(
            [&inner](std::uint64_t offset, std::uint64_t count) {
                return std::string(bytes::part(inner, offset, count));
            },
            inner.size());
        look_into(archive, path + "!/" + entry.name, depth + 1, budget, out);
    }
}

void read_java(const Files& files, const File& file, std::vector<Package>& out) {
    const Zip zip([&](std::uint64_t offset, std::uint64_t count) { return files.read(file, offset, count); },
                  file.size);
    std::uint64_t budget = most_unpacked;
    look_into(zip, file.path, 0, budget, out);
}

} // namespace

const Database java{"java", is_java_file, read_java};

} // namespace sbom
