// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/commands.hpp - all commands, in the order of help, and what several of them share.
#pragma once

#include "image-tools/cli/command.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace manifest {
struct Manifest;
}
namespace registry {
struct ImagesOptions;
}
namespace build {
struct BuildResult;
struct Observer;
} // namespace build

namespace cli {

void declare_manifest_commands(Command& root); // check, plan, build
void declare_run(Command& root);
void declare_test(Command& root);
void declare_bundle_commands(Command& root); // verify, inspect, keygen
void declare_image_commands(Command& root);
void declare_pull_commands(Command& image); // image pull, gc
// What is in the cache; with a name only that. The exit code.
int list_cached(const std::string& name, Report& report);
void declare_approve(Command& root);
void declare_attack(Command& root);
void declare_attest_commands(Command& root); // pcrs, attest replay
void declare_audit_commands(Command& root);
void declare_board_commands(Command& root);
void declare_flash(Command& root);
void declare_init(Command& root);
void declare_lock(Command& root);
void declare_cache_commands(Command& root);
void declare_console(Command& root);
void declare_report(Command& root);
void declare_policy_commands(Command& root); // policy ls, test, explain
void declare_profile_commands(Command& root);
void declare_artifact_commands(Command& root); // artifact push, pull
void declare_sbom(Command& root);
void declare_scan(Command& root);
void declare_diff(Command& root);
void declare_version(Command& root);
void declare_bench(Command& root);
void declare_prove(Command& root);
void declare_evidence(Command& root);
void declare_explain(Command& root);
void declare_help_commands(Command& root); // help, completion

// The argument FILE of commands that start from a manifest.
void declare_manifest_file(Command& command, std::string& file);
// The manifest that FILE means: itself, or ./appliance.yaml, or the checkout's demo. Throws E0300 when there is none.
std::filesystem::path manifest_file(const std::string& file, const Common& common);

// What --max-size says, in bytes: `usual` where it was not given, and 0 is allowed. Throws E0101 for what is no size.
std::uint64_t size_limit(const std::string& text, std::uint64_t usual);

// How a command gets at images: --offline, --locked, --timeout, and the lock file beside that manifest (empty: none).
registry::ImagesOptions image_options(const Common& common, const std::filesystem::path& manifest = {});

// Steps of a build, told as they end.
build::Observer observer(Report& report);

// Warnings and notes of a build, on stderr.
void say_warnings(const build::BuildResult& result, Report& report);

// Steps that building it (or only preparing it) reports.
unsigned step_count(const manifest::Manifest& manifest, bool with_bundle);

} // namespace cli
