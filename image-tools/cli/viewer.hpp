// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/viewer.hpp - shows a machine's serial line as it comes: what `run` and `console` have in common.
#pragma once

#include "image-tools/cli/command.hpp"
#include "image-tools/run/console.hpp"
#include "image-tools/run/machine.hpp"
#include "image-tools/run/outlet.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cli {

class AuditFile;

struct ViewOptions {
    When prefix = When::automatic;
    bool raw = false;
    bool merge = false;
    std::string audit;
    std::string exit_code_from;

    void declare(Command& command); // all but --merge
};

class Viewer {
public:
    // The options must live as long. Throws E0602.
    Viewer(const ViewOptions& options, const Common& common, const Report& report,
           const std::vector<std::string>& partitions);
    Viewer(const Viewer&) = delete;
    Viewer& operator=(const Viewer&) = delete;
    ~Viewer();

    [[nodiscard]] run::Listener listener(); // for the session that is shown
    [[nodiscard]] std::vector<run::Outlet*> outlets() { return {&output_, &own_errors_}; }
    void say_stopping(); // the machine is asked to end
    // All is written; then what went wrong, and how each partition ended.
    void finish(const run::Session& session, const run::Outcome& outcome);

private:
    const Common& common_;
    const Report& report_;
    run::ConsoleOptions shown_;
    // A terminal, or a file that takes both (2>&1), gets them through one outlet: in the order in which they came.
    run::Outlet output_{1, "stdout"}, own_errors_{2, "stderr"};
    run::Outlet& errors_;
    run::Console console_;
    std::unique_ptr<AuditFile> audit_;
};

} // namespace cli
