// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/store.hpp"

#include "image-tools/oci/decoder.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/tar_reader.hpp"

#include <system_error>
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
    for (;;) {
        const auto run = decoder.next();
        if (run.empty()) {
            return plain;
        }
        plain.size += run.size();
        const bool bomb = plain.size > limits.free_bytes && plain.size / limits.ratio > archive.size;
        if (plain.size > limits.unpacked_bytes || bomb) {
            throw diagnostic::fail(Fault::limit, image + ": the archive unpacks to more than the limit");
        }
        files::write_all(plain.file->get(), run, plain.name);
    }
}

} // namespace

std::shared_ptr<const Store> Store::open(const Reference& reference, const Limits& limits) {
    std::shared_ptr<Store> store(new Store);
    const std::string image = reference.text();
    std::error_code error;
    const auto status = std::filesystem::status(reference.path, error);
    if (!std::filesystem::exists(status)) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " does not exist")
            .help("paths are relative to the manifest's folder");
    }
    if (reference.transport == Transport::layout) {
        if (!std::filesystem::is_directory(status)) {
            throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " is not a directory")
                .help("an archive is written oci-archive:FILE or docker-archive:FILE");
        }
        store->directory_ = reference.path;
        if (!store->find("index.json")) {
            throw diagnostic::fail(Fault::not_there, image + ": " + reference.path +
                                                         " is not an OCI layout: it has no index.json");
        }
        return store;
    }
    if (std::filesystem::is_directory(status)) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " is a directory")
            .help("a layout is written oci:DIR");
    }
    auto archive = files::FileRange::open(reference.path);
    if (!archive) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " cannot be opened");
    }
    store->index_archive(*std::move(archive), image, limits);
    return store;
}

void Store::index_archive(files::FileRange archive, const std::string& image, const Limits& limits) {
    try {
        const Compression compression = Decoder::detect(archive);
        if (compression != Compression::none) {
            archive = decompressed(archive, compression, image, limits);
        }
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
                if (!members_
                         .emplace(name,
                                  files::FileRange{archive.file, archive.name + ":" + name, at, entry.size})
                         .second) {
                    throw TarError("the file " + printable(name) + " appears twice");
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
    } catch (const TarLimitError& error) {
        throw diagnostic::fail(Fault::limit, image + ": " + error.what());
    } catch (const TarError& error) {
        throw diagnostic::fail(Fault::tar, image + ": " + error.what());
    } catch (const DecodeError& error) {
        throw diagnostic::fail(Fault::compression, image + ": " + error.what());
    }
}

std::optional<files::FileRange> Store::find(const std::string& name) const {
    if (!directory_.empty()) {
        return files::FileRange::open(directory_ / name);
    }
    const auto found = members_.find(name);
    return found == members_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<files::FileRange> Store::find_linked(std::string name) const {
    constexpr int most_links = 8;
    name = normalised(name);
    for (int i = 0; i < most_links; ++i) {
        const auto link = links_.find(name);
        if (link == links_.end()) {
            return find(name);
        }
        name = link->second;
    }
    return std::nullopt;
}

std::optional<std::string> Store::read(const std::string& name, std::uint64_t most,
                                       const std::string& what) const {
    const auto range = find_linked(name);
    if (!range) {
        return std::nullopt;
    }
    if (range->size > most) {
        throw diagnostic::fail(Fault::limit, what + " is larger than " + std::to_string(most >> 20) + " MiB");
    }
    return read_range(*range);
}

namespace {

constexpr const char* fetch_again = "fetch or build the image again";

void check_digest(const files::Digest& got, const files::Digest& expected, const std::string& what) {
    if (got != expected) {
        throw diagnostic::fail(Fault::digest, what + ": the blob's digest does not match its content")
            .notes({"expected " + expected.text(), "found    " + got.text()})
            .help(fetch_again);
    }
}

} // namespace

files::FileRange Store::sized_blob(const Descriptor& descriptor, const std::string& what) const {
    auto blob = find("blobs/sha256/" + descriptor.digest.hex());
    if (!blob) {
        throw diagnostic::fail(Fault::blob, what + ": the blob is missing").help(fetch_again);
    }
    if (blob->size != descriptor.size) {
        throw diagnostic::fail(Fault::digest,
                               what + ": the blob has the wrong size, so it is truncated or altered")
            .notes({"expected " + std::to_string(descriptor.size) + " bytes",
                    "found    " + std::to_string(blob->size) + " bytes"})
            .help(fetch_again);
    }
    return *std::move(blob);
}

files::FileRange Store::verified(const Descriptor& descriptor, const std::string& what) const {
    files::FileRange blob = sized_blob(descriptor, what);
    check_digest(digest_of(blob), descriptor.digest, what);
    return blob;
}

std::string Store::verified_text(const Descriptor& descriptor, std::uint64_t most,
                                 const std::string& what) const {
    if (descriptor.size > most) {
        throw diagnostic::fail(Fault::limit, what + " is larger than " + std::to_string(most >> 20) + " MiB");
    }
    std::string text = read_range(sized_blob(descriptor, what));
    check_digest(files::sha256(text), descriptor.digest, what);
    return text;
}

files::Digest digest_of(const files::FileRange& range) {
    std::vector<std::uint8_t> buffer(std::size_t{128} << 10);
    files::Sha256 hash;
    std::uint64_t at = 0;
    while (const std::size_t got = range.read(at, buffer)) {
        hash.update(std::span(buffer).first(got));
        at += got;
    }
    return hash.finish();
}

std::string read_range(const files::FileRange& range) {
    std::string text(static_cast<std::size_t>(range.size), '\0');
    range.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

} // namespace oci
