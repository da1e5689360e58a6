// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/verify.hpp - reads a bundle with the loader's own code
// (hypervisor/core/bundle).
//
// Trust:      the file is hostile until verified.
// Errors:     E0401 (not a bundle), E0501 (does not verify; exit 5).
#pragma once

#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/source.hpp"
#include "image-tools/bundle/sections.hpp"
#include "image-tools/bundle/signing_key.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/range.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bundle {

// A file as a core Source: pieces are read when they are asked for.
class FileSource {
public:
    explicit FileSource(const std::filesystem::path& file); // throws E0601
    explicit FileSource(files::FileRange range);
    FileSource(const FileSource&) = delete;
    FileSource& operator=(const FileSource&) = delete;
    [[nodiscard]] bytes::Source source() const { return {*this, range_.size}; }
    std::span<const std::byte> operator()(std::uint64_t offset, std::size_t length) const;

private:
    files::FileRange range_;
    mutable std::vector<std::uint8_t> window_;
};

struct SectionSummary {
    SectionType type{};
    std::uint32_t partition = no_partition;
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    Hash root_hash{};
};

// What a bundle says about itself.
struct BundleSummary {
    Header header{};
    Signatures signatures{};
    std::vector<SectionSummary> sections;
    std::vector<std::byte> table;
    std::string meta; // JSON, or empty
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string version() const;
    [[nodiscard]] std::vector<SectionShape> shapes() const;
};

struct Verified {
    Signer signer{};
    PublicKey key{};
    BundleSummary summary;
};

// Signature, every leaf of every section, every gap. Throws what is wrong first; `name` is for messages.
Verified verify(const bytes::Source& file, const KeyTable& keys, const std::string& name);

// The same keys, whatever else the loader demands of what they sign: for looking at a bundle that is not approved yet.
KeyTable without_demands(KeyTable keys);

// The contents without asking whether they are to be believed. Throws E0401 when it is not a bundle at all.
BundleSummary summarize(const bytes::Source& file, const std::string& name);

// Keys for verifying: those of `--key` files, of an ELF, or of the ELF beside the bundle (NAME.elf).
KeyTable keys_for(const std::filesystem::path& bundle_file,
                  const std::vector<std::filesystem::path>& key_files,
                  const std::optional<std::filesystem::path>& elf);

// Keys for verifying what stands beside no ELF: those of `--key` files.
KeyTable keys_of_files(const std::vector<std::filesystem::path>& key_files);

// Whether the file begins as a bundle does.
bool is_bundle(const std::filesystem::path& file);
bool is_bundle(const files::FileRange& file);

std::string_view type_name(SectionType type);

} // namespace bundle
