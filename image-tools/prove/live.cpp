// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/live.hpp"

#include "image-tools/prove/frames.hpp"
#include "image-tools/prove/policy.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace prove {
namespace {

constexpr std::uint64_t efer_nxe = 1 << 11, cr0_wp = 1 << 16;

class Machine {
public:
    explicit Machine(const LiveInput& input)
        : input_(input), memory_(*input.memory), intended_(*input.intended),
          found_(find_control_blocks(memory_, intended_)) {}

    std::vector<Item> check(bool& settled) {
        settled_ = true;
        control_blocks();
        intercepts();
        maps();
        if (const auto problem = find_owned(intended_, input_.functions, owned_))
            add("devices", *problem, "");
        second_stage();
        remapping();
        root_images();
        host_tables();
        tables_owned();
        settled = settled_;
        return std::move(items_);
    }

private:
    void add(std::string name, const std::string& problem, std::string good) {
        items_.push_back({std::move(name), problem.empty(), problem.empty() ? std::move(good) : problem});
    }

    [[nodiscard]] std::size_t vcpus_intended() const {
        return static_cast<std::size_t>(
            std::count_if(intended_.processors.begin(), intended_.processors.end(),
                          [](const Processor& cpu) { return cpu.owner != nobody; }));
    }

    void control_blocks() {
        std::string problem;
        std::set<std::uint64_t> seen;
        if (found_.control_blocks.size() > vcpus_intended())
            problem = "there are " + std::to_string(found_.control_blocks.size()) + " control blocks for " +
                      std::to_string(vcpus_intended()) + " vCPUs";
        for (const HostSave& save : found_.host_saves)
            if (!seen.insert(save.control_block).second)
                problem = "two CPUs use the control block at " + hex(save.control_block);
        for (const ControlBlock& block : found_.control_blocks) {
            const std::string who = "the control block at " + hex(block.at);
            if (block.nested_control != 1)
                problem =
                    who + " has nested control " + hex(block.nested_control) + ", not nested paging alone";
            if (block.virtual_interrupt >> 24 != 0 || block.lbr_control != 0)
                problem = who + " uses virtual interrupts, AVIC or branch records";
            settled_ = settled_ && block.entered;
        }
        add("control-blocks", problem,
            std::to_string(found_.host_saves.size()) + " of " + std::to_string(vcpus_intended()) +
                " vCPUs have been entered, each CPU with a control block of its own");
    }

    void intercepts() {
        std::string problem;
        for (const ControlBlock& block : found_.control_blocks)
            if (const auto text = intercept_problem(block.intercepts))
                problem = *text + " (control block at " + hex(block.at) + ")";
        add("intercepts", problem, "everything that must exit does");
    }

    void maps() {
        std::string msr_problem, port_problem, kind = "with x2APIC";
        for (const ControlBlock& block : found_.control_blocks) {
            std::array<std::uint8_t, msr_map_bytes> msrs{};
            std::array<std::uint8_t, port_map_bytes> ports{};
            bool x2apic = true;
            if (!memory_.read(block.msr_map, std::as_writable_bytes(std::span(msrs))))
                msr_problem = "the map at " + hex(block.msr_map) + " cannot be read";
            else if (const auto text = msr_map_problem(msrs, x2apic))
                msr_problem = *text;
            if (!x2apic)
                kind = "without x2APIC";
            if (!memory_.read(block.port_map, std::as_writable_bytes(std::span(ports))))
                port_problem = "the map at " + hex(block.port_map) + " cannot be read";
            else if (const auto text = port_map_problem(ports))
                port_problem = *text;
            for (std::uint64_t at = 0; at < msr_map_bytes; at += page)
                control_frames_.insert(block.msr_map + at);
            for (std::uint64_t at = 0; at < port_map_bytes; at += page)
                control_frames_.insert(block.port_map + at);
            control_frames_.insert(block.at);
        }
        for (const HostSave& save : found_.host_saves)
            control_frames_.insert(save.at);
        add("msr-map", msr_problem, "all 24,576 registers equal the policy, " + kind);
        add("port-map", port_problem, "all 65,536 ports exit");
    }

    void second_stage() {
        std::map<std::uint64_t, Walk> walks;
        for (const ControlBlock& block : found_.control_blocks)
            if (!walks.contains(block.nested_root))
                walks[block.nested_root] = walk(memory_, block.nested_root);
        std::set<std::uint64_t> used;
        for (std::uint32_t i = 0; i < intended_.guests.size(); ++i) {
            const Walk* best = nullptr;
            std::uint64_t best_root = 0, best_bytes = 0;
            for (const auto& [root, real] : walks)
                if (const std::uint64_t bytes = common_bytes(i, real);
                    !used.contains(root) && bytes > best_bytes) {
                    best = &real;
                    best_root = root;
                    best_bytes = bytes;
                }
            if (best == nullptr) {
                settled_ = false;
                items_.push_back({"second-stage:" + intended_.guests[i].name, false,
                                  "no CPU has tables for this partition"});
                continue;
            }
            used.insert(best_root);
            items_.push_back(compare_second_stage(intended_, i, owned_, *best));
            table_frames_.insert(best->tables.begin(), best->tables.end());
            guest_walks_.push_back({i, *best});
        }
        for (const auto& [root, real] : walks)
            if (!used.contains(root))
                items_.push_back({"second-stage", false,
                                  "tables at " + hex(root) + " belong to no partition of the plan"});
        shared_frames();
    }

    // While a partition begins anew its devices are in no table.
    void remapping() {
        if (intended_.wishes.empty())
            return;
        std::vector<std::uint64_t> tables;
        for (Item& item : check_remapping(memory_, intended_, owned_, tables)) {
            settled_ = settled_ && (item.passed || item.name != "dma-devices");
            items_.push_back(std::move(item));
        }
        table_frames_.insert(tables.begin(), tables.end());
    }

    // Bytes of the partition that these tables show somewhere.
    [[nodiscard]] std::uint64_t common_bytes(std::uint32_t partition, const Walk& real) const {
        std::uint64_t sum = 0;
        for (const Backing& backing : intended_.backings)
            if (backing.partition == partition)
                for (const Mapping& mapping : real.mappings) {
                    const std::uint64_t from = std::max(backing.frame, mapping.frame);
                    const std::uint64_t to = std::min(backing.frames().end(), mapping.frame + mapping.bytes);
                    sum += to > from ? to - from : 0;
                }
        return sum;
    }

    // From the real tables: no frame in two partitions, but a lane in its two, one of which may write it.
    void shared_frames() {
        struct Seen {
            Range range;
            std::uint32_t partition;
        };
        std::vector<Seen> all;
        for (const auto& [partition, real] : guest_walks_)
            for (const Mapping& mapping : real.mappings)
                for (const Range& range : without_lanes({mapping.frame, mapping.bytes}))
                    all.push_back({range, partition});
        std::sort(all.begin(), all.end(),
                  [](const Seen& a, const Seen& b) { return a.range.base < b.range.base; });
        std::string problem;
        for (std::size_t i = 1; i < all.size(); ++i)
            if (all[i - 1].range.overlaps(all[i].range))
                problem = "frame " + hex(all[i].range.base) + " is mapped twice: for '" +
                          intended_.guests[all[i - 1].partition].name + "' and for '" +
                          intended_.guests[all[i].partition].name + "'";
        for (const auto& [partition, real] : guest_walks_)
            for (const Mapping& mapping : real.mappings)
                for (const Lane& lane : intended_.lanes)
                    if (lane.frames().overlaps({mapping.frame, mapping.bytes}) && partition != lane.writer &&
                        (partition != lane.reader || mapping.write))
                        problem = "the lane from '" + intended_.guests[lane.writer].name + "' to '" +
                                  intended_.guests[lane.reader].name + "' is " +
                                  (mapping.write ? "written" : "read") + " by '" +
                                  intended_.guests[partition].name + "'";
        add("shared-frames", problem,
            "no frame is in two partitions' tables, or twice in one's, except " +
                std::to_string(intended_.lanes.size()) + " lanes with one writer and one reader");
    }

    // What of a range is no lane's.
    [[nodiscard]] std::vector<Range> without_lanes(const Range& range) const {
        if (range.bytes == 0)
            return {};
        for (const Lane& lane : intended_.lanes)
            if (const Range frames = lane.frames(); frames.overlaps(range)) {
                const std::uint64_t before = frames.base > range.base ? frames.base - range.base : 0;
                const std::uint64_t behind = range.end() > frames.end() ? range.end() - frames.end() : 0;
                std::vector<Range> out = without_lanes({range.base, before});
                for (const Range& piece : without_lanes({range.end() - behind, behind}))
                    out.push_back(piece);
                return out;
            }
        return {range};
    }

    // What a partition sees as its root is what was signed.
    void root_images() {
        std::string problem;
        std::uint64_t bytes = 0;
        for (const auto& [partition, real] : guest_walks_) {
            const Guest& guest = intended_.guests[partition];
            if (guest.root_section == plan::no_section || guest.root_section >= intended_.sections.size())
                continue;
            const std::uint64_t offset = intended_.sections[guest.root_section].offset;
            for (const plan::Region& region : guest.regions)
                if (region.kind == plan::RegionKind::root_image) {
                    bytes += region.bytes;
                    if (const std::string text = root_difference(real, region, offset); !text.empty())
                        problem = "'" + guest.name + "': " + text;
                }
        }
        add("root-images", problem, size_text(bytes) + " equal the bundle's file, byte by byte");
    }

    std::string root_difference(const Walk& real, const plan::Region& region, std::uint64_t offset) {
        constexpr std::uint64_t piece = 1 << 20;
        std::vector<std::byte> file(piece), machine(piece);
        for (std::uint64_t at = 0; at < region.bytes;) {
            const Mapping* mapping = nullptr;
            for (const Mapping& one : real.mappings)
                if (region.gpa + at - one.address < one.bytes)
                    mapping = &one;
            if (mapping == nullptr)
                return "no page at offset " + hex(at);
            const std::uint64_t skip = region.gpa + at - mapping->address;
            const auto length =
                static_cast<std::size_t>(std::min({piece, region.bytes - at, mapping->bytes - skip}));
            if (!input_.bundle(offset + at, std::span(file).first(length)) ||
                !memory_.read(mapping->frame + skip, std::span(machine).first(length)) ||
                std::memcmp(file.data(), machine.data(), length) != 0)
                return "its root image differs from the bundle in the MiB at offset " + hex(at);
            at += length;
        }
        return {};
    }

    void host_tables() {
        std::set<std::uint64_t> roots;
        std::string registers;
        for (const HostSave& save : found_.host_saves) {
            roots.insert(save.cr3);
            if ((save.efer & efer_nxe) == 0 || (save.cr0 & cr0_wp) == 0)
                registers = "EFER.NXE or CR0.WP is off: rights of pages do not count";
        }
        std::size_t in_host_mode = 0;
        for (const CpuRegisters& cpu : input_.cpus) // a guest cannot have its GDT in memory of no partition
            if (input_.loader->linked.holds(cpu.rip) && is_hypervisor_frame(cpu.gdt_base)) {
                ++in_host_mode;
                roots.insert(cpu.cr3);
            }
        if (roots.size() != 1 && registers.empty())
            registers = "the CPUs use " + std::to_string(roots.size()) + " different host tables";
        add("host-tables", registers,
            "one set for all CPUs, by " + std::to_string(found_.host_saves.size()) + " host-save areas and " +
                std::to_string(in_host_mode) + " CPUs in host mode");
        std::string writable, foreign, code, boot = boot_memory(), constant;
        std::uint64_t bytes = 0;
        for (const std::uint64_t root : roots) {
            const Walk real = walk(memory_, root);
            writable += real.problem;
            table_frames_.insert(real.tables.begin(), real.tables.end());
            for (const Mapping& mapping : real.mappings) {
                bytes += mapping.bytes;
                const std::string where = pages_text(mapping.bytes) + " at " + hex(mapping.address) +
                                          " (frame " + hex(mapping.frame) + ")";
                if (mapping.write && mapping.execute)
                    writable = "writable and executable: " + where;
                if (mapping.user || mapping.global)
                    writable = "for user mode, or global: " + where;
                if (mapping.execute && !is_code({mapping.frame, mapping.bytes}))
                    code = "executable, but not the loader's code: " + where;
                if (touches(input_.loader->boot, mapping))
                    boot = "still mapped: " + where;
                if (mapping.write && touches(input_.loader->constant, mapping))
                    constant = "still writable: " + where;
                if (const std::string text = foreign_frame(mapping); !text.empty())
                    foreign = "mapped: " + text + ", " + where;
            }
        }
        add("write-xor-execute", writable, size_text(bytes) + " mapped, no page writable and executable");
        add("code", code, "executable pages are the loader ELF's code and nothing else");
        add("boot-code", boot,
            bytes_of(input_.loader->boot) + " of boot's code and data are overwritten and in no table");
        add("constant-data", constant, bytes_of(input_.loader->constant) + " that boot wrote are read-only");
        if (!foreign.empty())
            settled_ = false;
        add("closed-windows", foreign, "the hypervisor maps no page of a partition or of the bundle");
    }

    [[nodiscard]] bool is_hypervisor_frame(std::uint64_t frame) const {
        return owner_of(intended_, frame) == nullptr && !intended_.bundle.holds(frame) &&
               !input_.loader->all.holds(frame) &&
               std::any_of(intended_.usable.begin(), intended_.usable.end(),
                           [&](const Range& usable) { return usable.holds(frame); });
    }

    // What is wrong with the memory in which boot lay.
    [[nodiscard]] std::string boot_memory() {
        std::string problem =
            input_.loader->boot.empty() ? "the loader ELF does not say which part boot is" : "";
        each_page(memory_, input_.loader->boot, [&](std::uint64_t at, const Page& bytes) {
            if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; }))
                problem = "the page at " + hex(at) + " still holds something";
        });
        return problem;
    }

    [[nodiscard]] static bool touches(const std::vector<Range>& ranges, const Mapping& mapping) {
        return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
            return range.overlaps({mapping.frame, mapping.bytes});
        });
    }

    [[nodiscard]] static std::string bytes_of(const std::vector<Range>& ranges) {
        std::uint64_t sum = 0;
        for (const Range& range : ranges)
            sum += range.bytes;
        return size_text(sum);
    }

    [[nodiscard]] bool is_code(const Range& range) const {
        return std::any_of(
            input_.loader->executable.begin(), input_.loader->executable.end(),
            [&](const Range& code) { return range.base >= code.base && range.end() <= code.end(); });
    }

    [[nodiscard]] std::string foreign_frame(const Mapping& mapping) const {
        const Range range{mapping.frame, mapping.bytes};
        for (const Backing& backing : intended_.backings)
            if (backing.frames().overlaps(range))
                return "'" + intended_.guests[backing.partition].name + "'s " +
                       (backing.root ? "root image" : "memory");
        for (const Lane& lane : intended_.lanes)
            if (lane.frames().overlaps(range))
                return "a lane of '" + intended_.guests[lane.writer].name + "'";
        return intended_.bundle.overlaps(range) ? "the bundle" : "";
    }

    // Tables and control structures that a guest could write would be worth nothing.
    void tables_owned() {
        std::string problem;
        const auto look = [&](std::uint64_t frame, const char* what) {
            for (const auto& [partition, real] : guest_walks_)
                for (const Mapping& mapping : real.mappings)
                    if (Range{mapping.frame, mapping.bytes}.holds(frame))
                        problem =
                            "'" + intended_.guests[partition].name + "' sees " + what + " at " + hex(frame);
        };
        for (const std::uint64_t frame : table_frames_)
            look(frame, "a translation table");
        for (const std::uint64_t frame : control_frames_)
            look(frame, "a control structure");
        add("tables-owned", problem,
            std::to_string(table_frames_.size()) + " tables and " + std::to_string(control_frames_.size()) +
                " control pages, none within a partition's reach");
    }

    const LiveInput& input_;
    PhysicalMemory& memory_;
    const Intended& intended_;
    Findings found_;
    std::vector<Item> items_;
    std::vector<OwnedFunction> owned_;
    std::vector<std::pair<std::uint32_t, Walk>> guest_walks_;
    std::set<std::uint64_t> table_frames_, control_frames_;
    bool settled_ = true;
};

} // namespace

std::vector<Item> check_machine(const LiveInput& input, bool& settled) {
    return Machine{input}.check(settled);
}

} // namespace prove
