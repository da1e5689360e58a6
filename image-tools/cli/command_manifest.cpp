// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_manifest.cpp - check, plan, build: what starts from a manifest.
#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace cli {
namespace {

build::Observer observer(Report& report) {
    return {report.progress(), [&report](std::string_view name, const std::string& detail, double seconds) {
                report.step(name, detail, seconds);
            }};
}

std::filesystem::path bundle_path(const Options& options, const manifest::Manifest& manifest) {
    return options.output.empty() ? std::filesystem::path(manifest.name + ".bundle")
                                  : std::filesystem::path(options.output);
}

// What `sha256sum` says of the file.
std::string file_digest(const std::filesystem::path& file) {
    const auto range = files::FileRange::open(file);
    if (!range)
        throw diagnostic::fail("E0601", "cannot read " + file.string());
    std::vector<std::uint8_t> buffer(std::size_t{1} << 20);
    files::Sha256 hash;
    std::uint64_t at = 0;
    while (const std::size_t got = range->read(at, buffer)) {
        hash.update(std::span(buffer).first(got));
        at += got;
    }
    return hash.finish().hex();
}

Json to_json(const build::BuildResult& result) {
    Json sections = Json::array();
    for (const bundle::SectionShape& section : result.written.sections)
        sections.push_back({{"type", bundle::type_name(static_cast<bundle::SectionType>(section.type))},
                            {"offset", section.offset},
                            {"size", section.size}});
    return {{"schema", "caisson.build/1"},
            {"bundle", result.bundle.string()},
            {"elf", result.elf.string()},
            {"size", result.written.total_size},
            {"id", files::hex(result.written.id)},
            {"sha256", file_digest(result.bundle)},
            {"elfSha256", file_digest(result.elf)},
            {"key", bundle::fingerprint(result.key)},
            {"developmentKey", result.development},
            {"warnings", result.warnings},
            {"notes", result.notes},
            {"items", sections}};
}

bool same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
    constexpr std::uint64_t limit = std::uint64_t{3} << 30;
    return files::read_file(one, limit) == files::read_file(other, limit);
}

// Builds again into a folder of its own and compares.
int compare_with_second_build(const manifest::Manifest& manifest, const bundle::Library& library,
                              const build::BuildResult& first, Report& report) {
    const std::filesystem::path parent = first.bundle.parent_path();
    const build::WorkFolder work(parent.empty() ? std::filesystem::path(".") : parent);
    build::BuildOptions options;
    options.bundle = work.path() / "second.bundle";
    const build::BuildResult second = build::build(manifest, library, options);
    const bool equal = same_file(first.bundle, second.bundle) && same_file(first.elf, second.elf);
    report.line(equal ? "built twice: identical" : "built twice: the results differ");
    report.data(
        {{"schema", "caisson.build-check/1"}, {"identical", equal}, {"id", files::hex(first.written.id)}});
    return static_cast<int>(equal ? diagnostic::ExitCode::done : diagnostic::ExitCode::answer_is_no);
}

} // namespace

unsigned step_count(const manifest::Manifest& manifest, bool with_bundle) {
    const bool images =
        std::any_of(manifest.partitions.begin(), manifest.partitions.end(),
                    [](const manifest::Partition& partition) { return partition.image.has_value(); });
    return (images ? 2u : 1u) + (with_bundle ? 2u : 0u);
}

std::filesystem::path manifest_file(const Options& options) {
    if (!options.file.empty())
        return options.file;
    for (const char* candidate : {"appliance.yaml", "examples/demo/appliance.yaml"})
        if (std::filesystem::exists(candidate))
            return candidate;
    throw diagnostic::fail("E0300", "there is no manifest: ./appliance.yaml does not exist")
        .help("name one (caisson " + options.command +
              " FILE), or start from examples/hello/appliance.yaml; docs/manifest.md describes it");
}

void say_warnings(const build::BuildResult& result, Report& report) {
    for (const std::string& warning : result.warnings)
        report.warning(warning);
    for (const std::string& note : result.notes)
        report.note("note: " + note);
}

int check(const Options& options, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options));
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    build::Prepared prepared =
        build::prepare(manifest, bundle::Library::find(), work.path(), {report.progress(), {}});
    const auto [sections, table] = build::bundle_content(manifest, prepared);
    bool made = false;
    if (manifest.signing.key)
        static_cast<void>(build::trusted_keys(manifest, build::signing_key(manifest, made)));
    std::uint64_t size = 0;
    const auto shapes = bundle::layout_sections(sections, size);
    if (size > bundle::max_total_size)
        throw diagnostic::fail("E0803", "the bundle would have " + manifest::size_text(size) +
                                            ", the most is " + manifest::size_text(bundle::max_total_size));
    const build::AssumedMachine machine = build::assume_machine(table, shapes, size);
    if (!machine.bound)
        throw diagnostic::Failure(build::diagnose(manifest, machine.issue));
    Json warnings = Json::array(), notes = Json::array();
    for (const build::PreparedPartition& item : prepared.partitions) {
        for (const std::string& warning : item.warnings) {
            report.warning(warning);
            warnings.push_back(warning);
        }
        for (const std::string& note : item.notes) {
            report.note("note: " + note);
            notes.push_back(note);
        }
    }
    report.line(fmt::format("{}: {} ({} {}, {} {}, bundle {})", manifest.source.file(),
                            warnings.empty() ? "good" : "can be built, see the warnings", manifest.name,
                            manifest.version, manifest.partitions.size(),
                            manifest.partitions.size() == 1 ? "partition" : "partitions",
                            manifest::size_text(size)));
    report.data({{"schema", "caisson.check/1"},
                 {"file", manifest.source.file()},
                 {"name", manifest.name},
                 {"partitions", manifest.partitions.size()},
                 {"size", size},
                 {"warnings", warnings},
                 {"notes", notes}});
    return 0;
}

int plan(const Options& options, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options));
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    report.steps(step_count(manifest, false));
    build::Prepared prepared =
        build::prepare(manifest, bundle::Library::find(), work.path(), observer(report));
    const auto [sections, table] = build::bundle_content(manifest, prepared);
    for (const build::PreparedPartition& item : prepared.partitions)
        for (const std::string& warning : item.warnings)
            report.warning(warning);
    PlanView view;
    view.table = table;
    view.sections = bundle::layout_sections(sections, view.bundle_bytes);
    for (const build::PreparedPartition& item : prepared.partitions)
        view.sources.push_back({item.image ? item.partition->image->value : item.partition->kernel->value,
                                item.image ? item.image->manifest_digest().brief() : std::string("-")});
    view.machine = build::assume_machine(table, view.sections, view.bundle_bytes);
    report.data(plan_json(view));
    if (!report.json())
        report.line(plan_text(view, options.verbose));
    if (!view.machine.bound)
        throw diagnostic::Failure(build::diagnose(manifest, view.machine.issue));
    return 0;
}

int build(const Options& options, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options));
    const bundle::Library library = bundle::Library::find();
    if (!options.direct.empty()) {
        const std::string output = options.output.empty() ? options.direct + ".module" : options.output;
        report.steps(2);
        build::write_direct_module(manifest, options.direct, library, output, observer(report));
        report.line(output);
        report.data({{"schema", "caisson.build/1"}, {"module", output}});
        return 0;
    }
    report.steps(step_count(manifest, true));
    build::BuildOptions build_options;
    build_options.bundle = bundle_path(options, manifest);
    build_options.observer = observer(report);
    const build::BuildResult result = build::build(manifest, library, build_options);
    say_warnings(result, report);
    if (result.development)
        report.note(
            (result.development_key_made ? "made a development key: " : "signed with the development key: ") +
            bundle::development_key_path().string() +
            "; name a key with signing.key for anything that matters");
    if (options.build_twice)
        return compare_with_second_build(manifest, library, result, report);
    report.line(fmt::format("{}  {}  bundle id {}...", result.bundle.string(),
                            manifest::size_text(result.written.total_size),
                            files::hex(std::span(result.written.id).first(8))));
    report.line("  file sha256:" + file_digest(result.bundle));
    report.line(fmt::format("{}  loader with the key {}{}", result.elf.string(),
                            bundle::fingerprint(result.key), result.development ? " (DEVELOPMENT KEY)" : ""));
    report.line("  file sha256:" + file_digest(result.elf));
    report.data(to_json(result));
    return 0;
}

} // namespace cli
