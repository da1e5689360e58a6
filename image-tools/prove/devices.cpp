// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/devices.hpp"

#include "image-tools/prove/frames.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <map>
#include <set>

namespace prove {
namespace {

// What `devices: [auto]` and `ports:` stand for (docs/manifest.md).
constexpr std::array<std::uint32_t, 3> network_cards{0x808610c9, 0x808610d3, 0x1af41041};

std::uint32_t id_of(const PciFunction& function) {
    return std::uint32_t{function.vendor} << 16 | function.device;
}

const PciFunction* find(const Wish& wish, const std::vector<PciFunction>& functions) {
    std::uint32_t before = 0;
    for (const PciFunction& function : functions) {
        const bool fits = wish.by_address ? function.requester == wish.place
                          : wish.any_card ? std::ranges::count(network_cards, id_of(function)) != 0
                                          : function.vendor == wish.vendor && function.device == wish.device;
        if (fits && (wish.by_address || before++ == wish.place))
            return &function;
    }
    return nullptr;
}

// Whole pages, one after the other in the partition's place for devices, each from a multiple of its size on.
void place_bars(OwnedFunction& one, std::uint64_t& next) {
    for (const Range& bar : one.function.bars) {
        if (bar.bytes == 0)
            continue;
        const std::uint64_t frame = bar.base / page * page;
        const std::uint64_t bytes = (bar.end() - frame + page - 1) / page * page;
        const std::uint64_t gpa = (next + bytes - 1) / bytes * bytes;
        next = gpa + bytes;
        one.bars.push_back(
            {.partition = one.partition, .gpa = gpa, .frame = frame, .bytes = bytes, .registers = true});
    }
}

struct Entry {
    std::uint64_t low = 0, high = 0;
};
constexpr std::uint64_t present = 1, frame_bits = 0x000FFFFFFFFFF000;

class Unit {
public:
    Unit(PhysicalMemory& memory, const Intended& intended, std::span<const OwnedFunction> owned,
         std::vector<std::uint64_t>& tables)
        : memory_(memory), intended_(intended), owned_(owned), tables_(tables) {}

    std::vector<Item> check() {
        if (!memory_.read(vtd_registers.base, registers_)) {
            add("remapping-unit", "its registers at " + hex(vtd_registers.base) + " cannot be read", "");
            return std::move(items_);
        }
        unit();
        contexts();
        domains();
        interrupts();
        return std::move(items_);
    }

private:
    void add(std::string name, const std::string& problem, std::string good) {
        items_.push_back({std::move(name), problem.empty(), problem.empty() ? std::move(good) : problem});
    }

    void unit() {
        constexpr std::size_t status_at = 0x1c;
        constexpr std::uint32_t translates = 1u << 31, remaps = 1u << 25, compatible = 1u << 23;
        const auto status = field<std::uint32_t>(registers_, status_at);
        add("remapping-unit",
            (status & translates) == 0 ? "it does not translate (status " + hex(status) + ")"
            : (status & remaps) == 0   ? "it does not remap interrupts (status " + hex(status) + ")"
            : (status & compatible) != 0
                ? "it lets interrupts pass that it does not remap (status " + hex(status) + ")"
                : "",
            "it translates, remaps interrupts, and blocks those of the old format");
    }

    [[nodiscard]] const OwnedFunction* owner_of_requester(std::uint16_t requester) const {
        const auto found = std::ranges::find_if(
            owned_, [&](const OwnedFunction& one) { return one.function.requester == requester; });
        return found == owned_.end() ? nullptr : &*found;
    }

    std::vector<Entry> table(std::uint64_t at, std::string& problem) {
        std::vector<Entry> out(page / sizeof(Entry));
        tables_.push_back(at);
        if (!memory_.read(at, std::as_writable_bytes(std::span(out))))
            problem = "a table at " + hex(at) + " cannot be read";
        return out;
    }

    // Exactly the devices of the plan are in the tables.
    void contexts() {
        constexpr std::size_t root_at = 0x20;
        std::string problem;
        const std::vector<Entry> root =
            table(field<std::uint64_t>(registers_, root_at) & frame_bits, problem);
        std::set<std::uint16_t> seen;
        for (std::size_t bus = 0; bus < root.size(); ++bus) {
            if ((root[bus].low & present) == 0)
                continue;
            const std::vector<Entry> contexts = table(root[bus].low & frame_bits, problem);
            for (std::size_t i = 0; i < contexts.size(); ++i) {
                if ((contexts[i].low & present) == 0)
                    continue;
                const auto requester = static_cast<std::uint16_t>(bus << 8 | i);
                const OwnedFunction* const owner = owner_of_requester(requester);
                constexpr std::uint64_t type_bits = 3u << 2; // 0: translated by the table
                if (owner == nullptr)
                    problem = "function " + hex(requester) + " reaches memory and is nobody's";
                else if ((contexts[i].low & type_bits) != 0)
                    problem = "function " + hex(requester) + " is not translated";
                else
                    domains_[owner->partition].insert({contexts[i].low & frame_bits, contexts[i].high & 7});
                seen.insert(requester);
            }
        }
        for (const OwnedFunction& one : owned_)
            if (!seen.contains(one.function.requester))
                problem = "function " + hex(one.function.requester) + " of '" +
                          intended_.guests[one.partition].name + "' is not in the tables";
        add("dma-devices", problem,
            std::to_string(owned_.size()) + " functions of the plan reach memory, no other does");
    }

    void domains() {
        for (const auto& [partition, roots] : domains_) {
            if (roots.size() != 1) {
                add("dma-tables:" + intended_.guests[partition].name,
                    "its devices have " + std::to_string(roots.size()) + " different tables", "");
                continue;
            }
            constexpr unsigned least_levels = 2; // width 0
            const auto [root, width] = *roots.begin();
            const Walk real = walk_dma(memory_, root, static_cast<unsigned>(width) + least_levels);
            tables_.insert(tables_.end(), real.tables.begin(), real.tables.end());
            items_.push_back(compare_domain(intended_, partition, real));
        }
    }

    // Every entry that delivers something: an I/O APIC's NMI, or a device's own fixed interrupt to its owner's CPU.
    void interrupts() {
        constexpr std::size_t table_at = 0xb8;
        constexpr std::uint64_t extended = 1u << 11;
        const auto where = field<std::uint64_t>(registers_, table_at);
        const bool wide = (where & extended) != 0;
        const std::uint64_t pages = ((std::uint64_t{2} << (where & 15)) * sizeof(Entry) + page - 1) / page;
        std::string problem;
        std::size_t of_devices = 0, of_others = 0;
        for (std::uint64_t at = 0; at < pages; ++at)
            for (const Entry& entry : table((where & frame_bits) + at * page, problem)) {
                if ((entry.low & present) == 0)
                    continue;
                const std::string text = entry_problem(entry, wide, of_devices, of_others);
                if (!text.empty())
                    problem = text;
            }
        add("interrupt-entries", problem,
            std::to_string(of_devices) + " entries, each one device's to its owner's CPU; " +
                std::to_string(of_others) + " of I/O APICs");
    }

    std::string entry_problem(const Entry& entry, bool wide, std::size_t& of_devices,
                              std::size_t& of_others) const {
        constexpr std::uint64_t nmi = 4, lowest_vector = 32, whole_requester = 1;
        const auto requester = static_cast<std::uint16_t>(entry.high);
        const std::uint64_t mode = entry.low >> 5 & 7, vector = entry.low >> 16 & 0xff,
                            verified = entry.high >> 18 & 3, bits = entry.high >> 16 & 3,
                            cpu = wide ? entry.low >> 32 : entry.low >> 40 & 0xff;
        const std::string who = "the entry of function " + hex(requester);
        if (verified != whole_requester || bits != 0)
            return "an entry (" + hex(entry.low) + ", " + hex(entry.high) + ") is not one function's alone";
        const OwnedFunction* const owner = owner_of_requester(requester);
        if (owner == nullptr) {
            ++of_others;
            return mode == nmi ? "" : who + ", which is nobody's, is no I/O APIC's NMI";
        }
        ++of_devices;
        if (mode != 0 || vector < lowest_vector)
            return who + " delivers mode " + std::to_string(mode) + ", vector " + std::to_string(vector);
        const bool own = std::ranges::any_of(intended_.processors, [&](const Processor& one) {
            return one.apic_id == cpu && one.owner == owner->partition;
        });
        return own ? ""
                   : who + " goes to CPU " + std::to_string(cpu) + ", which is not one of '" +
                         intended_.guests[owner->partition].name + "'";
    }

    PhysicalMemory& memory_;
    const Intended& intended_;
    std::span<const OwnedFunction> owned_;
    std::vector<std::uint64_t>& tables_;
    std::vector<Item> items_;
    Page registers_{};
    // By partition: where its devices' tables begin, and their width.
    std::map<std::uint32_t, std::set<std::pair<std::uint64_t, std::uint64_t>>> domains_;
};

} // namespace

std::optional<std::string> find_owned(const Intended& intended, std::vector<PciFunction> functions,
                                      std::vector<OwnedFunction>& out) {
    std::ranges::sort(functions, {}, &PciFunction::requester);
    std::map<std::uint32_t, std::uint64_t> next;
    out.clear();
    for (const Wish& wish : intended.wishes) {
        const PciFunction* const function = find(wish, functions);
        if (function == nullptr)
            return "the machine has no device " + hex(std::uint32_t{wish.vendor} << 16 | wish.device) + " (" +
                   std::to_string(wish.place) + ") of '" + intended.guests[wish.partition].name + "'";
        OwnedFunction one{wish.partition, *function, {}};
        place_bars(one, next.try_emplace(wish.partition, CAISSON_GPA_DEVICES).first->second);
        out.push_back(std::move(one));
    }
    return std::nullopt;
}

std::vector<Item> check_remapping(PhysicalMemory& memory, const Intended& intended,
                                  std::span<const OwnedFunction> owned, std::vector<std::uint64_t>& tables) {
    return Unit{memory, intended, owned, tables}.check();
}

} // namespace prove
