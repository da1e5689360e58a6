// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/check_plan.cpp - the plan's invariants, each by itself.
#include "hypervisor/core/bundle/format.hpp"
#include "image-tools/prove/intended.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace prove {
namespace {

constexpr std::uint64_t page = 4096, low_memory = 1 << 20;

using Problem = std::optional<std::string>;

std::string at(const Range& range) {
    return hex(range.base) + "-" + hex(range.end());
}

std::string region_text(const Guest& guest, std::uint64_t gpa) {
    return "'" + guest.name + "', guest-physical " + hex(gpa);
}

bool is_root(const plan::Region& region) {
    return region.kind == plan::RegionKind::root_image;
}

// Guest-physical layouts: whole pages, ascending, apart; RAM adds up; at most one root image.
Problem layouts(const Intended& intended) {
    for (const Guest& guest : intended.guests) {
        std::uint64_t end = 0, ram = 0;
        unsigned roots = 0;
        for (const plan::Region& region : guest.regions) {
            if (region.gpa % page != 0 || region.bytes % page != 0 || region.bytes == 0)
                return region_text(guest, region.gpa) + ": not whole pages";
            if (region.gpa < end || region.gpa + region.bytes < region.gpa)
                return region_text(guest, region.gpa) + ": overlaps what is before it";
            if (!is_root(region) && region.kind != plan::RegionKind::ram)
                return region_text(guest, region.gpa) + ": neither RAM nor a root image";
            end = region.gpa + region.bytes;
            is_root(region) ? static_cast<void>(++roots) : static_cast<void>(ram += region.bytes);
        }
        if (ram != guest.memory_bytes || ram == 0)
            return "'" + guest.name + "' is to have " + size_text(guest.memory_bytes) +
                   ", its regions hold " + size_text(ram);
        if (roots != (guest.root_section == plan::no_section ? 0u : 1u))
            return "'" + guest.name + "' has " + std::to_string(roots) + " root images";
    }
    return std::nullopt;
}

// Every byte of every region is backed once, by frames of that kind, and nothing else is.
Problem complete(const Intended& intended) {
    std::size_t next = 0;
    for (std::uint32_t i = 0; i < intended.guests.size(); ++i) {
        const Guest& guest = intended.guests[i];
        for (const plan::Region& region : guest.regions) {
            std::uint64_t gpa = region.gpa;
            while (next < intended.backings.size() && intended.backings[next].partition == i &&
                   intended.backings[next].gpa == gpa && gpa < region.gpa + region.bytes) {
                if (intended.backings[next].root != is_root(region))
                    return region_text(guest, gpa) + ": backed as the wrong kind";
                gpa += intended.backings[next++].bytes;
            }
            if (gpa != region.gpa + region.bytes)
                return region_text(guest, gpa) + ": " +
                       (gpa < region.gpa + region.bytes ? "no frames" : "too many frames");
        }
    }
    if (next != intended.backings.size())
        return region_text(intended.guests[intended.backings[next].partition], intended.backings[next].gpa) +
               ": frames for what is in no region";
    return std::nullopt;
}

struct Owned {
    Range range;
    std::string owner;
};

Problem disjoint(const Intended& intended) {
    std::vector<Owned> all;
    for (const Range& range : intended.hypervisor)
        all.push_back({range, "the hypervisor"});
    for (const Backing& backing : intended.backings)
        all.push_back({backing.frames(), "'" + intended.guests[backing.partition].name + "'"});
    for (const Lane& lane : intended.lanes)
        all.push_back({lane.frames(), "a lane of '" + intended.guests[lane.writer].name + "'"});
    std::sort(all.begin(), all.end(),
              [](const Owned& a, const Owned& b) { return a.range.base < b.range.base; });
    for (std::size_t i = 1; i < all.size(); ++i)
        if (all[i - 1].range.overlaps(all[i].range))
            return at(all[i].range) + " of " + all[i].owner + " overlaps " + at(all[i - 1].range) + " of " +
                   all[i - 1].owner;
    return std::nullopt;
}

// A lane has one writer and one other reader, in whole pages of its own, where neither has anything else; a wire has at most
// one lane each way.
Problem lanes(const Intended& intended) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
    std::vector<Backing> seen;
    for (const Lane& lane : intended.lanes) {
        if (lane.writer >= intended.guests.size() || lane.reader >= intended.guests.size() ||
            lane.writer == lane.reader)
            return "a lane has not two partitions";
        const std::string who = "the lane from '" + intended.guests[lane.writer].name + "' to '" +
                                intended.guests[lane.reader].name + "'";
        if (!pairs.insert({lane.writer, lane.reader}).second)
            return who + " is there twice";
        if (lane.frame == 0 || lane.bytes == 0 || (lane.frame | lane.bytes) % page != 0)
            return who + " has no whole pages of its own";
        for (const std::uint32_t partition : {lane.writer, lane.reader}) {
            const Backing here = lane.seen_by(partition);
            const Range range{here.gpa, here.bytes};
            const auto meets = [&](const auto& other) { return range.overlaps({other.gpa, other.bytes}); };
            const auto& regions = intended.guests[partition].regions;
            if (here.gpa % page != 0 || std::any_of(regions.begin(), regions.end(), meets) ||
                std::any_of(seen.begin(), seen.end(), [&](const Backing& other) {
                    return other.partition == partition && meets(other);
                }))
                return who + " lies over something else of '" + intended.guests[partition].name + "'";
            seen.push_back(here);
        }
    }
    return std::nullopt;
}

// Rule 4: below 1 MiB, what firmware keeps, holes; the bundle but a partition's own root in it.
Problem given(const Intended& intended) {
    std::vector<Backing> all = intended.backings;
    for (const Lane& lane : intended.lanes) {
        all.push_back(lane.seen_by(lane.writer));
        all.back().root = false;
    }
    for (const Backing& backing : all) {
        const Range frames = backing.frames();
        const std::string who = "'" + intended.guests[backing.partition].name + "' is given " + at(frames);
        if (frames.base < low_memory)
            return who + ", below 1 MiB";
        if (std::none_of(intended.usable.begin(), intended.usable.end(), [&](const Range& usable) {
                return frames.base >= usable.base && frames.end() <= usable.end();
            }))
            return who + ", which is not (all) memory for use";
        if (!backing.root && frames.overlaps(intended.bundle))
            return who + ", which holds the bundle";
    }
    return std::nullopt;
}

// A root image belongs to the partition that names it, or to all who do; in the bundle it is exactly its section, and one of
// them has it there.
Problem roots(const Intended& intended) {
    std::set<std::uint32_t> seen, in_bundle;
    for (std::uint32_t i = 0; i < intended.guests.size(); ++i) {
        const Guest& guest = intended.guests[i];
        if (guest.root_section == plan::no_section)
            continue;
        if (guest.root_section >= intended.sections.size())
            return "'" + guest.name + "' names section " + std::to_string(guest.root_section) +
                   ", which is not there";
        const bundle::SectionShape& section = intended.sections[guest.root_section];
        const bool shared = section.partition == bundle::no_partition;
        if (!seen.insert(guest.root_section).second && !shared)
            return "'" + guest.name + "' names section " + std::to_string(guest.root_section) +
                   ", which is another's";
        if (section.type != static_cast<std::uint32_t>(bundle::SectionType::root) ||
            (!shared && section.partition != i))
            return "'" + guest.name + "' names a section that is not its root image";
        for (const Backing& backing : intended.backings) {
            if (backing.partition != i || !backing.root || !backing.frames().overlaps(intended.bundle))
                continue;
            if (backing.frame != intended.bundle.base + section.offset || backing.bytes != section.size)
                return "'" + guest.name + "' sees " + at(backing.frames()) +
                       " of the bundle, which is not exactly its root image";
            if (!in_bundle.insert(guest.root_section).second)
                return "'" + guest.name + "' sees the root image in the bundle that another sees there";
        }
    }
    return std::nullopt;
}

// What a partition starts with: from its own or everybody's kernel or module, into one RAM region.
Problem payloads(const Intended& intended) {
    const auto lies_in = [](std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) {
        return offset <= size && bytes <= size - offset;
    };
    for (std::uint32_t i = 0; i < intended.guests.size(); ++i) {
        const Guest& guest = intended.guests[i];
        for (const plan::Load& load : guest.loads) {
            if (std::none_of(guest.regions.begin(), guest.regions.end(), [&](const plan::Region& region) {
                    return !is_root(region) && load.gpa >= region.gpa &&
                           lies_in(load.gpa - region.gpa, load.bytes, region.bytes);
                }))
                return region_text(guest, load.gpa) + ": loaded outside its RAM";
            if (load.section == plan::no_section)
                continue;
            if (load.section >= intended.sections.size())
                return region_text(guest, load.gpa) + ": from a section that is not there";
            const bundle::SectionShape& from = intended.sections[load.section];
            const auto type = static_cast<bundle::SectionType>(from.type);
            if ((type != bundle::SectionType::kernel && type != bundle::SectionType::module) ||
                (from.partition != i && from.partition != bundle::no_partition) ||
                !lies_in(load.offset, load.bytes, from.size))
                return region_text(guest, load.gpa) + ": from what is not its own kernel or module";
        }
        if (guest.loads.empty())
            return "'" + guest.name + "' starts with nothing";
    }
    return std::nullopt;
}

Problem processors(const Intended& intended) {
    std::set<std::uint32_t> apic_ids;
    std::map<std::uint32_t, std::uint32_t> core_owner;
    std::set<std::pair<std::uint32_t, std::uint32_t>> vcpus;
    for (std::size_t rank = 0; rank < intended.processors.size(); ++rank) {
        const Processor& cpu = intended.processors[rank];
        const std::string who = "the CPU with APIC ID " + std::to_string(cpu.apic_id);
        if (!apic_ids.insert(cpu.apic_id).second)
            return who + " is there twice";
        if (cpu.owner == nobody)
            continue;
        if (cpu.owner >= intended.guests.size() || !vcpus.insert({cpu.owner, cpu.vcpu}).second)
            return who + " runs a vCPU that another runs too";
        const Guest& guest = intended.guests[cpu.owner];
        if (guest.cpu_set != 0 && (rank >= 64 || (guest.cpu_set >> rank & 1) == 0))
            return who + " is not in the cpuset of '" + guest.name + "'";
        const auto [core, first] = core_owner.insert({cpu.core, cpu.owner});
        if (!first && core->second != cpu.owner &&
            !(guest.shares_cores && intended.guests[core->second].shares_cores))
            return "'" + guest.name + "' and '" + intended.guests[core->second].name + "' share a core";
    }
    for (std::uint32_t i = 0; i < intended.guests.size(); ++i)
        for (std::uint32_t vcpu = 0; vcpu < intended.guests[i].cpu_count; ++vcpu)
            if (!vcpus.contains({i, vcpu}))
                return "vCPU " + std::to_string(vcpu) + " of '" + intended.guests[i].name + "' has no CPU";
    return std::nullopt;
}

// Rule 4: registers lie outside memory, image and bundle, and not over each other.
Problem devices(const Intended& intended) {
    std::vector<Range> others = intended.usable;
    others.insert(others.end(), intended.hypervisor.begin(), intended.hypervisor.end());
    others.push_back(intended.bundle);
    for (const Range& device : intended.devices) {
        for (const Range& other : others)
            if (device.overlaps(other))
                return "the device at " + at(device) + " overlaps " + at(other);
        others.push_back(device);
    }
    return std::nullopt;
}

} // namespace

std::vector<Item> check_plan(const Intended& intended) {
    std::vector<Item> out;
    const auto item = [&](const char* name, const Problem& problem, std::string good) {
        out.push_back({name, !problem, problem ? *problem : std::move(good)});
    };
    std::uint64_t ram = 0, root = 0;
    for (const Backing& backing : intended.backings)
        (backing.root ? root : ram) += backing.bytes;
    std::size_t used = 0;
    for (const Processor& cpu : intended.processors)
        used += cpu.owner == nobody ? 0 : 1;
    item("layouts", layouts(intended),
         std::to_string(intended.guests.size()) + " partitions, each region whole pages, apart, adding up");
    item("complete", complete(intended),
         size_text(ram) + " of RAM and " + size_text(root) + " of root images, every page backed once");
    item("one-owner", disjoint(intended), "no frame belongs to two partitions, or to one and the hypervisor");
    item("lanes", lanes(intended),
         std::to_string(intended.lanes.size()) + " lanes, each with one writer and one reader, apart");
    item("never-given", given(intended), "nothing below 1 MiB, of firmware, in holes or of the bundle");
    item("devices", devices(intended),
         std::to_string(intended.devices.size()) +
             " devices' registers, outside memory, image and bundle, apart");
    item("roots", roots(intended),
         "each root image is its partition's own section or its own copy, read and execute only");
    item("payloads", payloads(intended), "each starts with its own kernel and modules, in its RAM");
    item("cpus", processors(intended),
         std::to_string(used) + " CPUs for vCPUs, " + std::to_string(intended.processors.size() - used) +
             " parked; no core shared but where both said so");
    return out;
}

} // namespace prove
