// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/contents.cpp - what a signed header says, checked as if it were not signed.
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/bytes/reader.hpp"

namespace bundle {

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint32_t page_log2 = 12;

// Printable ASCII, then NULs to the end; at least one NUL.
bool is_text(std::span<const char> field) {
    std::size_t length = 0;
    while (length < field.size() && field[length] >= 0x20 && field[length] < 0x7F)
        ++length;
    return length < field.size() && bytes::is_zero(std::as_bytes(field.subspan(length)));
}

// Whether it is of a known type and has an owner that such a section may have: leaf lists and the plan belong to the
// appliance; a root image may too, where several partitions start from it.
bool is_allowed(const Section& section) {
    const bool appliance = section.partition == no_partition;
    if (!appliance && section.partition >= max_sections)
        return false;
    if (section.is(SectionType::leaves) || section.is(SectionType::table))
        return appliance;
    return section.type != 0 && section.type <= static_cast<std::uint32_t>(SectionType::secret);
}

Status check_header(const Header& header) {
    if (header.hash_algorithm != hash_sha256 || header.leaf_log2 != leaf_log2)
        return failure(Error::unsupported_hash);
    constexpr std::uint32_t known_marks = policy_not_met | policy_excepted;
    if ((header.policy_marks & ~known_marks) != 0 || header.flags != 0 || header.reserved1 != 0 ||
        !bytes::is_zero(bytes::of(header.reserved0)) || !bytes::is_zero(bytes::of(header.reserved2)))
        return failure(Error::reserved_not_zero);
    if (!is_text(header.name) || !is_text(header.version))
        return failure(Error::bad_name);
    const std::uint64_t entries = std::uint64_t{header.section_count} * section_entsize;
    if (header.section_entsize != section_entsize || header.section_count < 2 ||
        header.section_count > max_sections ||
        sections_offset + entries > header.header_size - sizeof(Signatures))
        return failure(Error::bad_section_count);
    return base::success;
}

// One entry by itself; `end` is where what precedes it ends.
Status check_section(const Section& section, std::uint32_t index, std::uint64_t end,
                     std::uint64_t total_size) {
    if (!is_allowed(section))
        return failure(Error::bad_section_type, index);
    if (section.flags != 0 || !bytes::is_zero(bytes::of(section.reserved)))
        return failure(Error::reserved_not_zero, index);
    if (!is_text(section.name))
        return failure(Error::bad_name, index);
    if (section.size == 0 || (section.mem_size != 0 && section.mem_size != section.size))
        return failure(Error::bad_section_size, index);
    // A root image is mapped by pages: its last page must hold nothing else.
    if (section.is(SectionType::root) && section.size % page != 0)
        return failure(Error::bad_section_size, index);
    if ((section.align_log2 != page_log2 && section.align_log2 != leaf_log2) ||
        section.offset % (std::uint64_t{1} << section.align_log2) != 0)
        return failure(Error::bad_section_alignment, index);
    if (!bytes::lies_within(section.offset, section.size, total_size))
        return failure(Error::section_outside_file, index);
    if (section.offset < end)
        return failure(Error::bad_section_order, index);
    return base::success;
}

} // namespace

Result<Contents> Contents::parse(const HeaderBuffer& buffer, crypto::Sha256Engine engine) {
    CAISSON_TRY(check_header(buffer.header()));
    const auto bytes = buffer.bytes();
    if (!crypto::equal(bundle::bundle_id(bytes, engine), buffer.header().bundle_id))
        return failure(Error::bundle_id_mismatch);
    Contents contents{buffer};
    CAISSON_TRY(contents.check_sections());
    // Behind the last entry the header is zero up to the signatures.
    const std::size_t end = sections_offset + std::size_t{contents.section_count()} * section_entsize;
    if (!bytes::is_zero(bytes.first(bytes.size() - sizeof(Signatures)).subspan(end)))
        return failure(Error::reserved_not_zero);
    return contents;
}

Status Contents::check_sections() {
    std::uint64_t end = header().header_size;
    std::uint64_t leaves = 0;
    for (std::uint32_t index = 0; index < section_count(); ++index) {
        const Section& entry = section(index);
        CAISSON_TRY(check_section(entry, index, end, header().total_size));
        end = entry.offset + entry.size;
        if (entry.is(SectionType::leaves) != (index == leaves_section()))
            return failure(Error::no_leaves_section, index);
        if (index != leaves_section())
            leaves += leaf_count(index);
        if (!entry.is(SectionType::table))
            continue;
        if (table_ != no_index)
            return failure(Error::no_table_section, index);
        table_ = index;
    }
    if (table_ == no_index)
        return failure(Error::no_table_section);
    if (section(leaves_section()).size != leaves * hash_size)
        return failure(Error::bad_leaf_count, leaves_section());
    return base::success;
}

const Section& Contents::section(std::uint32_t index) const {
    base::expects(index < section_count(), "bundle: section index");
    return buffer_->section(index);
}

std::uint64_t Contents::leaf_count(std::uint32_t index) const {
    return bundle::leaf_count(section(index).size);
}

std::uint64_t Contents::leaf_list_offset(std::uint32_t index) const {
    std::uint64_t leaves = 0;
    for (std::uint32_t before = leaves_section() + 1; before < index; ++before)
        leaves += leaf_count(before);
    return leaves * hash_size;
}

Contents::Gap Contents::gap(std::uint32_t index) const {
    base::expects(index < gap_count(), "bundle: gap index");
    const std::uint32_t before = index == 0 ? no_index : index - 1;
    const std::uint64_t start =
        index == 0 ? header().header_size : section(before).offset + section(before).size;
    const std::uint64_t end = index < section_count() ? section(index).offset : header().total_size;
    return {start, end - start, before};
}

} // namespace bundle
