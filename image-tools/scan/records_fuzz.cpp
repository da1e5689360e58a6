// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as an OSV record, as OpenVEX and as two versions: understood or refused; orders are the same turned round.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/scan/match.hpp"

#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(size, '\0');
    if (size > 0)
        std::memcpy(text.data(), data, size);
    try {
        scan::Advisories advisories;
        advisories.add(text, "record");
        if (const auto* all = advisories.of("Debian", "a"))
            for (const scan::Affected& affected : *all)
                static_cast<void>(affected.holds("1.0") ? affected.fixed_after("1.0") : "");
    } catch (const diagnostic::Failure&) {
    }
    try {
        scan::Vex().add(text, "vex");
    } catch (const diagnostic::Failure&) {
    }
    const std::size_t middle = text.find('\n');
    if (middle == std::string::npos)
        return 0;
    const std::string_view one = std::string_view(text).substr(0, middle),
                           other = std::string_view(text).substr(middle + 1);
    for (const scan::Scheme scheme : {scan::Scheme::dpkg, scan::Scheme::apk, scan::Scheme::rpm,
                                      scan::Scheme::semver, scan::Scheme::pep440}) {
        const auto order = scan::compare(scheme, one, other), turned = scan::compare(scheme, other, one);
        if ((order < 0) != (turned > 0) || (order == 0) != (turned == 0) ||
            scan::compare(scheme, one, one) != 0)
            __builtin_trap();
    }
    return 0;
}
