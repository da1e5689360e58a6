// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/store.hpp - named files of a layout directory or of an archive, without unpacking it.
//
// An archive is indexed once (name -> range of the file); a compressed one is first decompressed into a
// nameless temporary file.
// Trust: names and contents are hostile; only names asked for are looked up, contents are checked by the
// reader.
#pragma once

#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/oci/image.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oci {

class Store {
public:
    // Throws E0402 with what is wrong and what to do.
    static std::shared_ptr<const Store> open(const Reference& reference, const Limits& limits);

    [[nodiscard]] std::optional<files::FileRange> find(const std::string& name) const;
    // Links inside the archive followed (old `docker save`).
    [[nodiscard]] std::optional<files::FileRange> find_linked(std::string name) const;
    // Whole file, at most `most` bytes (E0413).
    [[nodiscard]] std::optional<std::string> read(const std::string& name, std::uint64_t most,
                                                  const std::string& what) const;
    // A small blob (index, manifest, config), checked likewise, in memory.
    [[nodiscard]] std::string verified_text(const Descriptor& descriptor, std::uint64_t most,
                                            const std::string& what) const;
    // A blob whose size and digest are what the descriptor says, or E0407. `what` names it.
    [[nodiscard]] files::FileRange verified(const Descriptor& descriptor, const std::string& what) const;

private:
    Store() = default;
    [[nodiscard]] files::FileRange sized_blob(const Descriptor& descriptor, const std::string& what) const;
    void index_archive(files::FileRange archive, const std::string& image, const Limits& limits);

    std::filesystem::path directory_; // of a layout; else empty
    std::map<std::string, files::FileRange, std::less<>> members_;
    std::map<std::string, std::string, std::less<>> links_;
};

// The digest of a whole range.
files::Digest digest_of(const files::FileRange& range);
std::string read_range(const files::FileRange& range);

} // namespace oci
