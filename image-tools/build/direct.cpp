// SPDX-License-Identifier: Apache-2.0
// image-tools/build/direct.cpp - the module that starts the unikernel straight from QEMU: boot page, startup
// record, root.
//
// Spec: partitions/abi/boot_page.h, "Straight under QEMU".
#include "image-tools/build/build.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/hypercall.h"

#include <algorithm>
#include <cstring>

namespace build {
namespace {

constexpr std::uint64_t page = 4096;

void append_file(files::AtomicFile& out, const files::FileRange& file) {
    std::vector<std::uint8_t> buffer(1 << 20);
    for (std::uint64_t at = 0; at < file.size;) {
        const std::size_t got = file.read(at, buffer);
        out.write(std::span(buffer).first(got));
        at += got;
    }
}

} // namespace

void write_direct_module(const manifest::Manifest& manifest, const std::string& partition,
                         const bundle::Library& library, const registry::ImagesOptions& images,
                         const std::filesystem::path& output, const Observer& observer) {
    manifest::Manifest one = manifest;
    std::erase_if(one.partitions, [&](const manifest::Partition& item) { return item.name != partition; });
    if (one.partitions.empty() || !one.partitions.front().image)
        throw diagnostic::fail("E0103", "the manifest has no partition '" + partition + "' with an image");
    const std::filesystem::path parent = output.parent_path().empty() ? "." : output.parent_path();
    const WorkFolder work(parent);
    const Prepared prepared = prepare(one, library, images, work.path(), observer);
    const PreparedPartition& item = prepared.partitions.front();

    caisson_boot_page boot{};
    boot.magic = CAISSON_BOOT_MAGIC;
    boot.abi_version = CAISSON_ABI_VERSION;
    boot.flags = CAISSON_BOOT_DIRECT;
    boot.vcpu_count = item.partition->cpus;
    boot.generation = 1;
    boot.memory_bytes = item.partition->memory;
    boot.startup_offset = page;
    boot.startup_bytes = static_cast<std::uint32_t>(item.content.startup.size());
    boot.root_gpa = page + (item.content.startup.size() + page - 1) / page * page;
    boot.root_bytes = item.root->size();
    std::memcpy(boot.partition_name, partition.data(),
                std::min(partition.size(), sizeof boot.partition_name - 1));

    files::AtomicFile out(output);
    std::string head(sizeof boot, '\0');
    std::memcpy(head.data(), &boot, sizeof boot);
    out.write(files::bytes_of(head));
    out.write(item.content.startup);
    out.zeros(boot.root_gpa - out.size());
    append_file(out, item.root->content());
    out.commit();
}

} // namespace build
