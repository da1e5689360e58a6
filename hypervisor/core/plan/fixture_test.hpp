// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/fixture_test.hpp - plans and machines for the tests of this folder.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "image-tools/plan/layout.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plan::test {

inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
inline constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

// Partitions "p0", "p1", ... with a shared kernel (section 2) and a root each (from section 3 on).
struct Wish {
    std::vector<std::string> names;
    std::vector<PartitionRequest> partitions;
    Request request;

    explicit Wish(std::size_t count, std::uint64_t memory = 64 * mebibyte) {
        names.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            std::string name = "p";
            names.push_back(name + std::to_string(i));
            PartitionRequest partition;
            partition.name = names.back();
            partition.memory_bytes = memory;
            partition.root_bytes = 3 * mebibyte;
            (void)partition.kernel.segments.push_back({4096, 200 * 1024, mebibyte, 300 * 1024});
            partition.kernel.entry = mebibyte + 16;
            partition.kernel.lowest = mebibyte;
            partition.kernel.end = mebibyte + 300 * 1024;
            partition.kernel_section = 2;
            partition.root_section = static_cast<std::uint32_t>(3 + i);
            partitions.push_back(partition);
        }
        request.name = "test";
    }
    base::Result<std::vector<std::byte>, RequestIssue> laid_out() {
        request.partitions = partitions;
        return layout(request);
    }
    std::vector<std::byte> table() {
        const auto out = laid_out();
        EXPECT_TRUE(out.ok()) << (out.ok() ? "" : describe(out.error().error));
        return out.ok() ? *out : std::vector<std::byte>{};
    }
};

// A machine with its map, CPUs and a bundle that fits the wish.
struct Board {
    std::vector<memory::Range> entries{{0, 0x9F000, memory::Kind::usable},
                                       {mebibyte, 2047 * mebibyte, memory::Kind::usable}};
    memory::Runs map;
    std::vector<Cpu> cpus;
    std::vector<memory::Run> reserved{{mebibyte, 2 * mebibyte}};
    std::vector<SectionExtent> sections;
    Machine machine;

    explicit Board(const Wish& wish, std::uint32_t cpu_count = 8) {
        for (std::uint32_t i = 0; i < cpu_count; ++i)
            cpus.push_back({i, 0, i, 0, i == 0});
        std::uint64_t at = 4096;
        const auto add = [&](bundle::SectionType type, std::uint32_t owner, std::uint64_t size) {
            sections.push_back({static_cast<std::uint32_t>(type), owner, at, size});
            at += (size + 4095) & ~std::uint64_t{4095};
        };
        add(bundle::SectionType::leaves, bundle::no_partition, 32);
        add(bundle::SectionType::table, bundle::no_partition, 1000);
        add(bundle::SectionType::kernel, bundle::no_partition, 400'000);
        for (std::uint32_t i = 0; i < wish.partitions.size(); ++i)
            add(bundle::SectionType::root, i, wish.partitions[i].root_bytes);
        machine.bundle_base = 512 * mebibyte;
        machine.bundle_bytes = at;
    }
    Machine& ready() {
        EXPECT_TRUE(memory::normalize(entries, map).ok());
        machine.map = &map;
        machine.cpus = cpus;
        machine.reserved = reserved;
        machine.sections = sections;
        return machine;
    }
};

} // namespace plan::test
