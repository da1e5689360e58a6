// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/named_files.hpp - named files of a directory or of a tar archive, without unpacking it.
//
// An archive is indexed once (name -> range of the file); a compressed one is first decompressed into a
// nameless temporary file.
// Trust: names and contents are hostile; only names asked for are looked up, contents are checked by the
// reader. A name that an archive holds twice must have the same bytes both times.
#pragma once

#include "image-tools/files/range.hpp"
#include "image-tools/oci/limits.hpp"

#include <memory>
#include <optional>
#include <string>

namespace oci {

class NamedFiles {
public:
    NamedFiles() = default;
    NamedFiles(const NamedFiles&) = delete;
    NamedFiles& operator=(const NamedFiles&) = delete;
    virtual ~NamedFiles() = default;

    // Nothing: there is none of that name. Links inside an archive are followed (old `docker save`).
    [[nodiscard]] virtual std::optional<files::FileRange> find(const std::string& name) const = 0;
    // Whole, at most `most` bytes (E0413); `what` names it in messages.
    [[nodiscard]] std::optional<std::string> read(const std::string& name, std::uint64_t most,
                                                  const std::string& what) const;
};

std::unique_ptr<const NamedFiles> files_of_directory(const std::filesystem::path& directory);
// `image` names it in messages. Throws E0409, E0410, E0413.
std::unique_ptr<const NamedFiles> files_of_archive(files::FileRange archive, const std::string& image,
                                                   const Limits& limits);

std::string read_range(const files::FileRange& range);

} // namespace oci
