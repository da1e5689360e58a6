// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cli/boot_file.hpp"

#include "image-tools/bundle/verify.hpp"
#include "image-tools/disk/pe.hpp"

#include <cerrno>
#include <string_view>

namespace cli {

void BootFile::expect_bundle() const {
    if (!medium && !bundle::is_bundle(path))
        throw diagnostic::fail("E0419", path.string() + " is not a bundle")
            .help("a bundle is made by: caisson build");
}

BootFile open_medium(const std::filesystem::path& path) {
    const auto range = files::FileRange::open(path);
    if (!range)
        throw diagnostic::fail_system("E0601", "cannot read " + path.string(), ENOENT);
    BootFile out{path, *range, disk::open_medium(*range), {}, {}};
    if (out.medium) {
        out.application = disk::read_application(*out.medium);
        out.loader = std::string(*disk::section_of(out.application, ".caisson"));
    }
    return out;
}

} // namespace cli
