// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/diagnostic_test.cpp
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/diagnostic/suggest.hpp"

#include <array>
#include <gtest/gtest.h>

namespace {

using diagnostic::Diagnostic;
using diagnostic::ExitCode;

TEST(Diagnostic, ShowsPlaceSourceCaretsAndHelp) {
    const Diagnostic diagnostic{"E0312",
                                ExitCode::manifest,
                                "cpus overlap",
                                {"a.yaml", 14, 11, "    cpus: [2, 3]", 6},
                                {"also given to 'db' at line 8"},
                                "free CPUs: 4-7"};
    EXPECT_EQ(diagnostic::to_text(diagnostic, false), "error[E0312]: cpus overlap\n"
                                                      "  --> a.yaml:14:11\n"
                                                      "   |\n"
                                                      "14 |     cpus: [2, 3]\n"
                                                      "   |           ^^^^^^\n"
                                                      "note: also given to 'db' at line 8\n"
                                                      "help: free CPUs: 4-7\n");
}

TEST(Diagnostic, NeverPassesControlBytesToTheTerminal) {
    const Diagnostic diagnostic{
        "E0401", ExitCode::input, "bad \033[2J name", {"f", 1, 200, "x\033]0;t\ay", 900}, {"n\033m"}, ""};
    const std::string text = diagnostic::to_text(diagnostic, false);
    EXPECT_EQ(text.find('\033'), std::string::npos);
    EXPECT_EQ(text.find('\a'), std::string::npos);
}

TEST(Diagnostic, LongLinesAndColumnsBeyondTheEndStayBounded) {
    const Diagnostic diagnostic{
        "E0301", ExitCode::manifest, "m", {"f", 1, 100000, std::string(5000, 'a'), 5000}, {}, ""};
    EXPECT_LT(diagnostic::to_text(diagnostic, false).size(), 600u);
}

TEST(Suggest, FindsSlipsAndStaysSilentOtherwise) {
    constexpr std::array<std::string_view, 4> words{"build", "inspect", "verify", "run"};
    EXPECT_EQ(diagnostic::suggest("biuld", words), "build");
    EXPECT_EQ(diagnostic::suggest("Verfy", words), "verify");
    EXPECT_EQ(diagnostic::suggest("rnu", words), "run");
    EXPECT_FALSE(diagnostic::suggest("deploy", words));
    EXPECT_FALSE(diagnostic::suggest("", words));
    EXPECT_FALSE(diagnostic::suggest(std::string(1000, 'x'), words));
}

} // namespace
