// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest_test_support.hpp - a manifest from a few lines, taken or refused.
#pragma once

#include "image-tools/manifest/failures.hpp"
#include "image-tools/manifest/manifest.hpp"

#include <gtest/gtest.h>
#include <string>

namespace manifest_test {

inline const std::string head = "apiVersion: caisson/v1\nname: gate\n";
inline const std::string small = "partitions:\n  web:\n    image: oci:./x\n    memory: 64MiB\n";

inline manifest::Manifest parse(const std::string& text) {
    return manifest::parse("f.yaml", text, "/dir");
}

inline diagnostic::Diagnostic refusal(const std::string& text) {
    try {
        static_cast<void>(parse(text));
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().exit, diagnostic::ExitCode::manifest);
        return failure.diagnostic();
    }
    ADD_FAILURE() << "accepted:\n" << text;
    return {};
}

inline void expect_refused(const std::string& text, const std::string& code, unsigned line,
                           const std::string& part) {
    SCOPED_TRACE(text);
    const diagnostic::Diagnostic diagnostic = refusal(text);
    EXPECT_EQ(diagnostic.code, code);
    EXPECT_EQ(diagnostic.place.line, line);
    EXPECT_NE((diagnostic.message + "\n" + diagnostic.help).find(part), std::string::npos)
        << diagnostic.message << "\n"
        << diagnostic.help;
}

// A partition with one more line, which stands in line 7.
inline std::string with(const std::string& line) {
    return head + small + "    " + line + "\n";
}

} // namespace manifest_test
