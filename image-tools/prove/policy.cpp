// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/policy.hpp"

namespace prove {
namespace {

struct Open {
    std::uint32_t first, last;
    bool read, write;
};

// Without an exit. Everything else exits.
constexpr std::array open_msrs{
    Open{0x174, 0x176, true, true},            // SYSENTER
    Open{0x803, 0x803, true, false},           // x2APIC: version
    Open{0x808, 0x808, true, true},            // TPR
    Open{0x80A, 0x80A, true, false},           // PPR
    Open{0x80B, 0x80B, false, true},           // EOI
    Open{0x80F, 0x80F, true, true},            // SVR
    Open{0x810, 0x827, true, false},           // ISR, TMR, IRR
    Open{0x828, 0x828, true, true},            // ESR
    Open{0x82F, 0x82F, true, false},           // LVT CMCI: writes are mediated
    Open{0x832, 0x837, true, false},           // the other LVT entries: writes are mediated
    Open{0x838, 0x838, true, true},            // timer, initial count
    Open{0x839, 0x839, true, false},           // timer, current count
    Open{0x83E, 0x83E, true, true},            // timer divider
    Open{0x83F, 0x83F, false, true},           // self IPI
    Open{0xC0000081, 0xC0000084, true, true},  // STAR, LSTAR, CSTAR, SFMASK
    Open{0xC0000100, 0xC0000102, true, true},  // FS base, GS base, KernelGSBase
    Open{0xC0000103, 0xC0000103, true, false}, // TSC_AUX
};
constexpr std::uint32_t tsc_deadline = 0x6E0; // open where the CPU has it

constexpr bool is_x2apic(std::uint32_t msr) {
    return msr >= 0x800 && msr <= 0x8FF;
}

// Two bits a register, reading and writing; 1: exits.
struct Access {
    bool read, write;
};

Access policy(std::uint32_t msr, bool x2apic, const Access& real) {
    if (msr == tsc_deadline && real.read == real.write)
        return real;
    if (is_x2apic(msr) && !x2apic) // the machine has none: the hypervisor does these itself
        return {false, false};
    for (const Open& open : open_msrs)
        if (msr >= open.first && msr <= open.last)
            return {open.read, open.write};
    return {false, false};
}

Access open_in(std::span<const std::uint8_t, msr_map_bytes> map, std::size_t bit) {
    return {(map[bit / 8] >> bit % 8 & 1) == 0, (map[(bit + 1) / 8] >> (bit + 1) % 8 & 1) == 0};
}

// The registers that the three described ranges begin with.
constexpr std::array<std::uint32_t, 3> bases{0, 0xC0000000, 0xC0010000};
constexpr std::uint32_t registers_a_range = 0x2000;

struct Required {
    unsigned word, bit;
    const char* name;
};
// VMCB offset 4 * word. What lets a guest out of its memory, stop the machine, or see what the policy hides.
constexpr std::array required{
    Required{2, 1, "#DB"},     Required{2, 17, "#AC"},    Required{2, 18, "#MC"},
    Required{3, 1, "NMI"},     Required{3, 15, "RDPMC"},  Required{3, 18, "CPUID"},
    Required{3, 19, "RSM"},    Required{3, 22, "INVD"},   Required{3, 26, "INVLPGA"},
    Required{3, 27, "IOIO"},   Required{3, 28, "MSR"},    Required{3, 31, "SHUTDOWN"},
    Required{4, 0, "VMRUN"},   Required{4, 1, "VMMCALL"}, Required{4, 2, "VMLOAD"},
    Required{4, 3, "VMSAVE"},  Required{4, 4, "STGI"},    Required{4, 5, "CLGI"},
    Required{4, 6, "SKINIT"},  Required{4, 9, "WBINVD"},  Required{4, 10, "MONITOR"},
    Required{4, 11, "MWAIT"},  Required{4, 12, "MWAIT"},  Required{4, 13, "XSETBV"},
    Required{4, 14, "RDPRU"},  Required{5, 0, "INVLPGB"}, Required{5, 1, "INVLPGB"},
    Required{5, 3, "MCOMMIT"}, Required{5, 4, "TLBSYNC"},
};

} // namespace

std::optional<std::string> msr_map_problem(std::span<const std::uint8_t, msr_map_bytes> map, bool& x2apic) {
    x2apic = open_in(map, 2 * 0x80B).write; // EOI
    for (std::size_t range = 0; range < bases.size(); ++range)
        for (std::uint32_t i = 0; i < registers_a_range; ++i) {
            const std::uint32_t msr = bases[range] + i;
            const Access real = open_in(map, (range * registers_a_range + i) * 2);
            const Access wanted = policy(msr, x2apic, real);
            if (real.read != wanted.read || real.write != wanted.write) {
                const bool writing = real.write != wanted.write;
                const bool opened = writing ? real.write : real.read;
                return "MSR " + hex(msr) + ": " + (writing ? "writing" : "reading") +
                       (opened ? " does not exit, the policy says that it must"
                               : " exits, the policy lets it through");
            }
        }
    return std::nullopt;
}

std::optional<std::string> port_map_problem(std::span<const std::uint8_t, port_map_bytes> map) {
    // One more than 65,536: an access of four bytes at port FFFFh looks at the three bits after it.
    for (std::size_t port = 0; port < 65536 + 3; ++port)
        if ((map[port / 8] >> port % 8 & 1) == 0)
            return "port " + hex(port) + " does not exit; every port must";
    return std::nullopt;
}

std::optional<std::string> intercept_problem(const std::array<std::uint32_t, 6>& intercepts) {
    for (const Required& one : required)
        if ((intercepts[one.word] >> one.bit & 1) == 0)
            return std::string(one.name) + " does not exit";
    return std::nullopt;
}

} // namespace prove
