// SPDX-License-Identifier: Apache-2.0
// image-tools/build/planning.cpp - asking core/plan, and saying what it refuses in the manifest's words.
#include "image-tools/build/planning.hpp"

#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/board/bind.hpp"
#include "image-tools/build/network.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/plan/board.hpp"
#include "image-tools/plan/layout.hpp"

#include <algorithm>
#include <array>

namespace build {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::uint64_t memory_step = 64 * mebibyte;
constexpr std::uint64_t largest_assumed = std::uint64_t{512} << 30;

// What the hypervisor takes beside second-stage tables, rounded up; the machine itself decides at boot.
constexpr plan::Options assumed_needs{
    .frames_fixed = 256, .frames_per_cpu = 16, .frames_per_partition = 8, .frames_per_vcpu = 8};

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string((bytes + mebibyte - 1) / mebibyte) + "MiB";
}

// Where the loader's image lies (hypervisor/kernel/link.ld), with room for it to grow.
constexpr std::array<memory::Run, 1> assumed_image{{{0x200000, 0x200000}}};

diagnostic::Diagnostic at(const manifest::Manifest& manifest, manifest::Spot spot, diagnostic::Code code,
                          std::string message, std::string help = {}) {
    return diagnostic::fail(code, std::move(message))
        .at(manifest.source.place(spot))
        .help(std::move(help))
        .diagnostic();
}

// Where the search for a machine's memory starts: what partitions and bundle take, and some for the hypervisor.
std::uint64_t least_memory(const plan::Plan& plan, std::uint64_t bundle_bytes) {
    std::uint64_t memory = bundle_bytes + 16 * mebibyte;
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i)
        memory += plan.partition(i).memory_bytes;
    return (memory + memory_step - 1) / memory_step * memory_step;
}

diagnostic::Diagnostic memory_too_small(const manifest::Manifest& manifest,
                                        const manifest::Partition& partition,
                                        const plan::RequestIssue& issue) {
    // Never rounded: "needs 1.8 MiB, is given 1.8 MiB" would help nobody.
    const auto exact = [](std::uint64_t bytes) { return std::to_string((bytes + 1023) / 1024) + " KiB"; };
    return at(manifest, partition.memory_spot, "E0313",
              "'" + partition.name + "' needs at least " + exact(issue.needed) + " of memory, it is given " +
                  exact(issue.available),
              "write: memory: " + mebibytes(issue.needed));
}

diagnostic::Diagnostic machine_too_small(const manifest::Manifest& manifest, std::uint64_t needed,
                                         std::uint64_t available) {
    const std::uint64_t missing = needed - std::min(needed, available);
    return at(manifest, manifest.machine.memory_spot, "E0313",
              "the plan needs " + manifest::size_text(needed) + " of memory, the machine has " +
                  manifest::size_text(available) + " free",
              "write: memory: " + mebibytes(manifest.machine.memory + missing) +
                  " under 'machine', or give the partitions less");
}

diagnostic::Diagnostic too_many_cpus(const manifest::Manifest& manifest, std::uint64_t needed,
                                     std::uint64_t available) {
    const manifest::Partition* const uplink = manifest.uplink();
    return at(manifest, manifest.machine.cpus_spot, "E0312",
              "the partitions" + std::string(uplink != nullptr ? " and their uplink" : "") + " need " +
                  std::to_string(needed) + " CPUs, the machine has " + std::to_string(available),
              uplink == nullptr ? "give the machine more CPUs, or the partitions fewer"
                                : "give the machine more CPUs, or the partitions fewer; where one container "
                                  "alone needs the outside, it takes no uplink");
}

// What neither the machine nor one key of the manifest is to blame for.
diagnostic::Diagnostic not_possible(const manifest::Manifest& manifest, std::uint32_t partition,
                                    const char* why) {
    if (partition >= manifest.partitions.size())
        return at(manifest, {}, "E0311", std::string("the plan is not possible: ") + why);
    const manifest::Partition& entry = manifest.partitions[partition];
    return at(manifest, entry.spot, "E0311", "'" + entry.name + "': " + why);
}

diagnostic::Diagnostic diagnose(const manifest::Manifest& manifest, const plan::RequestIssue& issue) {
    using plan::RequestError;
    if (issue.error == RequestError::machine_memory_too_small)
        return machine_too_small(manifest, issue.needed, issue.available);
    if (issue.error == RequestError::too_many_cpus)
        return too_many_cpus(manifest, issue.needed, issue.available);
    if (issue.partition >= manifest.partitions.size())
        return not_possible(manifest, issue.partition, plan::describe(issue.error));
    const manifest::Partition& partition = manifest.partitions[issue.partition];
    const std::string who = "'" + partition.name + "'";
    switch (issue.error) {
    case RequestError::memory_too_small:
        return memory_too_small(manifest, partition, issue);
    case RequestError::memory_too_large:
        return at(manifest, partition.memory_spot, "E0313",
                  who + " can have at most " + manifest::size_text(issue.available) + " of memory");
    case RequestError::cpu_not_there:
        return at(manifest, partition.spot, "E0312",
                  who + " names CPU " + std::to_string(issue.needed) + ", the machine has " +
                      std::to_string(issue.available) + " CPUs");
    case RequestError::kernel_in_boot_area:
    case RequestError::kernel_too_high:
    case RequestError::root_too_large:
    case RequestError::root_missing:
    case RequestError::root_misaligned:
    case RequestError::command_line_too_long:
    case RequestError::startup_too_long:
    case RequestError::too_many_loads:
    case RequestError::too_many_wires:
    case RequestError::too_many_devices: {
        std::string message = who + ": " + plan::describe(issue.error);
        if (issue.available != 0)
            message +=
                " (" + std::to_string(issue.needed) + ", at most " + std::to_string(issue.available) + ")";
        return at(manifest, partition.spot, "E0314", std::move(message));
    }
    default:
        return not_possible(manifest, issue.partition, plan::describe(issue.error));
    }
}

} // namespace

diagnostic::Diagnostic diagnose(const manifest::Manifest& manifest, const plan::Issue& issue) {
    if (issue.error == plan::Error::not_enough_memory)
        return machine_too_small(manifest, issue.needed, issue.available);
    if (issue.error == plan::Error::not_enough_cpus)
        return too_many_cpus(manifest, issue.needed, issue.available);
    return not_possible(manifest, issue.partition, plan::describe(issue.error));
}

void read_kernel(const std::string& elf, const std::string& name, PartitionContent& content) {
    const auto kernel = elf::parse_pvh(bytes::Source(std::as_bytes(std::span(elf.data(), elf.size()))));
    if (!kernel) {
        const bool program =
            kernel.error() == elf::Error::no_pvh_note || kernel.error() == elf::Error::not_executable;
        throw diagnostic::fail("E0415", name + " " + elf::describe(kernel.error()))
            .help(
                program
                    ? "a program goes into an image: caisson image create --from DIR --entrypoint /bin/NAME "
                      "oci:image, and then image: instead of kernel:"
                    : "a kernel must be an x86 ELF with a PVH note (XEN_ELFNOTE_PHYS32_ENTRY)");
    }
    content.kernel = *kernel;
}

std::vector<std::byte> make_table(const manifest::Manifest& manifest,
                                  const std::vector<PartitionContent>& contents,
                                  const std::array<std::uint8_t, 32>& audit_key) {
    std::vector<plan::PartitionRequest> partitions;
    for (const PartitionContent& content : contents) {
        const manifest::Partition& source = *content.partition;
        plan::PartitionRequest request;
        request.name = source.name;
        request.payload = source.kernel      ? plan::PayloadKind::pvh
                          : source.is_uplink ? plan::PayloadKind::uplink
                                             : plan::PayloadKind::unikernel;
        request.cpus = source.cpus;
        request.cpu_set = source.cpu_set;
        request.memory_bytes = source.memory;
        request.root_bytes = content.root_bytes;
        request.module_bytes = content.module_bytes;
        request.kernel = content.kernel;
        request.kernel_section = content.kernel_section;
        request.root_section = content.root_section;
        request.module_section = content.module_section;
        request.command_line = source.command_line;
        request.startup = std::as_bytes(std::span(content.startup));
        request.behaviour = source.behaviour;
        request.behaviour.stop_signal = content.stop_signal;
        partitions.push_back(request);
    }
    plan::Request request;
    request.name = manifest.name;
    request.behaviour = manifest.machine.behaviour;
    request.machine_cpus = manifest.machine.cpus;
    request.machine_memory = manifest.machine.memory;
    request.audit_key = audit_key;
    request.partitions = partitions;
    const std::vector<plan::WireRequest> wires = wires_of(manifest);
    request.wires = wires;
    std::vector<plan::DeviceRequest> devices;
    for (std::uint32_t i = 0; i < contents.size(); ++i)
        for (const manifest::DeviceName& name : contents[i].partition->devices)
            devices.push_back({i, name.vendor, name.device, name.place, name.by_address, name.firmware_memory,
                               name.any_card});
    request.devices = devices;
    const auto table = plan::layout(request);
    if (!table)
        throw diagnostic::Failure(diagnose(manifest, table.error()));
    return *table;
}

std::string describe(const plan::Issue& issue) {
    std::string out = plan::describe(issue.error);
    if (issue.needed == 0 && issue.available == 0)
        return out;
    const bool bytes =
        issue.error == plan::Error::not_enough_memory || issue.error == plan::Error::too_fragmented;
    const auto text = [&](std::uint64_t value) {
        return bytes ? manifest::size_text(value) : std::to_string(value);
    };
    return out + " (needed " + text(issue.needed) + ", there are " + text(issue.available) + ")";
}

AssumedMachine assume_machine(const std::vector<std::byte>& table,
                              const std::vector<bundle::SectionShape>& sections, std::uint64_t bundle_bytes) {
    AssumedMachine out;
    const auto parsed = plan::Plan::parse(table);
    if (!parsed) {
        out.issue = parsed.error();
        return out;
    }
    const plan::Header& header = parsed->header();
    out.cpus = header.machine_cpus != 0 ? header.machine_cpus : parsed->cpus_needed();
    std::vector<plan::Cpu> cpus(out.cpus);
    plan::assumed_cpus(plan::Board::qemu_q35, cpus);
    std::vector<plan::SectionExtent> extents;
    for (const bundle::SectionShape& section : sections)
        extents.push_back({section.type, section.partition, section.offset, section.size});
    auto bound = std::make_unique<plan::BoundPlan>();
    const std::uint64_t least = least_memory(*parsed, bundle_bytes);
    out.memory = header.machine_memory != 0 ? header.machine_memory : least;
    for (;; out.memory += std::max(memory_step, out.memory / 8)) {
        memory::Runs map;
        plan::Machine machine;
        machine.map = &map;
        machine.cpus = cpus;
        machine.reserved = assumed_image;
        machine.bundle_base = plan::assumed_bundle_base(plan::Board::qemu_q35, out.memory, bundle_bytes);
        machine.bundle_bytes = bundle_bytes;
        machine.sections = extents;
        out.issue = {plan::Error::not_enough_memory, plan::no_index, least, out.memory};
        if (machine.bundle_base != 0 && plan::assumed_map(plan::Board::qemu_q35, out.memory, map)) {
            const auto status = plan::bind(*parsed, machine, assumed_needs, *bound);
            if (status) {
                out.bound = std::move(bound);
                return out;
            }
            out.issue = status.error();
        }
        if (header.machine_memory != 0 || out.memory > largest_assumed)
            return out;
    }
}

namespace {

memory::Run image_of(const std::string& loader) {
    const auto elf = elf::parse_pvh(bytes::Source(std::as_bytes(std::span(loader.data(), loader.size()))));
    return elf ? memory::Run{elf->lowest, elf->end - elf->lowest} : board::usual_image;
}

} // namespace

AssumedMachine machine_for(const board::Facts* board, const std::string& loader,
                           const std::vector<std::byte>& table,
                           const std::vector<bundle::SectionShape>& sections, std::uint64_t bundle_bytes) {
    if (board == nullptr)
        return assume_machine(table, sections, bundle_bytes);
    AssumedMachine out;
    const auto parsed = plan::Plan::parse(table);
    if (!parsed) {
        out.issue = parsed.error();
        return out;
    }
    std::vector<plan::SectionExtent> extents;
    for (const bundle::SectionShape& section : sections)
        extents.push_back({section.type, section.partition, section.offset, section.size});
    const board::Described described(*board);
    out.described = true;
    out.cpus = static_cast<std::uint32_t>(described.cpus.size());
    out.memory = described.map.bytes();
    board::Outcome outcome = board::bind_on(*board, *parsed, extents, bundle_bytes, image_of(loader));
    out.bound = std::move(outcome.bound);
    out.refusal = std::move(outcome.refusal);
    return out;
}

diagnostic::Diagnostic diagnose(const manifest::Manifest& manifest, const AssumedMachine& machine) {
    if (!machine.described)
        return diagnose(manifest, machine.issue);
    diagnostic::Diagnostic out =
        diagnostic::fail("E0902", "the hypervisor cannot run on this machine: " + machine.refusal)
            .help(
                "the board's description says so (--board); caisson board check FILE grades the board itself")
            .diagnostic();
    out.exit = diagnostic::ExitCode::manifest;
    return out;
}

} // namespace build
