// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bytes/checked.hpp"
#include "image-tools/elf/pvh.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto require = [](bool condition) {
        if (!condition)
            std::abort();
    };
    const auto kernel = elf::parse_pvh(bytes::Source{std::as_bytes(std::span{data, size})});
    if (!kernel.ok()) {
        require(elf::describe(kernel.error()) != nullptr);
        return 0;
    }
    bool entry_inside = false;
    std::uint64_t end = 0;
    for (const elf::Segment& segment : kernel->segments) {
        require(segment.physical_address >= end && segment.memory_size > 0);
        require(segment.file_size <= segment.memory_size);
        require(bytes::lies_within(segment.file_offset, segment.file_size, size));
        end = segment.physical_address + segment.memory_size;
        require(end <= std::uint64_t{1} << 32);
        entry_inside = entry_inside || (kernel->entry >= segment.physical_address && kernel->entry < end);
    }
    require(entry_inside && kernel->end == end && kernel->lowest == kernel->segments[0].physical_address);
    return 0;
}
