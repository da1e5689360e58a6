// SPDX-License-Identifier: Apache-2.0
// Names of images of arbitrary bytes: read or refused with a reason; what was read is written as it was, and is safe in a URL's
// path.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/reference.hpp"
#include "image-tools/oci/registry_name.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::string problem;
    const auto name = oci::parse_registry_name(text, problem);
    if (name.has_value() != problem.empty())
        std::abort();
    if (name) {
        if (name->text() != text || name->repository.empty())
            std::abort();
        for (const std::string& part : {name->repository, name->tag})
            if (part.find("..") != std::string::npos && part != name->tag)
                std::abort();
        for (const char c : name->repository + name->tag)
            if (c <= ' ' || c >= '\x7f' || c == '%' || c == '?' || c == '#' || c == '@' || c == ':')
                std::abort();
    }
    try {
        const oci::Reference reference = oci::parse_reference("docker://" + std::string(text));
        if (!name || reference.text() != "docker://" + std::string(text))
            std::abort();
    } catch (const diagnostic::Failure&) {
        if (name)
            std::abort();
    }
    return 0;
}
