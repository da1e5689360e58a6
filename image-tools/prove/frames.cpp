// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/frames.hpp"

namespace prove {

std::string pages_text(std::uint64_t bytes) {
    return bytes == page ? "a page" : std::to_string(bytes / page) + " pages";
}

const Backing* owner_of(const Intended& intended, std::uint64_t frame) {
    for (const Backing& backing : intended.backings)
        if (backing.frames().holds(frame))
            return &backing;
    return nullptr;
}

std::string whose(const Intended& intended, std::uint64_t frame) {
    if (const Backing* owner = owner_of(intended, frame))
        return "'" + intended.guests[owner->partition].name + "'s " + (owner->root ? "root image" : "memory");
    if (intended.bundle.holds(frame))
        return "the bundle";
    for (const Lane& lane : intended.lanes)
        if (lane.frames().holds(frame))
            return "a lane of '" + intended.guests[lane.writer].name + "'";
    for (const Range& usable : intended.usable)
        if (usable.holds(frame))
            return !intended.hypervisor.empty() && intended.hypervisor.front().holds(frame)
                       ? "the hypervisor's image"
                       : "memory of no partition";
    return "no memory for use";
}

} // namespace prove
