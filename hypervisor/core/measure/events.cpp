// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/measure/events.hpp"

#include <algorithm>
#include <cstring>

namespace measure {
namespace {

constexpr std::uint32_t what_runs = 11, configuration = 12, package = 13;
constexpr std::uint32_t first_partition = 2;                // of the events
constexpr char partition_domain[] = "caisson partition v1"; // with its NUL

template <typename T> void add(crypto::Sha256& hash, const T& value) {
    hash.update(std::as_bytes(std::span(&value, 1)));
}

template <std::size_t Size> std::string_view text(const std::array<char, Size>& field) {
    return {field.data(),
            static_cast<std::size_t>(std::find(field.begin(), field.end(), '\0') - field.begin())};
}

void add_hex(base::Text<384>& to, std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        to << digits[byte >> 4] << digits[byte & 0xF];
    }
}

void add_section(crypto::Sha256& hash, const bundle::Contents& contents, std::uint32_t section) {
    add(hash, section < contents.section_count() ? contents.section(section).root_hash : bundle::Hash{});
}

crypto::Digest256 partition_hash(const Subject& subject, std::uint32_t index) {
    crypto::Sha256 hash(subject.engine);
    hash.update(std::as_bytes(std::span(partition_domain)));
    plan::Partition record = subject.plan.partition(index);
    const std::uint32_t root = record.root_section, first = record.first_load;
    record.root_section = 0;
    record.first_load = 0;
    add(hash, record);
    add_section(hash, subject.contents, root);
    for (std::uint32_t i = 0; i < record.load_count; ++i) {
        const plan::Load load = subject.plan.load(first + i);
        add(hash, load.gpa);
        add(hash, load.bytes);
        if (load.section == plan::no_section) {
            hash.update(subject.plan.table().subspan(static_cast<std::size_t>(load.offset),
                                                     static_cast<std::size_t>(load.bytes)));
        } else {
            add(hash, load.offset);
            add_section(hash, subject.contents, load.section);
        }
    }
    return hash.finish();
}

} // namespace

std::uint32_t event_count(const Subject& subject) {
    return first_partition + subject.plan.partition_count();
}

Event event(const Subject& subject, std::uint32_t index) {
    Event out;
    out.text << "caisson/1 ";
    if (index == 0) {
        const bundle::Header& header = subject.contents.header();
        out.pcr = package;
        out.text << "bundle " << text(header.name) << ' ' << text(header.version)
                 << " security=" << header.security_version << " id=";
        add_hex(out.text, header.bundle_id);
    } else if (index == 1) {
        const bundle::KeySlot& slot = subject.keys.slots[subject.signer.slot];
        out.pcr = configuration;
        out.text << "loader build=" << subject.build << " key=";
        add_hex(out.text, slot.public_key);
        out.text << " slot=" << subject.signer.slot << " floor=" << slot.security_version_floor
                 << " development=" << (subject.signer.development ? 1 : 0) << " keys=";
        add_hex(out.text, crypto::sha256(std::as_bytes(std::span(&subject.keys, 1)), subject.engine));
    } else {
        const std::uint32_t partition = index - first_partition;
        out.pcr = what_runs;
        out.text << "partition " << subject.plan.partition_name(partition) << " sha256=";
        add_hex(out.text, partition_hash(subject, partition));
    }
    return out;
}

} // namespace measure
