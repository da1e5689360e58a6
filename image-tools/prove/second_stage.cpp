// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/second_stage.cpp - one partition's tables, its CPUs' or its devices', beside the plan.
#include "image-tools/prove/devices.hpp"
#include "image-tools/prove/frames.hpp"
#include "image-tools/prove/live.hpp"

#include <algorithm>
#include <set>

namespace prove {
namespace {

// What the CPUs of a partition must see: its memory, its lanes, its devices' registers.
std::vector<Backing> for_cpus(const Intended& intended, std::uint32_t partition,
                              std::span<const OwnedFunction> owned) {
    std::vector<Backing> out;
    for (const Backing& backing : intended.backings)
        if (backing.partition == partition)
            out.push_back(backing);
    for (const Lane& lane : intended.lanes)
        if (lane.writer == partition || lane.reader == partition)
            out.push_back(lane.seen_by(partition));
    for (const OwnedFunction& one : owned)
        for (const Backing& bar : one.bars)
            if (one.partition == partition)
                out.push_back(bar);
    return out;
}

// And its devices: its RAM.
std::vector<Backing> for_devices(const Intended& intended, std::uint32_t partition) {
    std::vector<Backing> out;
    for (Backing backing : intended.backings)
        if (backing.partition == partition && !backing.root) {
            backing.lane = true; // nobody fetches instructions there
            out.push_back(backing);
        }
    return out;
}

class SecondStage {
public:
    SecondStage(const Intended& intended, std::vector<Backing> wanted, const Walk& real)
        : intended_(intended), real_(real), wanted_(std::move(wanted)) {}

    // The first differences, by address.
    std::vector<std::string> differences() {
        std::set<std::uint64_t> cuts;
        for (const Backing& backing : wanted_) {
            cuts.insert(backing.gpa);
            cuts.insert(backing.gpa + backing.bytes);
        }
        for (const Mapping& mapping : real_.mappings) {
            cuts.insert(mapping.address);
            cuts.insert(mapping.address + mapping.bytes);
        }
        std::vector<std::string> out;
        for (auto cut = cuts.begin(); cut != cuts.end() && std::next(cut) != cuts.end(); ++cut)
            if (const std::string text = difference(*cut, *std::next(cut) - *cut); !text.empty())
                out.push_back(text);
        return out;
    }

private:
    std::string difference(std::uint64_t gpa, std::uint64_t bytes) const {
        const Backing* wanted = nullptr;
        for (const Backing& backing : wanted_)
            if (gpa - backing.gpa < backing.bytes)
                wanted = &backing;
        const Mapping* real = nullptr;
        for (const Mapping& mapping : real_.mappings)
            if (gpa - mapping.address < mapping.bytes)
                real = &mapping;
        const std::string where = "guest-physical " + hex(gpa);
        if (wanted == nullptr && real == nullptr)
            return {};
        if (wanted == nullptr) {
            const std::uint64_t frame = real->frame + (gpa - real->address);
            return where + ": " + pages_text(bytes) + " too many, frame " + hex(frame) + " (" +
                   whose(intended_, frame) + ")" + (real->write ? ", writable" : "");
        }
        if (real == nullptr)
            return where + ": " + pages_text(bytes) + " missing";
        const std::uint64_t frame = real->frame + (gpa - real->address);
        if (frame != wanted->frame + (gpa - wanted->gpa))
            return where + ": " + pages_text(bytes) + " lead to frame " + hex(frame) + " (" +
                   whose(intended_, frame) + "), the plan says " + hex(wanted->frame + (gpa - wanted->gpa));
        if (real->write == wanted->root || real->execute == (wanted->lane || wanted->registers) ||
            !real->user || real->cached == wanted->registers)
            return where + ": " + pages_text(bytes) +
                   " with other rights: " + (real->write ? "writable" : "not writable") +
                   (real->execute ? ", executable" : ", not executable") +
                   (real->user ? "" : ", not reachable") + (real->cached ? "" : ", uncached");
        return {};
    }

    const Intended& intended_;
    const Walk& real_;
    std::vector<Backing> wanted_;
};

Item compare(std::string name, const Intended& intended, std::vector<Backing> wanted, const Walk& real) {
    Item item{std::move(name), false, real.problem};
    if (!real.problem.empty())
        return item;
    std::uint64_t bytes = 0;
    for (const Backing& backing : wanted)
        bytes += backing.bytes;
    const std::vector<std::string> differences = SecondStage{intended, std::move(wanted), real}.differences();
    item.passed = differences.empty();
    for (std::size_t i = 0; i < std::min<std::size_t>(differences.size(), 3); ++i)
        item.detail += (i == 0 ? "" : "; ") + differences[i];
    if (differences.size() > 3)
        item.detail += "; " + std::to_string(differences.size() - 3) + " more differences";
    if (item.passed)
        item.detail = std::to_string(bytes / page) + " pages equal the plan, nothing else is mapped";
    return item;
}

} // namespace

Item compare_second_stage(const Intended& intended, std::uint32_t partition,
                          std::span<const OwnedFunction> owned, const Walk& real) {
    return compare("second-stage:" + intended.guests[partition].name, intended,
                   for_cpus(intended, partition, owned), real);
}

Item compare_domain(const Intended& intended, std::uint32_t partition, const Walk& real) {
    return compare("dma-tables:" + intended.guests[partition].name, intended,
                   for_devices(intended, partition), real);
}

} // namespace prove
