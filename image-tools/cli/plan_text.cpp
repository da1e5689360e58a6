// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/plan_text.cpp - a plan for people and for programs.
#include "image-tools/cli/plan_text.hpp"

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/cli/plan_network.hpp"
#include "image-tools/cli/table.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/plan/boot_area.hpp"
#include "image-tools/plan/words.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <fmt/format.h>

namespace cli {
namespace {

using manifest::size_text;
constexpr std::uint64_t page = 4096;

// "1-2" from the bound plan, else the count.
std::string cpus_text(const PlanView& view, std::uint32_t partition, const ::plan::Partition& entry) {
    if (!view.machine.bound)
        return std::to_string(entry.cpu_count);
    std::string out;
    for (std::uint32_t vcpu = 0; vcpu < entry.cpu_count; ++vcpu)
        for (std::size_t rank = 0; rank < view.machine.bound->cpus.size(); ++rank)
            if (const ::plan::BoundCpu& cpu = view.machine.bound->cpus[rank];
                cpu.partition == partition && cpu.vcpu == vcpu)
                out += (out.empty() ? "" : ",") + std::to_string(rank);
    return out;
}

std::string_view restart_text(const ::plan::Behaviour& behaviour) {
    return ::plan::restart_words[static_cast<std::size_t>(behaviour.restart)];
}

std::string_view kind_text(::plan::RegionKind kind) {
    return kind == ::plan::RegionKind::ram ? "ram" : "root";
}

std::string addresses(const PlanView& view, const ::plan::Plan& plan) {
    std::string out = fmt::format("\nguest-physical (and host-physical on the {}):\n",
                                  view.machine.described ? "board" : "assumed machine");
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i) {
        const ::plan::Partition entry = plan.partition(i);
        for (std::uint32_t r = 0; r < entry.region_count; ++r) {
            const ::plan::Region& region = entry.regions[r];
            out += fmt::format("  {:<12} {:<4} {:#014x} {:>10}", plan.partition_name(i),
                               kind_text(region.kind), region.gpa, size_text(region.bytes));
            if (view.machine.bound)
                if (const auto host = view.machine.bound->host_memory(i, base::GuestPhysAddr{region.gpa}))
                    out += fmt::format("  at {:#x}", host->address.value());
            out += "\n";
        }
    }
    return out;
}

// "\nwire db-web: 2 lanes of 260 KiB" and so on, in the plan's order.
std::string wires(const ::plan::Plan& plan) {
    std::string out;
    for (std::uint32_t i = 0; i < plan.wire_count(); ++i) {
        const ::plan::Wire wire = plan.wire(i);
        const bool one_way = wire.lanes() == 1;
        out += fmt::format("\n{} {} {}: {} of {}", plan.partition_name(wire.partitions[0]),
                           one_way ? "->" : "<->", plan.partition_name(wire.partitions[1]),
                           one_way ? "one lane" : "two lanes", size_text(wire.lane_bytes));
    }
    return out;
}

std::string device_name(const ::plan::Device& device) {
    if ((device.flags & ::plan::device_by_address) != 0)
        return fmt::format("pci:0000:{:02x}:{:02x}.{}", device.place >> 8, device.place >> 3 & 31,
                           device.place & 7);
    if ((device.flags & ::plan::device_any_card) != 0)
        return device.place == 0 ? "auto" : fmt::format("auto (number {})", device.place + 1);
    return fmt::format("pci:{:04x}:{:04x}#{}", device.vendor, device.device, device.place);
}

// "\ndevice pci:8086:10d3#0 of gw" and so on, in the plan's order.
std::string devices(const ::plan::Plan& plan) {
    std::string out;
    for (std::uint32_t i = 0; i < plan.device_count(); ++i) {
        const ::plan::Device device = plan.device(i);
        out += fmt::format("\ndevice {} of {}: alone behind the IOMMU{}", device_name(device),
                           plan.partition_name(device.partition),
                           (device.flags & ::plan::device_keeps_firmware_memory) != 0
                               ? ", whatever memory firmware reserves for it"
                               : "");
    }
    return out.empty() ? out : out + "\n";
}

Json devices_json(const ::plan::Plan& plan) {
    Json out = Json::array();
    for (std::uint32_t i = 0; i < plan.device_count(); ++i) {
        const ::plan::Device device = plan.device(i);
        out.push_back({{"device", device_name(device)},
                       {"partition", plan.partition_name(device.partition)},
                       {"firmwareMemory", (device.flags & ::plan::device_keeps_firmware_memory) != 0}});
    }
    return out;
}

Json wires_json(const ::plan::Plan& plan) {
    Json out = Json::array();
    for (std::uint32_t i = 0; i < plan.wire_count(); ++i) {
        const ::plan::Wire wire = plan.wire(i);
        out.push_back({{"from", plan.partition_name(wire.partitions[0])},
                       {"to", plan.partition_name(wire.partitions[1])},
                       {"oneWay", wire.lanes() == 1},
                       {"laneBytes", wire.lane_bytes},
                       {"addresses", wire.gpa}});
    }
    return out;
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at)
            out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

std::string system_calls_text(const manifest::Partition& partition) {
    if (!partition.system_calls)
        return "unrestricted";
    const std::string& name = partition.system_calls->value;
    return name == "default" || name == "strict" ? name : "file:" + name;
}

// Which packages it holds, in short: `caisson sbom` has them.
Json packages_json(const std::optional<sbom::Summary>& all) {
    if (!all)
        return {};
    Json kinds = Json::array();
    for (const auto& [kind, count] : all->kinds)
        kinds.push_back({{"kind", kind}, {"packages", count}});
    return {{"distribution", all->distribution},
            {"packages", all->packages},
            {"kinds", kinds},
            {"licences", all->licences},
            {"notRead", all->not_read}};
}

// What the container may do. Of a partition with a kernel of its own there is nothing that the tool could know.
void add_container(Json& item, const build::PreparedPartition& prepared) {
    const manifest::Partition& partition = *prepared.partition;
    const bool container = prepared.image && prepared.startup;
    Json tmpfs = Json::array(), names = Json::array(), ports = Json::array();
    for (const manifest::Tmpfs& one : partition.tmpfs)
        tmpfs.push_back({{"path", one.path}, {"size", one.size}, {"mode", one.mode}});
    for (const manifest::PublishedPort& one : partition.published)
        ports.push_back(
            {{"protocol", one.udp ? "udp" : "tcp"}, {"outside", one.outside}, {"inside", one.inside}});
    item["image"] = container ? Json{{"reference", partition.image->value},
                                     {"digest", prepared.image->manifest_digest().text()},
                                     {"config", prepared.image->config().digest.text()}}
                              : Json();
    if (container)
        item["image"]["trust"] = !prepared.verdict ? Json()
                                                   : Json{{"how", prepared.verdict->how},
                                                          {"key", prepared.verdict->key},
                                                          {"identity", prepared.verdict->identity}};
    item["sbom"] = packages_json(prepared.packages);
    if (container)
        for (const std::string& variable : prepared.startup->environment)
            names.push_back(variable.substr(0, variable.find('=')));
    const build::Startup none;
    const build::Startup& startup = container ? *prepared.startup : none;
    const auto of_container = [container](Json value) { return container ? std::move(value) : Json(); };
    item["user"] = of_container(startup.user);
    item["group"] = of_container(startup.group);
    item["capabilities"] = of_container(words_of(manifest::capability_names(startup.processes.capabilities)));
    item["noNewPrivileges"] = of_container(startup.processes.no_new_privileges);
    item["init"] = of_container(startup.processes.init);
    constexpr std::array<const char*, 4> looks{"", "http", "tcp", "exec"};
    item["health"] = startup.health.kind == manifest::Health::Kind::none
                         ? Json()
                         : Json(looks[static_cast<std::size_t>(startup.health.kind)]);
    item["readOnly"] = of_container(startup.read_only);
    item["writableLimit"] = of_container(startup.writable_limit);
    item["syscalls"] = of_container(system_calls_text(partition));
    item["allowExec"] = startup.programs ? Json(*startup.programs) : Json();
    item["tmpfs"] = of_container(tmpfs);
    item["command"] = of_container(startup.arguments);
    item["environment"] = of_container(names); // names alone: values may be secret
    item["workingDir"] = of_container(startup.working_directory);
    item["hostname"] = of_container(startup.hostname);
    item["ports"] = ports;
    item["address"] = outside_json(partition);
    item["address6"] = outside6_json(partition);
}

// Of its root image; 0 without one.
std::uint64_t root_bytes(const ::plan::Partition& entry) {
    for (const ::plan::Region& region : entry.regions)
        if (region.kind == ::plan::RegionKind::root_image)
            return region.bytes;
    return 0;
}

// The fingerprint of the operator's key; empty without one.
std::string audit_key_text(const ::plan::Plan& plan) {
    const bundle::AuditPublicKey& key = plan.header().audit_key;
    return key == bundle::AuditPublicKey{} ? "" : bundle::audit_fingerprint(key);
}

// "\nweb, db: what", of the partitions with that flag.
std::string flagged(const ::plan::Plan& plan, std::uint32_t flag, std::string_view what) {
    std::string names;
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i)
        if (plan.partition(i).behaviour.has(flag))
            names += fmt::format("{}{}", names.empty() ? "" : ", ", plan.partition_name(i));
    return names.empty() ? names : fmt::format("\n{}: {}", names, what);
}

} // namespace

std::string plan_text(const PlanView& view, bool with_addresses) {
    const auto plan = ::plan::Plan::parse(view.table);
    if (!plan)
        return "";
    std::vector<Row> rows{
        {"PARTITION", "IMAGE", "DIGEST", "CPUS", "MEMORY", "ROOT(EROFS)", "PIDS", "RESTART"}};
    std::uint64_t memory = 0;
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i) {
        const ::plan::Partition entry = plan->partition(i);
        memory += entry.memory_bytes;
        const bool named = i < view.sources.size();
        const std::uint64_t root = root_bytes(entry);
        const std::uint32_t pids = named ? view.sources[i].pids : 0;
        rows.push_back({std::string(plan->partition_name(i)), named ? view.sources[i].name : "-",
                        named ? view.sources[i].digest : "-", cpus_text(view, i, entry),
                        size_text(entry.memory_bytes), root == 0 ? "-" : size_text(root),
                        pids == 0 ? "-" : std::to_string(pids), std::string(restart_text(entry.behaviour))});
    }
    std::string out = table_text(rows);
    out += fmt::format("partitions {} of {}; bundle {}", size_text(memory), size_text(view.machine.memory),
                       size_text(view.bundle_bytes));
    if (view.machine.bound)
        out += fmt::format("; second-stage tables {}", size_text(view.machine.bound->table_frames * page));
    out += fmt::format("; {} CPUs", view.machine.cpus);
    if (view.machine.bound && plan->needs_time()) {
        const std::uint32_t rank = view.machine.bound->time_cpu();
        const std::uint32_t owner = view.machine.bound->cpus[rank].partition;
        out += fmt::format("; time interrupts on CPU {} ({})", rank,
                           owner == ::plan::no_index ? "of no partition"
                                                     : "of " + std::string(plan->partition_name(owner)));
    }
    if (plan->header().behaviour.has(::plan::flag_serial_stop))
        out += "\nends when the serial line asks for it";
    if (plan->header().behaviour.has(::plan::flag_power_button))
        out += "\nends, and is off, when the power button is pressed";
    if (const std::string key = audit_key_text(*plan); !key.empty())
        out += "\naudit log sealed to " + key;
    out += flagged(*plan, ::plan::flag_smt_shared, "may share a core's siblings (smt: shared)");
    out += flagged(*plan, ::plan::flag_no_store_bypass, "without store bypass");
    out += flagged(*plan, ::plan::flag_service, "ends when the others have, whatever its status");
    out += wires(*plan);
    out += devices(*plan);
    if (view.manifest != nullptr)
        if (const std::string table = reach_text(*view.manifest); !table.empty())
            out += (out.ends_with('\n') ? "\n" : "\n\n") + table;
    if (with_addresses)
        out += addresses(view, *plan);
    while (out.ends_with('\n'))
        out.pop_back();
    return out;
}

Json plan_json(const PlanView& view) {
    const auto plan = ::plan::Plan::parse(view.table);
    if (!plan)
        return {};
    constexpr std::array payloads{"unikernel", "kernel", "uplink"}; // as PayloadKind
    Json items = Json::array();
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i) {
        const ::plan::Partition entry = plan->partition(i);
        Json regions = Json::array();
        for (std::uint32_t r = 0; r < entry.region_count; ++r) {
            const ::plan::Region& region = entry.regions[r];
            Json item{{"kind", kind_text(region.kind)}, {"address", region.gpa}, {"bytes", region.bytes}};
            if (view.machine.bound)
                if (const auto host = view.machine.bound->host_memory(i, base::GuestPhysAddr{region.gpa}))
                    item["host"] = host->address.value();
            regions.push_back(std::move(item));
        }
        Json item{{"name", std::string(plan->partition_name(i))},
                  {"payload", payloads[static_cast<std::size_t>(entry.payload)]},
                  {"service", entry.behaviour.has(::plan::flag_service)},
                  {"cpus", entry.cpu_count},
                  {"cpuSet", entry.cpu_set},
                  {"memory", entry.memory_bytes},
                  {"root", root_bytes(entry)},
                  {"restart", restart_text(entry.behaviour)},
                  {"smt", ::plan::smt_words[entry.behaviour.has(::plan::flag_smt_shared) ? 1 : 0]},
                  {"storeBypass",
                   ::plan::store_bypass_words[entry.behaviour.has(::plan::flag_no_store_bypass) ? 1 : 0]},
                  {"restartDelayMs", entry.behaviour.restart_delay_ms},
                  {"restartBackOff", !entry.behaviour.has(::plan::flag_same_delay)},
                  {"watchdogMs", entry.behaviour.watchdog_ms},
                  {"outputRate", entry.behaviour.output_rate},
                  {"noteRate", entry.behaviour.note_rate},
                  {"stopSignal", entry.behaviour.stop_signal},
                  {"stopTimeoutMs", entry.behaviour.stop_timeout_ms},
                  {"commandLine", ::plan::command_line_of(*plan, i)},
                  {"regions", regions}};
        if (i < view.sources.size()) {
            item["source"] = view.sources[i].name;
            item["digest"] = view.sources[i].digest;
            item["pids"] = view.sources[i].pids;
        }
        if (view.prepared != nullptr && i < view.prepared->partitions.size())
            add_container(item, view.prepared->partitions[i]);
        items.push_back(std::move(item));
    }
    Json out{{"schema", "caisson.plan/1"},
             {"name", std::string(plan->header().name.data())},
             {"machine",
              {{"cpus", view.machine.cpus},
               {"memory", view.machine.memory},
               {"fits", view.machine.bound != nullptr},
               {"timeCpu",
                view.machine.bound && plan->needs_time() ? Json(view.machine.bound->time_cpu()) : Json()}}},
             {"bundle", view.bundle_bytes},
             {"requireConsole", plan->header().behaviour.has(::plan::flag_require_console)},
             {"tpm", plan->header().behaviour.has(::plan::flag_require_tpm) ? "required"
                     : plan->header().behaviour.has(::plan::flag_leave_tpm) ? "off"
                                                                            : "used"},
             {"retainedLog", plan->header().behaviour.retained_log},
             {"powerButton", plan->header().behaviour.has(::plan::flag_power_button) ? "stop" : "ignored"},
             {"serialStop", plan->header().behaviour.has(::plan::flag_serial_stop)},
             {"auditKey", audit_key_text(*plan).empty() ? Json() : Json(audit_key_text(*plan))},
             {"wires", wires_json(*plan)},
             {"devices", devices_json(*plan)},
             {"items", items}};
    if (const manifest::Manifest* manifest = view.manifest) {
        const ::plan::MachineBehaviour& behaviour = manifest->machine.behaviour;
        out["version"] = manifest->version;
        out["securityVersion"] = manifest->security_version;
        out["signing"] = {
            {"key", manifest->signing.key ? "named" : "development"},
            {"secureBoot", manifest->signing.secure_boot.has_value()},
            {"trusted", manifest->signing.trusted.size()},
            {"approve", manifest->signing.approve.size()},
            {"vendor", manifest->signing.vendor.size()},
            {"demandPolicy",
             manifest::policy_demand_words[static_cast<std::size_t>(manifest->signing.demand_policy)]}};
        out["machine"]["onAllStopped"] =
            ::plan::all_stopped_words[static_cast<std::size_t>(behaviour.on_all_stopped)];
        out["machine"]["onPanic"] = ::plan::on_panic_words[static_cast<std::size_t>(behaviour.on_panic)];
        out["network"] = network_json(*manifest);
    }
    return out;
}

} // namespace cli
