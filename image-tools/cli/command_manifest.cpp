// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_manifest.cpp - check, plan, build: what starts from a manifest.
#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/build/media.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/judging.hpp"
#include "image-tools/cli/plan_text.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/trust/approval.hpp"
#include "image-tools/trust/provenance.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace cli {
namespace {

struct ManifestOptions {
    std::string file, board;
    std::vector<std::string> policies;
};

struct BuildOptions {
    std::string file, board;
    bool twice = false, bill = false;
    std::string direct, provenance;
    std::vector<std::string> policies, approvals;
};

// What -o names: at most one bundle, any number of media. Media alone: the bundle they are made of is not kept.
struct Outputs {
    std::optional<std::filesystem::path> bundle;
    std::vector<std::filesystem::path> media;
};

Outputs outputs_of(const Common& common, const manifest::Manifest& manifest) {
    Outputs out;
    for (const std::string& name : common.outputs) {
        if (build::is_medium(name)) {
            out.media.emplace_back(name);
            continue;
        }
        if (out.bundle)
            throw diagnostic::fail("E0101", "-o names two bundles, " + out.bundle->string() + " and " + name)
                .help("further files are NAME.efi, NAME.img and NAME.iso");
        out.bundle = name;
    }
    if (!out.bundle && out.media.empty())
        out.bundle = manifest.name + ".bundle";
    return out;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

Json to_json(const build::BuildResult& result) {
    Json sections = Json::array();
    for (const bundle::SectionShape& section : result.written.sections)
        sections.push_back({{"type", bundle::type_name(static_cast<bundle::SectionType>(section.type))},
                            {"offset", section.offset},
                            {"size", section.size}});
    Json media = Json::array();
    for (const std::filesystem::path& medium : result.media)
        media.push_back({{"file", medium.string()},
                         {"size", std::filesystem::file_size(medium)},
                         {"sha256", files::digest_of(medium).hex()}});
    return {{"schema", "caisson.build/1"},
            {"media", media},
            {"bundle", result.bundle.string()},
            {"elf", result.elf.string()},
            {"size", result.written.total_size},
            {"id", files::hex(result.written.id)},
            {"sha256", result.bundle_sha256},
            {"elfSha256", result.elf_sha256},
            {"unchanged", result.unchanged},
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
                              const registry::ImagesOptions& images, const build::BuildResult& first,
                              Report& report) {
    const build::WorkFolder work(folder_of(first.bundle));
    build::BuildOptions options;
    options.bundle = work.path() / "second.bundle";
    options.images = images;
    options.bill = first.bill;
    options.policy = first.policy;
    options.approvals = first.approvals;
    for (const std::filesystem::path& medium : first.media)
        options.media.push_back(work.path() /
                                (std::to_string(options.media.size()) + medium.extension().string()));
    const build::BuildResult second = build::build(manifest, library, options);
    bool equal = same_file(first.bundle, second.bundle) && same_file(first.elf, second.elf);
    for (std::size_t i = 0; i < first.media.size(); ++i)
        equal = equal && same_file(first.media[i], second.media[i]);
    report.line(equal ? "built twice: identical" : "built twice: the results differ");
    report.data(
        {{"schema", "caisson.build-check/1"}, {"identical", equal}, {"id", files::hex(first.written.id)}});
    return static_cast<int>(equal ? diagnostic::ExitCode::done : diagnostic::ExitCode::answer_is_no);
}

// What --board names, or nothing.
std::unique_ptr<board::Facts> described_board(const std::string& file) {
    return file.empty() ? nullptr : board::load(file);
}
void declare_board_option(Command& command, std::string& board) {
    command.option("--board", board, value::file,
                   "a described board (caisson board import, scan) in place of the manifest's machine");
}

// The plan of what was prepared, on the manifest's machine or the board.
PlanView view_of(const manifest::Manifest& manifest, build::Prepared& prepared,
                 const std::string& board_file) {
    const auto [sections, table] = build::bundle_content(manifest, prepared);
    PlanView view;
    view.table = table;
    view.manifest = &manifest;
    view.prepared = &prepared;
    view.sections = bundle::layout_sections(sections, view.bundle_bytes);
    for (const build::PreparedPartition& item : prepared.partitions)
        view.sources.push_back({item.source(),
                                item.image ? item.image->manifest_digest().brief() : std::string("-"),
                                item.startup ? item.startup->pids : 0});
    const auto board = described_board(board_file);
    view.machine =
        build::machine_for(board.get(), board ? bundle::Library::find().elf("caisson.elf") : std::string(),
                           table, view.sections, view.bundle_bytes);
    return view;
}

int check(const ManifestOptions& options, const Common& common, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    const bool judged = !manifest.policies.empty() || !options.policies.empty();
    build::Prepared prepared =
        build::prepare(manifest, bundle::Library::find(), image_options(common, manifest.source.file()),
                       build::WhenAsked{work.path(), judged}, {report.progress(), {}});
    const auto [sections, table] = build::bundle_content(manifest, prepared);
    bool made = false;
    if (manifest.signing.key)
        static_cast<void>(build::trusted_keys(manifest, build::signing_key(manifest, made), {}));
    std::uint64_t size = 0;
    const auto shapes = bundle::layout_sections(sections, size);
    if (size > bundle::max_total_size)
        throw diagnostic::fail("E0803", "the bundle would have " + manifest::size_text(size) +
                                            ", the most is " + manifest::size_text(bundle::max_total_size));
    const build::AssumedMachine machine = build::assume_machine(table, shapes, size);
    if (!machine.bound)
        throw diagnostic::Failure(build::diagnose(manifest, machine.issue));
    Judgement judgement;
    if (judged)
        judgement =
            judge_plan(manifest, options.policies, plan_json(view_of(manifest, prepared, {})), report);
    refuse_denied(manifest, judgement);
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
                 {"notes", notes},
                 {"policy", judgement.json}});
    return 0;
}

int plan(const ManifestOptions& options, const Common& common, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    report.steps(step_count(manifest, false));
    build::Prepared prepared =
        build::prepare(manifest, bundle::Library::find(), image_options(common, manifest.source.file()),
                       build::WhenAsked{work.path(), report.json() || !manifest.policies.empty() ||
                                                         !options.policies.empty()},
                       observer(report));
    for (const build::PreparedPartition& item : prepared.partitions)
        for (const std::string& warning : item.warnings)
            report.warning(warning);
    const PlanView view = view_of(manifest, prepared, options.board);
    Json data = plan_json(view);
    const Judgement judgement = judge_plan(manifest, options.policies, data, report);
    if (!judgement.json.is_null())
        data["policy"] = judgement.json;
    report.data(data);
    if (!report.json())
        report.line(plan_text(view, common.verbose));
    if (!view.machine.bound)
        throw diagnostic::Failure(build::diagnose(manifest, view.machine));
    refuse_denied(manifest, judgement);
    return 0;
}

// What the bundle was built from, signed by who signed the bundle.
void write_provenance(const std::string& file, const manifest::Manifest& manifest,
                      const build::BuildResult& result) {
    const bundle::FileSource source(result.bundle);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), result.bundle.string());
    trust::BuildFacts facts;
    for (const std::filesystem::path& output : {result.bundle, result.elf})
        facts.outputs.push_back(
            {output.filename().string(), output == result.bundle
                                             ? trust::built_digest(*files::FileRange::open(output))
                                             : files::digest_of(output)});
    facts.inputs = trust::inputs_of_meta(summary.meta);
    facts.inputs.push_back({"manifest", files::sha256(manifest.source.text())});
    facts.parameters = {{"name", manifest.name},
                        {"version", manifest.version},
                        {"securityVersion", std::to_string(manifest.security_version)}};
    facts.epoch = summary.header.build_epoch;
    facts.tool = bundle::build_id();
    bool made = false;
    files::AtomicFile out(file);
    out.write(files::bytes_of(trust::provenance(facts, build::signing_key(manifest, made))));
    out.commit();
}

int build(const BuildOptions& options, const Common& common, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const bundle::Library library = bundle::Library::find();
    const registry::ImagesOptions images = image_options(common, manifest.source.file());
    if (!options.direct.empty()) {
        const std::string output = common.outputs.empty() ? options.direct + ".module" : common.output();
        report.steps(2);
        build::write_direct_module(manifest, options.direct, library, images, output, observer(report));
        report.line(output);
        report.data({{"schema", "caisson.build/1"}, {"module", output}});
        return 0;
    }
    const bundle::PolicyMark policy = judge_first(manifest, options.policies, options.board, images, report);
    report.steps(step_count(manifest, true));
    build::BuildOptions build_options;
    const Outputs outputs = outputs_of(common, manifest);
    std::optional<build::WorkFolder> work;
    if (!outputs.bundle)
        work.emplace(folder_of(outputs.media.front()));
    build_options.bundle = outputs.bundle ? *outputs.bundle : work->path() / (manifest.name + ".bundle");
    build_options.media = outputs.media;
    build_options.bill = options.bill;
    build_options.policy = policy;
    for (const std::string& file : options.approvals)
        build_options.approvals.push_back(trust::read_approval(file));
    build_options.observer = observer(report);
    build_options.images = images;
    const auto board = described_board(options.board);
    build_options.board = board.get();
    const bool answers =
        !common.quiet || report.json(); // to hash a file that nobody asks about takes a fifth of the build
    build_options.digests = answers && (outputs.bundle.has_value() || report.json());
    const build::BuildResult result = build::build(manifest, library, build_options);
    say_warnings(result, report);
    if (result.development)
        report.note(
            (result.development_key_made ? "made a development key: " : "signed with the development key: ") +
            bundle::development_key_path().string() +
            "; name a key with signing.key for anything that matters");
    if (options.twice)
        return compare_with_second_build(manifest, library, images, result, report);
    const auto say = [&report](const std::filesystem::path& file, const std::string& what,
                               const std::string& digest) {
        report.line(file.string() + "  " + what);
        report.line("  file sha256:" + digest);
    };
    const std::string id = "bundle id " + files::hex(std::span(result.written.id).first(8)) + "...";
    const std::string key = "loader with the key " + bundle::fingerprint(result.key) +
                            (result.development ? " (DEVELOPMENT KEY)" : "");
    if (outputs.bundle && answers) {
        say(result.bundle, manifest::size_text(result.written.total_size) + "  " + id, result.bundle_sha256);
        say(result.elf, key, result.elf_sha256);
    }
    if (!options.provenance.empty())
        write_provenance(options.provenance, manifest, result);
    for (std::size_t i = 0; answers && i < result.media.size(); ++i)
        say(result.media[i],
            manifest::size_text(std::filesystem::file_size(result.media[i])) + "  " + id + "  " + key,
            files::digest_of(result.media[i]).hex());
    if (report.json())
        report.data(to_json(result));
    return 0;
}

} // namespace

Json plan_of(const manifest::Manifest& manifest, const std::string& board,
             const registry::ImagesOptions& images, Report& report) {
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    build::Prepared prepared = build::prepare(manifest, bundle::Library::find(), images,
                                              build::WhenAsked{work.path(), true}, {report.progress(), {}});
    return plan_json(view_of(manifest, prepared, board));
}

bundle::PolicyMark judge_first(const manifest::Manifest& manifest, const std::vector<std::string>& more,
                               const std::string& board, const registry::ImagesOptions& images,
                               Report& report) {
    if (manifest.policies.empty() && more.empty())
        return {};
    const Judgement judgement = judge_plan(manifest, more, plan_of(manifest, board, images, report), report);
    refuse_denied(manifest, judgement);
    return judgement.mark;
}

unsigned step_count(const manifest::Manifest& manifest, bool with_bundle) {
    const bool images =
        std::any_of(manifest.partitions.begin(), manifest.partitions.end(),
                    [](const manifest::Partition& partition) { return partition.image.has_value(); });
    return (images ? 2u : 1u) + (with_bundle ? 2u : 0u);
}

void declare_manifest_file(Command& command, std::string& file) {
    command.argument(file, value::file, "the manifest (- reads stdin; default: ./appliance.yaml)");
}

std::filesystem::path manifest_file(const std::string& file, const Common& common) {
    if (!file.empty())
        return file;
    for (const char* candidate : {"appliance.yaml", "examples/demo/appliance.yaml"})
        if (std::filesystem::exists(candidate))
            return candidate;
    throw diagnostic::fail("E0300", "there is no manifest: ./appliance.yaml does not exist")
        .help("name one (caisson " + common.command +
              " FILE), or start from examples/hello/appliance.yaml; docs/manifest.md describes it");
}

registry::ImagesOptions image_options(const Common& common, const std::filesystem::path& manifest) {
    registry::ImagesOptions out;
    out.offline = common.offline;
    out.locked = common.locked;
    out.time_out = common.time_out;
    if (!manifest.empty() && manifest != "-")
        out.lock = registry::LockFile::load(registry::LockFile::beside(manifest));
    return out;
}

void say_warnings(const build::BuildResult& result, Report& report) {
    for (const std::string& warning : result.warnings)
        report.warning(warning);
    for (const std::string& note : result.notes)
        report.note("note: " + note);
}

build::Observer observer(Report& report) {
    return {report.progress(), [&report](std::string_view name, const std::string& detail, double seconds) {
                report.step(name, detail, seconds);
            }};
}

void declare_manifest_commands(Command& root) {
    const auto only_file = [](Command& command, ManifestOptions& options) {
        declare_manifest_file(command, options.file);
        declare_policy_option(command, options.policies);
    };
    root.add<ManifestOptions>("check", "Is the manifest good, and are its images there?",
                              "caisson check gateway/appliance.yaml", only_file, check);
    root.add<ManifestOptions>(
        "plan", "Who owns what: CPUs, memory, layouts", "caisson plan -v",
        [](Command& command, ManifestOptions& options) {
            declare_manifest_file(command, options.file);
            declare_board_option(command, options.board);
            declare_policy_option(command, options.policies);
        },
        plan);
    root.add<BuildOptions>(
        "build", "Make the signed bundle and its loader ELF", "caisson build -o gateway.bundle",
        [](Command& command, BuildOptions& options) {
            declare_manifest_file(command, options.file);
            declare_board_option(command, options.board);
            declare_policy_option(command, options.policies);
            command.flag("--check", options.twice, "build twice and compare (exit 1 when they differ)");
            command.flag("--sbom", options.bill,
                         "the bundle gets a signed section of its packages (caisson sbom)");
            command.option("--approval", options.approvals, value::file,
                           "an approval that goes into the bundle's header (caisson approve --to)");
            command.option("--provenance", options.provenance, value::file,
                           "write what the bundle was built from, as a signed in-toto statement");
            command.option(
                "--direct", options.direct, value::partition,
                "write only the module with which QEMU starts that partition's unikernel by itself");
        },
        build);
}

} // namespace cli
