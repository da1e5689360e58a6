// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest_fuzz.cpp - any bytes are a manifest or a refusal with a place inside the
// text.
#include "image-tools/manifest/manifest.hpp"

#include <algorithm>
#include <cstdlib>

// libfyaml 0.7 loses a buffer on some syntax errors; the tool parses one manifest and ends.
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libfyaml";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(data, data + size);
    const auto lines = static_cast<unsigned>(std::count(text.begin(), text.end(), '\n')) + 1;
    try {
        const manifest::Manifest parsed = manifest::parse("fuzz.yaml", std::move(text), ".");
        if (parsed.partitions.empty())
            std::abort();
    } catch (const diagnostic::Failure& failure) {
        if (failure.diagnostic().exit != diagnostic::ExitCode::manifest ||
            failure.diagnostic().place.line > lines)
            std::abort();
        static_cast<void>(diagnostic::to_text(failure.diagnostic(), true));
    }
    return 0;
}
