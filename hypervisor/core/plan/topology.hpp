// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/topology.hpp - package, core and thread out of an APIC ID.
//
// Pure. The field widths are the boot CPU's by CPUID; all CPUs of a machine share them.
// Invariants: two threads of a core never get different cores. Where CPUID leaves open which CPUs share a core, all of
//             a package count as one core's.
// Spec: Intel SDM vol. 2 "CPUID" (leaves 1, 4, Bh, 1Fh) and vol. 3 "Detecting hardware multi-threading support and topology";
//       AMD APM vol. 3 appendix E.4 (leaves 80000008h, 8000001Eh).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace plan {

struct Topology {
    std::uint32_t thread_bits = 0; // low bits of the APIC ID that number the threads of a core
    std::uint32_t core_bits = 0;   // the bits above them that number the cores of a package

    struct Place {
        std::uint32_t package, core, thread;
    };
    [[nodiscard]] constexpr Place place(std::uint32_t id) const {
        return {id >> (thread_bits + core_bits), id >> thread_bits & ((1u << core_bits) - 1),
                id & ((1u << thread_bits) - 1)};
    }
};

namespace detail {

// Widths of 16 and more are no real machine's: such an answer counts as none.
inline constexpr std::uint32_t width_limit = 16;

// Bits that number so many.
constexpr std::uint32_t bits_for(std::uint32_t count) {
    return static_cast<std::uint32_t>(std::bit_width(std::max(count, 1u) - 1));
}

// Leaf Bh or 1Fh: the first level is the thread's, the last one's width reaches to the package. False: nothing to believe.
template <typename Cpuid> bool by_levels(Cpuid cpuid, std::uint32_t leaf, Topology& out) {
    constexpr std::uint32_t levels = 8, type_thread = 1;
    std::uint32_t to_core = 0, to_package = 0;
    if (cpuid(0, 0).eax < leaf || cpuid(leaf, 0).ebx == 0)
        return false;
    for (std::uint32_t level = 0; level < levels; ++level) {
        const auto answer = cpuid(leaf, level);
        const std::uint32_t type = answer.ecx >> 8 & 0xff, width = answer.eax & 31;
        if (type == 0)
            break;
        if ((level == 0) != (type == type_thread) || width < to_package)
            return false;
        to_core = level == 0 ? width : to_core;
        to_package = width;
    }
    out = {to_core, to_package - to_core};
    return to_package != 0 && to_package < width_limit;
}

// AMD and Hygon. Families before 15h have one thread a core; later ones say how many in 8000001Eh.
template <typename Cpuid> Topology by_extended_leaves(Cpuid cpuid) {
    constexpr std::uint32_t has_topology = 22, first_family_with_threads = 0x15;
    const std::uint32_t last = cpuid(0x80000000, 0).eax, signature = cpuid(1, 0).eax;
    const std::uint32_t family = (signature >> 8 & 15) + (signature >> 20 & 0xff);
    if (last < 0x80000008)
        return {detail::width_limit - 1, 0};
    const std::uint32_t size = cpuid(0x80000008, 0).ecx;
    const std::uint32_t width = (size >> 12 & 15) != 0 ? size >> 12 & 15 : bits_for((size & 0xff) + 1);
    if (last >= 0x8000001e && (cpuid(0x80000001, 0).ecx >> has_topology & 1) != 0)
        if (const std::uint32_t threads = bits_for((cpuid(0x8000001e, 0).ebx >> 8 & 0xff) + 1);
            threads <= width)
            return {threads, width - threads};
    return family < first_family_with_threads ? Topology{0, width} : Topology{width, 0};
}

// Intel before leaf Bh: leaf 1 numbers the CPUs of a package, leaf 4 its cores.
template <typename Cpuid> Topology by_old_leaves(Cpuid cpuid) {
    constexpr std::uint32_t has_count = 28;
    const auto features = cpuid(1, 0);
    const bool counted = (features.edx >> has_count & 1) != 0;
    const std::uint32_t width = counted ? bits_for(features.ebx >> 16 & 0xff) : 0;
    const std::uint32_t cores = cpuid(0, 0).eax >= 4 ? bits_for((cpuid(4, 0).eax >> 26) + 1) : 0;
    return cores <= width ? Topology{width - cores, cores} : Topology{width, 0};
}

} // namespace detail

// `cpuid(leaf, subleaf)` answers with eax, ebx, ecx and edx.
template <typename Cpuid> Topology topology(Cpuid cpuid) {
    constexpr std::uint32_t amd = 0x68747541, hygon = 0x6f677948; // "Auth", "Hygo"
    Topology result;
    if (detail::by_levels(cpuid, 0x1f, result) || detail::by_levels(cpuid, 0xb, result))
        return result;
    const std::uint32_t vendor = cpuid(0, 0).ebx;
    return vendor == amd || vendor == hygon ? detail::by_extended_leaves(cpuid)
                                            : detail::by_old_leaves(cpuid);
}

} // namespace plan
