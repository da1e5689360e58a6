// SPDX-License-Identifier: Apache-2.0
// Any firmware map: the result obeys the invariants and agrees with asking every entry about every page that
// matters.
#include "hypervisor/core/bytes/cursor_test.hpp"
#include "hypervisor/core/memory/frame_pool.hpp"

#include <cstdlib>
#include <vector>

namespace {

using namespace memory;

void require(bool condition) {
    if (!condition)
        std::abort();
}

// Whether any page of the entry, rounded outwards, touches the page at `page`.
bool touches(const Range& entry, std::uint64_t page) {
    std::uint64_t end = 0;
    if (__builtin_add_overflow(entry.base, entry.bytes, &end))
        end = ~std::uint64_t{0};
    return entry.bytes != 0 && entry.base < page + 4096 && end > page;
}

void check(const std::vector<Range>& entries, const Runs& usable) {
    std::uint64_t end = 0;
    for (const Run& run : usable.view()) {
        require(run.bytes != 0 && run.base % 4096 == 0 && run.bytes % 4096 == 0);
        require(run.base < address_limit && run.bytes <= address_limit - run.base);
        require(end == 0 || end < run.base);
        end = run.end();
        // First and last page, and every page in which an entry begins or ends.
        std::vector<std::uint64_t> pages{run.base, run.end() - 4096};
        for (const Range& entry : entries)
            for (const std::uint64_t at : {entry.base, entry.base + entry.bytes - 1})
                if (at >= run.base && at < run.end())
                    pages.push_back(at & ~std::uint64_t{4095});
        for (const std::uint64_t page : pages)
            for (const Range& entry : entries)
                require(entry.kind == Kind::usable || !touches(entry, page));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bytes::Reader reader{std::as_bytes(std::span{data, size})};
    std::vector<Range> entries;
    while (entries.size() < max_firmware_entries + 1) {
        const auto base = reader.read<std::uint64_t>();
        const auto length = reader.read<std::uint64_t>();
        const auto type = reader.read<std::uint8_t>();
        if (!base || !length || !type)
            break;
        entries.push_back({*base, *length, kind_of_e820(*type)});
    }
    Runs usable;
    if (!normalize(entries, usable).ok()) {
        require(usable.view().empty());
        return 0;
    }
    check(entries, usable);
    const std::uint64_t all = usable.bytes();
    if (const auto run = usable.find(0x3000, 0x2000)) {
        require(usable.contains(run->base, run->bytes) && run->base % 0x2000 == 0);
        if (usable.remove(run->base, run->bytes))
            require(usable.bytes() == all - run->bytes && !usable.contains(run->base, 1));
    }
    return 0;
}
