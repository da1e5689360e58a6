// SPDX-License-Identifier: Apache-2.0
// image-tools/build/system_calls.cpp - see system_calls.hpp.
#include "image-tools/build/system_calls.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/policy/program.hpp"

#include <sstream>

namespace build {
namespace {

constexpr std::uint64_t largest_profile = 1 << 20;
constexpr std::uint64_t log_everything = 0x7FFC0000'00000006; // BPF_RET | BPF_K, SECCOMP_RET_LOG

policy::Capabilities names_of(std::uint64_t capabilities) {
    policy::Capabilities out;
    std::istringstream names(manifest::capability_names(capabilities));
    for (std::string name; names >> name;)
        out.insert("CAP_" + name);
    return out;
}

policy::Profile profile_of(const manifest::Manifest& manifest, const std::string& name,
                           const policy::Capabilities& capabilities) {
    if (name == "default")
        return policy::default_profile(capabilities);
    if (name == "strict")
        return policy::strict_profile(capabilities);
    return policy::read_profile(files::read_file(manifest.resolve(name), largest_profile), name,
                                capabilities);
}

} // namespace

std::vector<std::uint64_t> filter_of(const manifest::Manifest& manifest,
                                     const manifest::Partition& partition) {
    if (partition.record_calls)
        return {log_everything};
    if (!partition.system_calls)
        return {};
    try {
        return policy::compile(profile_of(manifest, partition.system_calls->value,
                                          names_of(partition.processes.capabilities)),
                               partition.system_calls->value)
            .instructions;
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(partition.system_calls->spot));
    }
}

} // namespace build
