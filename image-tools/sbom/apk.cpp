// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/apk.cpp - Alpine's packages: /lib/apk/db/installed.
//
// Spec: apk-tools, apk-package(5) and the wiki's "Apk spec": one letter, a colon, the value; packages between empty lines.
#include "image-tools/sbom/database.hpp"
#include "image-tools/sbom/text.hpp"

namespace sbom {
namespace {

bool is_apk_file(const File& file) {
    return file.path == "lib/apk/db/installed" || file.path == "usr/lib/apk/db/installed";
}

void read_apk(const Files& files, const File& file, std::vector<Package>& out) {
    const std::string installed = whole_or_damaged(files, file, 64 << 20);
    for (const std::string_view paragraph : text::paragraphs(installed)) {
        Package package{Kind::apk, {}, {}};
        std::string folder;
        for (const std::string_view line : text::split(paragraph, '\n')) {
            if (line.size() < 2 || line[1] != ':')
                continue;
            const std::string value(line.substr(2));
            switch (line[0]) {
            case 'P':
                package.name = value;
                break;
            case 'V':
                package.version = value;
                break;
            case 'A':
                package.architecture = value;
                break;
            case 'L':
                package.licence = value;
                break;
            case 'm':
                package.supplier = value;
                break;
            case 'o':
                package.source = value;
                break;
            case 'F':
                folder = value.empty() ? "" : value + "/";
                break;
            case 'R':
                package.files.push_back(folder + value);
                break;
            default: // checksums, sizes, what it needs
                break;
            }
        }
        if (package.name.empty() || package.version.empty())
            throw Damaged("a package without name or version");
        if (package.source == package.name)
            package.source.clear();
        package.place = file.path;
        out.push_back(std::move(package));
    }
}

} // namespace

const Database apk{"apk", is_apk_file, read_apk};

} // namespace sbom
