// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/program.hpp - a profile as the classic BPF program that a partition's kernel runs.
//
// libseccomp makes the program, as for every container engine; what is added is that numbers beyond those that the profile
// knows are ENOSYS, which is what a kernel without them would say.
#pragma once

#include "image-tools/policy/profile.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace policy {

struct Program {
    std::vector<std::uint64_t> instructions; // struct sock_filter, as it lies in memory
    std::vector<std::string> unknown;        // names that are no system call of x86-64
};

// Throws E0430 where the rules of one call contradict each other, E0805 where the program becomes too long.
[[nodiscard]] Program compile(const Profile& profile, const std::string& file);

} // namespace policy
