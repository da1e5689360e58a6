// SPDX-License-Identifier: Apache-2.0
// Any firmware map: the result obeys the invariants and agrees with asking every entry about every page that
// matters.
#include "hypervisor/core/bytes/reader.hpp"
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

void check(const std::vector<Range>& entries, const Map& map) {
    for (std::size_t i = 0; i < map.size(); ++i) {
        const Range& range = map[i];
        require(range.bytes != 0 && range.base % 4096 == 0 && range.bytes % 4096 == 0);
        require(range.base < address_limit && range.bytes <= address_limit - range.base);
        if (i > 0) {
            require(map[i - 1].end() <= range.base);
            require(map[i - 1].end() < range.base || map[i - 1].kind != range.kind);
        }
        if (range.kind != Kind::usable)
            continue;
        // First and last page, and every page in which an entry begins or ends.
        std::vector<std::uint64_t> pages{range.base, range.end() - 4096};
        for (const Range& entry : entries)
            for (const std::uint64_t at : {entry.base, entry.base + entry.bytes - 1})
                if (at >= range.base && at < range.end())
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
    Map map;
    if (normalize(entries, map).ok()) {
        check(entries, map);
        Ledger ledger;
        const auto run = find_free(map, ledger, 0x3000, 0x2000);
        if (run) {
            require(is_usable(map, run->base, run->bytes) && run->base % 0x2000 == 0);
            require(ledger.grant(run->base, run->bytes, Owner::of_partition(0)).ok());
            const auto other = find_free(map, ledger, 0x1000, 0x1000);
            require(!other || other->end() <= run->base || other->base >= run->end());
        }
    } else {
        require(map.empty());
    }
    return 0;
}
