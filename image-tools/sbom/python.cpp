// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/python.cpp - Python's packages: .dist-info and .egg-info beside what was installed.
//
// Spec: PyPA, "Recording installed projects", "Core metadata".
#include "image-tools/sbom/database.hpp"
#include "image-tools/sbom/text.hpp"

namespace sbom {
namespace {

bool is_python_file(const File& file) {
    return file.path.ends_with(".dist-info/METADATA") || file.path.ends_with(".egg-info/PKG-INFO") ||
           file.path.ends_with(".egg-info");
}

std::string python_licence(std::string_view metadata, const text::Fields& fields) {
    if (const std::string expression = text::value(fields, "license-expression"); !expression.empty())
        return expression;
    std::string out;
    constexpr std::string_view classifier = "Classifier: License :: ";
    for (const std::string_view line : text::split(metadata, '\n'))
        if (line.starts_with(classifier)) {
            const std::string_view name = text::trimmed(line.substr(line.rfind("::") + 2));
            if (name != "OSI Approved")
                out += (out.empty() ? "" : "; ") + std::string(name);
        }
    const std::string said = text::value(fields, "license");
    // Some put the whole text of the licence there.
    if (!said.empty() && said != "UNKNOWN" && said.find('\n') == std::string::npos && said.size() < 100)
        return said;
    return out;
}

// RECORD: path, hash, size; paths start where the packages are.
std::vector<std::string> python_files(const Files& files, const std::string& metadata) {
    std::vector<std::string> out;
    const std::string info = metadata.substr(0, metadata.rfind('/'));
    const std::string folder = info.substr(0, info.rfind('/') + 1);
    const auto record = files.text(info + "/RECORD", 16 << 20);
    if (!record)
        return out;
    for (const std::string_view line : text::split(*record, '\n')) {
        const std::string_view path = line.substr(0, line.find(','));
        if (!path.empty() && path.front() != '/' && path.front() != '"' && !path.starts_with("../"))
            out.push_back(folder + std::string(path));
    }
    return out;
}

void read_python(const Files& files, const File& file, std::vector<Package>& out) {
    const std::string metadata = whole_or_damaged(files, file, 4 << 20);
    const text::Fields fields = text::fields(metadata);
    Package package{Kind::pypi, text::value(fields, "name"), text::value(fields, "version")};
    if (package.name.empty() || package.version.empty())
        throw Damaged("neither Name nor Version, or one of them");
    package.licence = python_licence(metadata, fields);
    package.supplier = text::value(fields, "author");
    package.files = python_files(files, file.path);
    package.place = file.path;
    out.push_back(std::move(package));
}

} // namespace

const Database python{"python", is_python_file, read_python};

} // namespace sbom
