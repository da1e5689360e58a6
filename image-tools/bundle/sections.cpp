// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/sections.cpp - writes a bundle.
#include "image-tools/bundle/sections.hpp"

#include "hypervisor/core/bundle/hash.hpp"
#include "hypervisor/core/bundle/header_buffer.hpp"
#include "image-tools/files/hash_engine.hpp"

#include <algorithm>
#include <cstring>

namespace bundle {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t align_log2 = 12;
constexpr std::size_t piece = 1 << 20;

std::uint64_t page_up(std::uint64_t value) {
    return (value + page - 1) / page * page;
}

template <std::size_t Size> std::array<char, Size> padded(const std::string& text) {
    std::array<char, Size> out{};
    std::memcpy(out.data(), text.data(), std::min(text.size(), Size - 1));
    return out;
}

std::uint32_t header_size(std::size_t section_count) {
    const std::uint64_t used = sections_offset + section_count * section_entsize + signature_size;
    return static_cast<std::uint32_t>(page_up(used));
}

// Gives a section's content piece by piece.
class Content {
public:
    explicit Content(const SectionInput& input) : input_(input), buffer_(input.file ? piece : 0) {}
    std::span<const std::uint8_t> next() {
        const std::size_t length =
            static_cast<std::size_t>(std::min<std::uint64_t>(piece, input_.size - done_));
        std::span<const std::uint8_t> bytes;
        if (!input_.file) {
            bytes = files::bytes_of(
                std::string_view(input_.bytes).substr(static_cast<std::size_t>(done_), length));
        } else {
            input_.file->read(done_, std::span(buffer_).first(length));
            bytes = std::span(buffer_).first(length);
        }
        done_ += length;
        return bytes;
    }

private:
    const SectionInput& input_;
    std::vector<std::uint8_t> buffer_;
    std::uint64_t done_ = 0;
};

class Writer {
public:
    Writer(files::AtomicFile& out, const diagnostic::Progress& progress) : out_(out), progress_(progress) {}

    // Copies one section to where it belongs, unless it was written there, and gives its leaf hashes.
    std::string copy(const SectionInput& input, const SectionShape& shape) {
        Content content(input);
        std::string leaves;
        std::uint64_t offset = shape.offset;
        const bool there = input.file && input.file->file == out_.handle() && input.file->offset == offset;
        for (std::uint64_t leaf = 0; leaf < leaf_count(shape.size); ++leaf) {
            std::uint64_t left = leaf_length(shape.size, leaf);
            crypto::Sha256 hash = begin_leaf(shape.type, shape.partition, leaf, left, engine_);
            // Pieces divide leaves: both are powers of two.
            for (; left > 0; left -= std::min<std::uint64_t>(left, piece)) {
                const std::span<const std::uint8_t> bytes = content.next();
                hash.update(std::as_bytes(bytes));
                if (!there)
                    out_.write_at(offset, bytes);
                offset += bytes.size();
                done_ += bytes.size();
                if (progress_)
                    progress_("bundle", done_, total_);
            }
            const Hash value = hash.finish();
            leaves.append(value.begin(), value.end());
        }
        return leaves;
    }
    void expect(std::uint64_t total) { total_ = total; }
    [[nodiscard]] crypto::Sha256Engine engine() const { return engine_; }

private:
    files::AtomicFile& out_;
    const diagnostic::Progress& progress_;
    crypto::Sha256Engine engine_ = files::hash_engine();
    std::uint64_t done_ = 0, total_ = 0;
};

Section entry(const SectionShape& shape, const std::string& name, const Hash& root) {
    Section out{};
    out.type = shape.type;
    out.partition = shape.partition;
    out.offset = shape.offset;
    out.size = shape.size;
    out.mem_size = shape.size;
    out.align_log2 = align_log2;
    out.root_hash = root;
    out.name = padded<32>(name);
    return out;
}

Header header(const BundleInfo& info, std::size_t section_count, std::uint64_t total_size,
              const PublicKey& key) {
    Header out{};
    out.magic = magic;
    out.format = format_version;
    out.header_size = header_size(section_count);
    out.total_size = total_size;
    out.security_version = info.security_version;
    out.build_epoch = info.build_epoch;
    out.key_id = key_id(key);
    out.hash_algorithm = hash_sha256;
    out.leaf_log2 = leaf_log2;
    out.section_count = static_cast<std::uint32_t>(section_count);
    out.section_entsize = section_entsize;
    out.name = padded<32>(info.name);
    out.version = padded<32>(info.version);
    return out;
}

} // namespace

SectionInput section(SectionType type, std::uint32_t partition, std::string name, std::string bytes) {
    SectionInput out{type, partition, std::move(name), std::move(bytes), std::nullopt, 0};
    out.size = out.bytes.size();
    return out;
}

SectionInput section_of_file(SectionType type, std::uint32_t partition, std::string name,
                             files::FileRange file) {
    const std::uint64_t size = file.size;
    return {type, partition, std::move(name), {}, std::move(file), size};
}

std::uint64_t first_section_offset(std::size_t section_count) {
    // Each section adds at most one leaf that is not full.
    const std::uint64_t most_leaves = (max_total_size >> leaf_log2) + section_count;
    return header_size(section_count) + page_up(most_leaves * hash_size);
}

std::vector<SectionShape> layout_sections(const std::vector<SectionInput>& sections,
                                          std::uint64_t& total_size) {
    std::uint64_t leaves = 0;
    for (const SectionInput& input : sections)
        leaves += leaf_count(input.size);
    std::vector<SectionShape> out;
    std::uint64_t at = header_size(sections.size() + 1);
    const auto place = [&](SectionType type, std::uint32_t partition, std::uint64_t size) {
        at = page_up(at);
        out.push_back({static_cast<std::uint32_t>(type), partition, at, size});
        at += size;
    };
    place(SectionType::leaves, no_partition, leaves * hash_size);
    at = std::max(at, first_section_offset(sections.size() + 1));
    for (const SectionInput& input : sections)
        place(input.type, input.partition, input.size);
    total_size = at;
    return out;
}

WrittenBundle write_bundle(files::AtomicFile& out, const BundleInfo& info,
                           const std::vector<SectionInput>& sections, const SigningKey& key,
                           const diagnostic::Progress& progress) {
    WrittenBundle written;
    written.sections = layout_sections(sections, written.total_size);
    if (written.total_size > max_total_size)
        throw diagnostic::fail("E0803",
                               "the bundle would have " + std::to_string(written.total_size >> 20) +
                                   " MiB; firmware and boot loaders take at most 1945 MiB in one piece")
            .help("use smaller images, or fewer partitions");
    if (written.sections.size() > max_sections)
        throw diagnostic::fail("E0803", "the bundle would have more than 256 sections");
    Writer writer(out, progress);
    writer.expect(written.total_size);
    std::string all_leaves;
    std::vector<Hash> roots;
    for (std::size_t i = 0; i < sections.size(); ++i) {
        const SectionShape& shape = written.sections[i + first_input_section];
        const std::string leaves = writer.copy(sections[i], shape);
        roots.push_back(root_hash(shape.type, shape.partition, shape.size, std::as_bytes(std::span(leaves)),
                                  writer.engine()));
        all_leaves += leaves;
    }
    const SectionShape& list = written.sections.front();
    const SectionInput list_input = section(SectionType::leaves, no_partition, "leaves", all_leaves);
    const std::string list_leaves = writer.copy(list_input, list);

    const auto buffer = std::make_unique<HeaderBuffer>();
    const Header head = header(info, written.sections.size(), written.total_size, key.public_key());
    const std::span<std::byte> bytes = buffer->reset(head.header_size);
    const auto put = [&](std::size_t offset, const auto& value) {
        std::memcpy(bytes.data() + offset, &value, sizeof value);
    };
    put(0, head);
    put(sections_offset, entry(list, "leaves",
                               root_hash(list.type, list.partition, list.size,
                                         std::as_bytes(std::span(list_leaves)), writer.engine())));
    for (std::size_t i = 0; i < sections.size(); ++i)
        put(sections_offset + (i + 1) * section_entsize,
            entry(written.sections[i + first_input_section], sections[i].name, roots[i]));
    written.id = bundle_id(bytes, writer.engine());
    put(offsetof(Header, bundle_id), written.id);
    const std::span<const std::byte> message = buffer->message();
    const Signature signature = key.sign(
        {static_cast<const std::uint8_t*>(static_cast<const void*>(message.data())), message.size()});
    put(head.header_size - signature_size, signature);
    out.write_at(0, {static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data())), bytes.size()});
    return written;
}

} // namespace bundle
