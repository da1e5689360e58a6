// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/sections.cpp - writes a bundle.
#include "image-tools/bundle/sections.hpp"

#include "hypervisor/core/bundle/hash.hpp"
#include "hypervisor/core/bundle/header_buffer.hpp"
#include "image-tools/files/hash_engine.hpp"
#include "image-tools/files/sha256_pair.hpp"

#include <algorithm>
#include <cstring>
#include <future>

namespace bundle {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t align_log2 = 12;
constexpr std::size_t piece = 256 << 10; // two stay in the second-level cache

std::uint64_t page_up(std::uint64_t value) {
    return (value + page - 1) / page * page;
}

template <std::size_t Size> std::array<char, Size> padded(const std::string& text) {
    std::array<char, Size> out{};
    std::memcpy(out.data(), text.data(), std::min(text.size(), Size - 1));
    return out;
}

std::uint32_t header_size(std::size_t section_count) {
    const std::uint64_t used = sections_offset + section_count * section_entsize + sizeof(Signatures);
    return static_cast<std::uint32_t>(page_up(used));
}

// A section's content, where it is.
class Content {
public:
    explicit Content(const SectionInput& input) : input_(input) {}
    // `length` bytes at `offset`; of a file they are read into `buffer`.
    std::span<const std::uint8_t> at(std::uint64_t offset, std::size_t length,
                                     std::vector<std::uint8_t>& buffer) {
        if (!input_.file)
            return files::bytes_of(
                std::string_view(input_.bytes).substr(static_cast<std::size_t>(offset), length));
        buffer.resize(piece);
        const std::span to = std::span(buffer).first(length);
        input_.file->read(offset, to);
        return to;
    }

private:
    const SectionInput& input_;
};

class Writer {
public:
    Writer(files::AtomicFile& out, const diagnostic::Progress& progress) : out_(out), progress_(progress) {}

    // Copies one section to where it belongs, unless it was written there, and gives its leaf hashes. A long one that is there
    // already is only read: by two threads, each a half.
    std::string copy(const SectionInput& input, const SectionShape& shape) {
        const bool there =
            input.file && input.file->file == out_.handle() && input.file->offset == shape.offset;
        const std::uint64_t count = leaf_count(shape.size);
        if (!there || count < least_for_two)
            return leaves(input, shape, there, 0, count);
        const std::uint64_t half = count / 4 * 2;
        auto upper = std::async(std::launch::async, [&] {
            return Writer(out_, unseen).leaves(input, shape, there, half, count);
        });
        std::string out = leaves(input, shape, there, 0, half);
        out += upper.get();
        done_ += shape.size - half * leaf_size;
        return out;
    }
    void expect(std::uint64_t total) { total_ = total; }
    [[nodiscard]] crypto::Sha256Engine engine() const { return engine_; }

private:
    static constexpr std::uint64_t least_for_two = 16;
    static inline const diagnostic::Progress unseen{};

    // Of the leaves from `first` on, an even one, until `end`.
    std::string leaves(const SectionInput& input, const SectionShape& shape, bool there, std::uint64_t first,
                       std::uint64_t end) {
        Content content(input);
        const std::uint64_t whole =
            engine_ == crypto::Sha256Engine::sha_extensions ? std::min(end, shape.size / leaf_size) : 0;
        std::string out;
        std::uint64_t leaf = first;
        for (; leaf + 1 < whole; leaf += 2)
            for (const Hash& hash : two_leaves(content, shape, leaf, there))
                out.append(hash.begin(), hash.end());
        for (; leaf < end; ++leaf) {
            const Hash hash = one_leaf(content, shape, leaf, there);
            out.append(hash.begin(), hash.end());
        }
        return out;
    }
    // Pieces divide leaves: both are powers of two.
    Hash one_leaf(Content& content, const SectionShape& shape, std::uint64_t leaf, bool there) {
        const std::uint64_t length = leaf_length(shape.size, leaf);
        crypto::Sha256 hash = begin_leaf(shape.type, shape.partition, leaf, length, engine_);
        for (std::uint64_t done = 0; done < length; done += piece) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece, length - done));
            hash.update(std::as_bytes(next(content, shape, leaf * leaf_size + done, count, there, 0)));
        }
        return hash.finish();
    }
    // This one and the next, both whole.
    std::array<Hash, 2> two_leaves(Content& content, const SectionShape& shape, std::uint64_t leaf,
                                   bool there) {
        files::Sha256Pair pair;
        const LeafPrefix first = leaf_prefix(shape.type, shape.partition, leaf, leaf_size);
        const LeafPrefix second = leaf_prefix(shape.type, shape.partition, leaf + 1, leaf_size);
        pair.update({first.data(), second.data()}, first.size());
        for (std::uint64_t done = 0; done < leaf_size; done += piece) {
            const auto part = [&](std::size_t which) {
                return std::as_bytes(
                           next(content, shape, (leaf + which) * leaf_size + done, piece, there, which))
                    .data();
            };
            pair.update({part(0), part(1)}, piece);
        }
        return pair.finish();
    }
    // Some of a section's bytes, which are at their place in the output then.
    std::span<const std::uint8_t> next(Content& content, const SectionShape& shape, std::uint64_t offset,
                                       std::size_t count, bool there, std::size_t buffer) {
        const std::span<const std::uint8_t> bytes = content.at(offset, count, buffers_[buffer]);
        if (!there)
            out_.write_at(shape.offset + offset, bytes);
        done_ += bytes.size();
        if (progress_)
            progress_("bundle", done_, total_);
        return bytes;
    }

    files::AtomicFile& out_;
    const diagnostic::Progress& progress_;
    crypto::Sha256Engine engine_ = files::hash_engine();
    std::array<std::vector<std::uint8_t>, 2> buffers_;
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
    out.policy_set = info.policy.set;
    out.policy_marks = info.policy.marks;
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
    Signatures signatures{};
    signatures.build = key.sign(
        {static_cast<const std::uint8_t*>(static_cast<const void*>(message.data())), message.size()});
    std::copy_n(info.countersignatures.begin(),
                std::min(info.countersignatures.size(), signatures.counter.size()),
                signatures.counter.begin());
    put(head.header_size - sizeof signatures, signatures);
    out.write_at(0, {static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data())), bytes.size()});
    return written;
}

} // namespace bundle
