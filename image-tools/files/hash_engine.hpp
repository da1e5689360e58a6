// SPDX-License-Identifier: Apache-2.0
// image-tools/files/hash_engine.hpp - which SHA-256 engine this machine's CPU can run.
#pragma once

#include "hypervisor/core/crypto/sha256.hpp"

#include <cpuid.h>

namespace files {

[[nodiscard]] inline crypto::Sha256Engine hash_engine() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool vectors =
        __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSSE3) != 0 && (ecx & bit_SSE4_1) != 0;
    const bool extensions = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_SHA) != 0;
    return vectors && extensions ? crypto::Sha256Engine::sha_extensions : crypto::Sha256Engine::portable;
}

} // namespace files
