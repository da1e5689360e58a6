// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/verify.cpp - reads a bundle with the loader's own code.
#include "image-tools/bundle/verify.hpp"

#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/hash_engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace bundle {
namespace {

constexpr std::size_t window_size = 1 << 20;
constexpr std::uint64_t largest_text = 16 << 20; // table or meta

bool is_malformed(Error error) {
    return error == Error::too_short || error == Error::not_a_bundle || error == Error::unsupported_format ||
           error == Error::bad_header_size;
}

std::string hexadecimal(std::uint64_t value) {
    std::string out;
    do {
        out.insert(out.begin(), "0123456789abcdef"[value & 15]);
        value >>= 4;
    } while (value != 0);
    return "0x" + out;
}

// "section 'web.root' leaf 17 (bytes 0x2200000..0x23fffff)": what the issue is about; empty when it is the
// header.
std::string subject(const Issue& issue, const Contents* contents) {
    if (contents == nullptr)
        return issue.section == no_index ? "" : "section " + std::to_string(issue.section);
    if (issue.error == Error::gap_not_zero)
        return "byte " + hexadecimal(issue.leaf) + " of the file";
    if (issue.section == no_index || issue.section >= contents->section_count())
        return "";
    std::string out = "section '" + std::string(contents->section_name(issue.section)) + "'";
    if (issue.error == Error::leaf_mismatch) {
        const Section section = contents->section(issue.section);
        const std::uint64_t start = issue.leaf * leaf_size;
        out += " leaf " + std::to_string(issue.leaf) + " (bytes " + hexadecimal(section.offset + start) +
               ".." + hexadecimal(section.offset + start + leaf_length(section.size, issue.leaf) - 1) + ")";
    }
    return out;
}

std::string help_for(Error error) {
    switch (error) {
    case Error::no_trusted_key:
        return "name the public key with --key FILE";
    case Error::unknown_key:
        return "it was signed by another key; name that key's public half with --key FILE if you trust it";
    case Error::not_approved:
        return "somebody whose key the loader asks for looks at it: caisson approve FILE --key approver.key";
    case Error::bad_countersignature:
        return "approve the bundle again, as it is now";
    case Error::revoked_key:
        return "sign or approve it again by a key that is in use";
    case Error::other_policies:
    case Error::policies_unmet:
        return "caisson inspect says by which policies it was judged; build it under those that the loader "
               "demands";
    case Error::security_version_too_low:
        return "build it again with a securityVersion of at least the floor";
    case Error::wrong_total_size:
        return "the file was cut off or something was appended: copy it again";
    default:
        return "do not use this file; build or copy it again";
    }
}

[[noreturn]] void refuse(const Issue& issue, const std::string& name, const Contents* contents) {
    if (is_malformed(issue.error))
        throw diagnostic::fail("E0419", name + ": " + describe(issue.error))
            .help("a bundle is made by: caisson build");
    const std::string about = subject(issue, contents);
    throw diagnostic::fail("E0501", name + (about.empty() ? "" : ": " + about) + ": " + describe(issue.error))
        .help(help_for(issue.error));
}

template <typename T> T take(Result<T> result, const std::string& name, const Contents* contents = nullptr) {
    if (!result)
        refuse(result.error(), name, contents);
    return std::move(result).value();
}

std::vector<std::byte> whole(const bytes::Source& source) {
    std::vector<std::byte> out(static_cast<std::size_t>(source.size()));
    if (!source.copy(0, out))
        out.clear();
    return out;
}

BundleSummary summary_of(const Contents& contents, const bytes::Source& file) {
    BundleSummary out;
    out.header = contents.header();
    for (std::uint32_t i = 0; i < contents.section_count(); ++i) {
        const Section section = contents.section(i);
        const auto type = static_cast<SectionType>(section.type);
        out.sections.push_back({type, section.partition, std::string(contents.section_name(i)),
                                section.offset, section.size, section.root_hash});
        if (section.size > largest_text || (type != SectionType::table && type != SectionType::meta))
            continue;
        const auto bytes = section_bytes(contents, i, file);
        if (!bytes)
            continue;
        const std::vector<std::byte> data = whole(*bytes);
        if (type == SectionType::table) {
            out.table = data;
        } else {
            out.meta.resize(data.size());
            std::memcpy(out.meta.data(), data.data(), data.size());
        }
    }
    return out;
}

template <std::size_t Size> std::string text(const std::array<char, Size>& field) {
    return std::string(field.begin(), std::find(field.begin(), field.end(), '\0'));
}

} // namespace

FileSource::FileSource(files::FileRange range) : range_(std::move(range)), window_(window_size) {}

FileSource::FileSource(const std::filesystem::path& file) : window_(window_size) {
    const auto range = files::FileRange::open(file);
    if (!range)
        throw diagnostic::fail_system("E0601", "cannot read " + file.string(), ENOENT);
    range_ = *range;
}

std::span<const std::byte> FileSource::operator()(std::uint64_t offset, std::size_t length) const {
    const std::size_t wanted = std::min(length, window_.size());
    return std::as_bytes(std::span(window_).first(range_.read(offset, std::span(window_).first(wanted))));
}

std::string BundleSummary::name() const {
    return text(header.name);
}
std::string BundleSummary::version() const {
    return text(header.version);
}

std::vector<SectionShape> BundleSummary::shapes() const {
    std::vector<SectionShape> out;
    for (const SectionSummary& section : sections)
        out.push_back(
            {static_cast<std::uint32_t>(section.type), section.partition, section.offset, section.size});
    return out;
}

Verified verify(const bytes::Source& file, const KeyTable& keys, const std::string& name) {
    const crypto::Sha256Engine engine = files::hash_engine();
    const auto buffer = std::make_unique<HeaderBuffer>();
    take(buffer->load(file), name);
    Verified out;
    out.signer = take(verify_signature(*buffer, keys, engine), name);
    out.key = keys.slots[out.signer.slot].public_key;
    const Contents contents = take(Contents::parse(*buffer, engine), name);
    const bytes::Source list_source =
        take(section_bytes(contents, contents.leaves_section(), file), name, &contents);
    const std::vector<std::byte> leaves = whole(list_source);
    take(verify_leaf_lists(contents, leaves, engine), name, &contents);
    for (std::uint32_t i = 0; i < contents.section_count(); ++i) {
        if (i == contents.leaves_section())
            continue;
        const bytes::Source section = take(section_bytes(contents, i, file), name, &contents);
        take(verify_section(contents, leaves, i, section, engine), name, &contents);
    }
    for (std::uint32_t i = 0; i < contents.gap_count(); ++i)
        take(verify_gap(contents, i, file), name, &contents);
    out.summary = summary_of(contents, file);
    out.summary.signatures = buffer->signatures();
    return out;
}

KeyTable without_demands(KeyTable keys) {
    for (KeySlot& one : keys.slots) {
        one.required = 0;
        one.flags &= ~(key_policy_set | key_policy_met);
        one.policy_set = {};
    }
    return keys;
}

BundleSummary summarize(const bytes::Source& file, const std::string& name) {
    const auto buffer = std::make_unique<HeaderBuffer>();
    take(buffer->load(file), name);
    const Contents contents = take(Contents::parse(*buffer, files::hash_engine()), name);
    BundleSummary out = summary_of(contents, file);
    out.signatures = buffer->signatures();
    return out;
}

KeyTable keys_for(const std::filesystem::path& bundle_file,
                  const std::vector<std::filesystem::path>& key_files,
                  const std::optional<std::filesystem::path>& elf) {
    if (key_files.empty()) {
        const std::filesystem::path beside = std::filesystem::path(bundle_file).replace_extension(".elf");
        const std::filesystem::path file = elf.value_or(beside);
        if (!elf && !std::filesystem::exists(file))
            throw diagnostic::fail("E0504", "there is no key to verify " + bundle_file.string() + " with")
                .notes({"its loader " + beside.string() + " does not exist"})
                .help("name the public key with --key FILE, or a loader with --elf FILE");
        return keys_of(files::read_file(file, largest_elf));
    }
    return keys_of_files(key_files);
}

KeyTable keys_of_files(const std::vector<std::filesystem::path>& key_files) {
    if (key_files.size() > key_slots)
        throw diagnostic::fail("E0104", "more than " + std::to_string(key_slots) + " keys");
    KeyTable keys = empty_keys();
    for (std::size_t i = 0; i < key_files.size(); ++i)
        keys.slots[i] = slot(purpose_bundle, 0, 0, load_public_key(key_files[i]));
    return keys;
}

bool is_bundle(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::array<char, 8> start{};
    stream.read(start.data(), start.size());
    return stream && start == magic;
}

bool is_bundle(const files::FileRange& file) {
    std::array<char, 8> start{};
    return file.read(0, {static_cast<std::uint8_t*>(static_cast<void*>(start.data())), start.size()}) ==
               start.size() &&
           start == magic;
}

std::string_view type_name(SectionType type) {
    switch (type) {
    case SectionType::leaves:
        return "leaves";
    case SectionType::table:
        return "table";
    case SectionType::kernel:
        return "kernel";
    case SectionType::root:
        return "root";
    case SectionType::module:
        return "module";
    case SectionType::meta:
        return "meta";
    case SectionType::sbom:
        return "sbom";
    case SectionType::secret:
        return "secret";
    }
    return "unknown";
}

} // namespace bundle
