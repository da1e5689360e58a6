// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/viewer.hpp - shows a machine's serial line as it comes: what `run` and `console` have in common.
#pragma once

#include "image-tools/cli/report.hpp"
#include "image-tools/run/console.hpp"
#include "image-tools/run/machine.hpp"
#include "image-tools/run/outlet.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cli {

class AuditFile;

class Viewer {
public:
    // Of the options: --prefix, --raw, --audit, -q, -v. Throws E0602.
    Viewer(const Options& options, const Report& report, const std::vector<std::string>& partitions);
    Viewer(const Viewer&) = delete;
    Viewer& operator=(const Viewer&) = delete;
    ~Viewer();

    [[nodiscard]] run::Listener listener(); // for the session that is shown
    [[nodiscard]] std::vector<run::Outlet*> outlets() { return {&output_, &errors_}; }
    // All is written; then what went wrong, and how each partition ended.
    void finish(const run::Session& session, const run::Outcome& outcome);

private:
    const Options& options_;
    const Report& report_;
    run::ConsoleOptions shown_;
    run::Outlet output_{1, "stdout"}, errors_{2, "stderr"};
    run::Console console_;
    std::unique_ptr<AuditFile> audit_;
};

} // namespace cli
