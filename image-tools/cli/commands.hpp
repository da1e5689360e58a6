// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/commands.hpp - one function a command; each returns the exit code or throws diagnostic::Failure.
#pragma once

#include "image-tools/cli/options.hpp"
#include "image-tools/cli/report.hpp"

#include <filesystem>

namespace manifest {
struct Manifest;
}
namespace build {
struct BuildResult;
}

namespace cli {

int check(const Options& options, Report& report);
int plan(const Options& options, Report& report);
int build(const Options& options, Report& report);
int run(const Options& options, Report& report);
int inspect(const Options& options, Report& report);
int verify(const Options& options, Report& report);
int init(const Options& options, Report& report);
int cache_ls(const Options& options, Report& report);
int cache_prune(const Options& options, Report& report);
int console(const Options& options, Report& report);
int keygen(const Options& options, Report& report);
int image_create(const Options& options, Report& report);
int image_ls(const Options& options, Report& report);
int image_inspect(const Options& options, Report& report);
int attack(const Options& options, Report& report);
int audit_show(const Options& options, Report& report);
int audit_verify(const Options& options, Report& report);
int prove(const Options& options, Report& report);
int bench(const Options& options, Report& report);
int explain(const Options& options, Report& report);
int version(const Options& options, Report& report);

// The manifest that FILE means: itself, or ./appliance.yaml, or the checkout's demo. Throws E0300 when there is none.
std::filesystem::path manifest_file(const Options& options);

// Warnings and notes of a build, on stderr.
void say_warnings(const build::BuildResult& result, Report& report);

// Steps that building it (or only preparing it) reports.
unsigned step_count(const manifest::Manifest& manifest, bool with_bundle);

} // namespace cli
