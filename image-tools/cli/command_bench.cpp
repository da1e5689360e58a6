// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_bench.cpp - bench: deterministic figures.
#include "image-tools/cli/commands.hpp"

namespace cli {

int bench(const Options&, Report&) {
    throw tool::Failure(
        {"E0704", tool::ExitCode::environment, "the benchmark guests are missing", {}, {}, {}});
}

} // namespace cli
