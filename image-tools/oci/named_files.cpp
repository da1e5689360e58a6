// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/named_files.hpp"

#include "image-tools/files/zeros.hpp"
#include "image-tools/oci/decoder.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/tar_reader.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace oci {
namespace {

std::string normalised(std::string_view name) {
    std::string path = std::filesystem::path(name).lexically_normal().generic_string();
    while (path.starts_with("/")) {
        path.erase(0, 1);
    }
    return path;
}

files::FileRange decompressed(const files::FileRange& archive, Compression compression,
                              const std::string& image, const Limits& limits) {
    files::FileRange plain{files::FileRange::temporary(), archive.name + " (unpacked)", 0, 0};
    Decoder decoder(archive, compression);
    std::uint64_t counted = 0; // not zeros: see LayerStream
    for (;;) {
        const auto run = decoder.next();
        if (run.empty()) {
            return plain;
        }
        plain.size += run.size();
        counted += run.size() - files::zero_bytes(run);
        const bool bomb = counted > limits.free_bytes && counted / limits.ratio > archive.size;
        if (counted > limits.unpacked_bytes || plain.size > limits.inflated_bytes || bomb) {
            throw diagnostic::fail(Fault::limit, image + ": the archive unpacks to more than the limit");
        }
        files::write_all(plain.file->get(), run, plain.name);
    }
}

bool same_bytes(const files::FileRange& one, const files::FileRange& other) {
    if (one.size != other.size) {
        return false;
    }
    constexpr std::size_t step = std::size_t{128} << 10;
    std::vector<std::uint8_t> left(step);
    std::vector<std::uint8_t> right(step);
    for (std::uint64_t at = 0; at < one.size; at += step) {
        const std::size_t got = one.read(at, left);
        if (other.read(at, right) != got ||
            !std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(got), right.begin())) {
            return false;
        }
    }
    return true;
}

class DirectoryFiles : public NamedFiles {
public:
    explicit DirectoryFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}
    [[nodiscard]] std::optional<files::FileRange> find(const std::string& name) const override {
        return files::FileRange::open(directory_ / name);
    }

private:
    std::filesystem::path directory_;
};

class ArchiveFiles : public NamedFiles {
public:
    ArchiveFiles(files::FileRange archive, const std::string& image, const Limits& limits) {
        try {
            const Compression compression = Decoder::detect(archive);
            index(compression == Compression::none ? std::move(archive)
                                                   : decompressed(archive, compression, image, limits),
                  image, limits);
        } catch (const TarLimitError& error) {
            throw diagnostic::fail(Fault::limit, image + ": " + error.what());
        } catch (const TarError& error) {
            throw diagnostic::fail(Fault::tar, image + ": " + error.what());
        } catch (const DecodeError& error) {
            throw diagnostic::fail(Fault::compression, image + ": " + error.what());
        }
    }

    [[nodiscard]] std::optional<files::FileRange> find(const std::string& asked) const override {
        constexpr int most_links = 8;
        std::string name = normalised(asked);
        for (int i = 0; i < most_links; ++i) {
            const auto link = links_.find(name);
            if (link == links_.end()) {
                const auto found = members_.find(name);
                return found == members_.end() ? std::nullopt : std::optional(found->second);
            }
            name = link->second;
        }
        return std::nullopt;
    }

private:
    void index(const files::FileRange& archive, const std::string& image, const Limits& limits) {
        // The reader is fed block by block, so that data can be stepped over instead of read.
        std::array<std::uint8_t, 512> buffer;
        std::uint64_t at = 0;
        TarReader reader(
            [&]() -> std::span<const std::uint8_t> {
                const std::size_t got = archive.read(at, buffer);
                at += got;
                return std::span(buffer).first(got);
            },
            limits);
        TarEntry entry;
        std::uint64_t entries = 0;
        while (reader.next(entry)) {
            if (++entries > limits.entries) {
                throw diagnostic::fail(Fault::limit, image + ": the archive has more than " +
                                                         std::to_string(limits.entries) + " entries");
            }
            const std::string name = normalised(entry.path);
            if (entry.type == TarType::regular && !entry.sparse) {
                if (reader.data_left() > archive.size - at) {
                    throw TarError("the tar ends in the middle of a file");
                }
                const files::FileRange member{archive.file, archive.name + ":" + name, at, entry.size};
                const auto [first, is_new] = members_.emplace(name, member);
                if (!is_new && !same_bytes(first->second, member)) {
                    throw TarError("the file " + printable(name) + " appears twice, with different content");
                }
                at += reader.step_over();
            } else if (entry.type == TarType::symlink || entry.type == TarType::hard_link) {
                links_[name] =
                    entry.type == TarType::symlink
                        ? normalised(
                              (std::filesystem::path(name).parent_path() / entry.link).generic_string())
                        : normalised(entry.link);
            }
        }
    }

    std::map<std::string, files::FileRange, std::less<>> members_;
    std::map<std::string, std::string, std::less<>> links_;
};

} // namespace

std::optional<std::string> NamedFiles::read(const std::string& name, std::uint64_t most,
                                            const std::string& what) const {
    const auto range = find(name);
    if (!range) {
        return std::nullopt;
    }
    if (range->size > most) {
        throw diagnostic::fail(Fault::limit, what + " is larger than " + std::to_string(most >> 20) + " MiB");
    }
    return read_range(*range);
}

std::unique_ptr<const NamedFiles> files_of_directory(const std::filesystem::path& directory) {
    return std::make_unique<DirectoryFiles>(directory);
}

std::unique_ptr<const NamedFiles> files_of_archive(files::FileRange archive, const std::string& image,
                                                   const Limits& limits) {
    return std::make_unique<ArchiveFiles>(std::move(archive), image, limits);
}

std::string read_range(const files::FileRange& range) {
    std::string text(static_cast<std::size_t>(range.size), '\0');
    range.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

} // namespace oci
