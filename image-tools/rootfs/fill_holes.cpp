// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/fill_holes.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace rootfs {

namespace {

constexpr std::uint32_t first_block = 1, tolerated_part = 512;

// By place, and by size to find the smallest that is large enough.
class Holes {
public:
    void add(std::uint32_t first, std::uint32_t blocks) {
        if (blocks != 0) {
            by_place_.emplace(first, blocks);
            by_size_.emplace(blocks, first);
            total_ += blocks;
        }
    }
    // 0: none is large enough.
    std::uint32_t take(std::uint32_t blocks) {
        const auto found = by_size_.lower_bound({blocks, 0});
        if (found == by_size_.end()) {
            return 0;
        }
        const auto [size, place] = *found;
        remove(place, size);
        add(place + blocks, size - blocks);
        return place;
    }
    // Those from `place` on are no longer below.
    void forget_from(std::uint32_t place) {
        while (!by_place_.empty() && by_place_.rbegin()->first >= place) {
            remove(by_place_.rbegin()->first, by_place_.rbegin()->second);
        }
    }
    [[nodiscard]] std::uint32_t total() const { return total_; }
    [[nodiscard]] const std::map<std::uint32_t, std::uint32_t>& all() const { return by_place_; }

private:
    void remove(std::uint32_t place, std::uint32_t size) {
        by_place_.erase(place);
        by_size_.erase({size, place});
        total_ -= size;
    }

    std::map<std::uint32_t, std::uint32_t> by_place_;
    std::set<std::pair<std::uint32_t, std::uint32_t>> by_size_;
    std::uint32_t total_ = 0;
};

} // namespace

Filling fill_holes(const std::vector<Extent>& live, std::uint32_t end) {
    struct Content {
        const Extent* extent;
        std::uint32_t from;
    };
    std::map<std::uint32_t, Content> placed; // by first block
    for (const Extent& extent : live) {
        placed.emplace(*extent.first, Content{&extent, *extent.first});
    }
    const auto end_of_placed = [&placed] {
        return placed.empty() ? first_block : placed.rbegin()->first + placed.rbegin()->second.extent->blocks;
    };
    Holes holes;
    std::uint32_t at = first_block;
    for (const auto& [place, content] : placed) {
        holes.add(at, place - at);
        at = place + content.extent->blocks;
    }
    std::vector<Content> slide;
    while (holes.total() > end / tolerated_part) {
        const Content last = placed.rbegin()->second;
        placed.erase(std::prev(placed.end()));
        holes.forget_from(end_of_placed()); // which is now room at the end
        if (const std::uint32_t place = holes.take(last.extent->blocks); place != 0) {
            placed.emplace(place, last);
        } else {
            slide.push_back(last);
        }
    }
    // What goes into holes overwrites nothing that lives. What slides does so in its old order, so that nothing is overwritten
    // before it has moved: it all lay above.
    Filling out{{}, {holes.all().begin(), holes.all().end()}, end_of_placed()};
    for (const auto& [place, content] : placed) {
        if (place != content.from) {
            out.moves.push_back({content.from, place, content.extent->blocks});
            *content.extent->first = place;
        }
    }
    std::sort(slide.begin(), slide.end(), [](const Content& a, const Content& b) { return a.from < b.from; });
    for (const Content& content : slide) {
        Move* before = out.moves.empty() ? nullptr : &out.moves.back();
        if (before != nullptr && before->from + before->blocks == content.from &&
            before->to + before->blocks == out.end) {
            before->blocks += content.extent->blocks;
        } else if (content.from != out.end) {
            out.moves.push_back({content.from, out.end, content.extent->blocks});
        }
        *content.extent->first = out.end;
        out.end += content.extent->blocks;
    }
    return out;
}

} // namespace rootfs
