// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/files.hpp - a root image as those see it who look for packages: paths, sizes, bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {
class RootReader;
}

namespace sbom {

struct File {
    std::string path; // without leading slash
    std::uint64_t size = 0;
    bool executable = false;
    std::uint64_t number = 0; // the same: another name of one file
};

class Files {
public:
    using Read = std::function<std::string(std::size_t index, std::uint64_t offset, std::uint64_t bytes)>;
    // `all` by path; `links`: path to target.
    Files(std::vector<File> all, std::map<std::string, std::string, std::less<>> links, Read read);
    // Of a root image. Throws rootfs::RootError, later too.
    explicit Files(std::shared_ptr<const rootfs::RootReader> reader);

    [[nodiscard]] const std::vector<File>& all() const { return all_; }
    // Those whose path begins so.
    [[nodiscard]] std::pair<std::size_t, std::size_t> below(std::string_view prefix) const;
    [[nodiscard]] std::string read(const File& file, std::uint64_t offset, std::uint64_t bytes) const;
    // Whole; nothing where it is larger.
    [[nodiscard]] std::optional<std::string> whole(const File& file, std::uint64_t limit) const;
    // By path, links followed inside the image; nothing where it is not there, or larger.
    [[nodiscard]] std::optional<std::string> text(std::string_view path, std::uint64_t limit = 4 << 20) const;

private:
    [[nodiscard]] std::string resolved(std::string_view path) const;

    std::vector<File> all_;
    std::map<std::string, std::string, std::less<>> links_;
    Read read_;
};

} // namespace sbom
