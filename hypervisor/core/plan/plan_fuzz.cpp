// SPDX-License-Identifier: Apache-2.0
// Any table: parse refuses it or bind places it soundly (check agrees) or names what is missing.
#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/bind.hpp"

#include <cstdlib>
#include <vector>

namespace {

using namespace plan;

void require(bool condition) {
    if (!condition)
        std::abort();
}

void bind_it(const Plan& read) {
    static BoundPlan bound;
    memory::Runs map;
    const std::array<memory::Range, 2> ranges{
        {{1u << 20, std::uint64_t{2} << 30, memory::Kind::usable},
         {std::uint64_t{4} << 30, std::uint64_t{6} << 30, memory::Kind::usable}}};
    require(memory::normalize(ranges, map).ok());
    std::array<Cpu, 16> cpus;
    for (std::uint32_t i = 0; i < cpus.size(); ++i)
        cpus[i] = {i, 0, i / 2, i % 2, i == 0};
    // Sections that fit whatever the plan names.
    std::vector<SectionExtent> sections(256);
    std::uint64_t at = 4096;
    for (std::uint32_t i = 0; i < read.partition_count(); ++i) {
        const Partition partition = read.partition(i);
        const auto put = [&](std::uint32_t index, bundle::SectionType type, std::uint64_t size) {
            if (index >= sections.size())
                return;
            sections[index] = {static_cast<std::uint32_t>(type), i, at, size};
            at += size;
        };
        for (std::uint32_t load = 0; load < partition.load_count; ++load)
            put(read.load(partition.first_load + load).section, bundle::SectionType::kernel, 1u << 20);
        for (const Region& region : partition.regions)
            if (region.kind == RegionKind::root_image)
                put(partition.root_section, bundle::SectionType::root, region.bytes);
    }
    Machine machine;
    machine.map = &map;
    machine.cpus = cpus;
    machine.sections = sections;
    machine.bundle_bytes = at;
    machine.bundle_base = std::uint64_t{4} << 30;
    const Options options{.huge_pages = true,
                          .frames_fixed = 100,
                          .frames_per_cpu = 10,
                          .frames_per_partition = 5,
                          .frames_per_vcpu = 5};
    if (bind(read, machine, options, bound).ok())
        require(check(read, machine, options, bound).ok());
    else
        require(bound.pieces.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span{data, size});
    std::vector<std::byte> table(input.begin(), input.end());
    if (size >= sizeof(Header)) // a size the fuzzer need not guess
        (void)bytes::store(std::span{table}, offsetof(Header, total_size), static_cast<std::uint32_t>(size));
    const auto read = Plan::parse(table);
    if (!read.ok()) {
        require(describe(read.error().error) != nullptr);
        return 0;
    }
    for (std::uint32_t i = 0; i < read->partition_count(); ++i) {
        require(!read->partition_name(i).empty() && read->partition_name(i).size() < 32);
        const Partition partition = read->partition(i);
        for (std::uint32_t n = 0; n < partition.load_count; ++n) {
            const Load load = read->load(partition.first_load + n);
            require(load.section != no_section || bytes::lies_within(load.offset, load.bytes, table.size()));
        }
    }
    bind_it(*read);
    return 0;
}
