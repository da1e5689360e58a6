// SPDX-License-Identifier: Apache-2.0
// The header's parser as an attacker who holds the key could drive it, then everything behind it.
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <cstdlib>
#include <vector>

namespace {

using namespace bundle;

void require(bool condition) {
    if (!condition)
        std::abort();
}

void walk(const Contents& contents, const bytes::Source& file) {
    std::uint64_t end = contents.header().header_size;
    for (std::uint32_t i = 0; i < contents.section_count(); ++i) {
        const Section section = contents.section(i);
        require(section.offset >= end && bytes::lies_within(section.offset, section.size, file.size()));
        end = section.offset + section.size;
        require(contents.section_name(i).size() < sizeof(section.name));
    }
    const Section list = contents.section(contents.leaves_section());
    std::vector<std::byte> leaves(static_cast<std::size_t>(list.size));
    require(file.copy(list.offset, leaves));
    const bool lists = verify_leaf_lists(contents, leaves, crypto::Sha256Engine::portable).ok();
    for (std::uint32_t i = 0; i < contents.section_count(); ++i) {
        if (i == contents.leaves_section())
            continue;
        const auto part = section_bytes(contents, i, file);
        require(part.ok());
        const bool good = verify_section(contents, leaves, i, *part, crypto::Sha256Engine::portable).ok();
        (void)(good && lists);
    }
    for (std::uint32_t i = 0; i < contents.gap_count(); ++i)
        (void)verify_gap(contents, i, file).ok();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static HeaderBuffer buffer;
    const auto input = std::as_bytes(std::span{data, size});
    std::vector<std::byte> file(input.begin(), input.end());
    // The fuzzer cannot guess hashes: sizes and the ID are made right, so that the rest is reached.
    if (size >= sections_offset) {
        (void)bytes::store(std::span{file}, offsetof(Header, total_size), std::uint64_t{size});
        const auto header = bytes::load<Header>(file, 0);
        if (header->header_size <= size && header->header_size >= 4096) {
            const auto id =
                bundle_id(std::span{file}.first(header->header_size), crypto::Sha256Engine::portable);
            (void)bytes::store(std::span{file}, offsetof(Header, bundle_id), id);
        }
    }
    const bytes::Source source{file};
    if (!buffer.load(source).ok())
        return 0;
    const KeyTable keys{};
    require(!verify_signature(buffer, keys, crypto::Sha256Engine::portable).ok());
    const auto contents = Contents::parse(buffer, crypto::Sha256Engine::portable);
    if (contents.ok())
        walk(*contents, source);
    return 0;
}
