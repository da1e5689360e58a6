// SPDX-License-Identifier: Apache-2.0
// Any table: parse refuses it or bind places it soundly (check agrees) or names what is missing.
#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/board.hpp"

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
    memory::Map map;
    require(assumed_map(Board::qemu_q35, std::uint64_t{8} << 30, map));
    std::array<Cpu, 16> cpus;
    assumed_cpus(Board::qemu_q35, cpus);
    for (Cpu& cpu : cpus)
        cpu.core /= 2;
    for (std::uint32_t i = 0; i < cpus.size(); ++i)
        cpus[i].thread = i % 2;
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
        put(partition.module_section, bundle::SectionType::module, 4096);
        put(partition.root_section, bundle::SectionType::root, read.root_bytes(i));
        put(partition.kernel_section, bundle::SectionType::kernel, 4096);
    }
    Machine machine;
    machine.map = &map;
    machine.cpus = cpus;
    machine.sections = sections;
    machine.bundle_bytes = at;
    machine.bundle_base = assumed_bundle_base(Board::qemu_q35, std::uint64_t{8} << 30, at);
    const Options options{true, true, true, 100, 10, 5, 5};
    if (bind(read, machine, options, bound).ok())
        require(check(read, machine, options, bound).ok());
    else
        require(bound.placements.empty());
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
        std::size_t sum = 0;
        for (const char c : read->command_line(i))
            sum += static_cast<unsigned char>(c);
        for (const std::byte b : read->startup(i))
            sum += static_cast<unsigned char>(b);
        require(sum <= read->command_line(i).size() * 255 + read->startup(i).size() * 255);
    }
    bind_it(*read);
    return 0;
}
