// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/vmx/capabilities.hpp"

namespace vmx {
namespace {

enum class Wanted : std::uint8_t { on, off, if_offered };

struct Control {
    Word word;
    std::uint8_t bit;
    Wanted wanted;
    const char* name;
};

// Bits that the table does not name stay as the CPU demands. Off: each would cost exits that a quiet guest must not make.
constexpr std::array<Control, 34> table{{
    {Word::pin, 0, Wanted::off, "external-interrupt exiting = 0"},
    {Word::pin, 3, Wanted::on, "NMI exiting"},
    {Word::pin, 5, Wanted::on, "virtual NMIs"},
    {Word::primary, 7, Wanted::off, "HLT exiting = 0"},
    {Word::primary, 9, Wanted::off, "INVLPG exiting = 0"},
    {Word::primary, 10, Wanted::on, "MWAIT exiting"},
    {Word::primary, 11, Wanted::on, "RDPMC exiting"},
    {Word::primary, 12, Wanted::off, "RDTSC exiting = 0"},
    {Word::primary, 15, Wanted::off, "CR3-load exiting = 0"},
    {Word::primary, 16, Wanted::off, "CR3-store exiting = 0"},
    {Word::primary, 19, Wanted::off, "CR8-load exiting = 0"},
    {Word::primary, 20, Wanted::off, "CR8-store exiting = 0"},
    {Word::primary, 23, Wanted::off, "MOV-DR exiting = 0"},
    {Word::primary, 25, Wanted::on, "I/O bitmaps"},
    {Word::primary, 28, Wanted::on, "MSR bitmaps"},
    {Word::primary, 29, Wanted::on, "MONITOR exiting"},
    {Word::primary, 31, Wanted::on, "secondary controls"},
    {Word::secondary, 1, Wanted::on, "EPT"},
    {Word::secondary, 3, Wanted::if_offered, "RDTSCP"},
    {Word::secondary, 5, Wanted::on, "VPID"},
    {Word::secondary, 6, Wanted::on, "WBINVD exiting"},
    {Word::secondary, 7, Wanted::on, "unrestricted guest"},
    {Word::secondary, 12, Wanted::if_offered, "INVPCID"},
    {Word::secondary, 15, Wanted::if_offered, "ENCLS exiting"},
    {Word::secondary, 30, Wanted::if_offered, "bus-lock detection"},
    {Word::exit, 2, Wanted::on, "save debug controls"},
    {Word::exit, 9, Wanted::on, "host address-space size"},
    {Word::exit, 18, Wanted::on, "save IA32_PAT"},
    {Word::exit, 19, Wanted::on, "load IA32_PAT on exit"},
    {Word::exit, 20, Wanted::on, "save IA32_EFER"},
    {Word::exit, 21, Wanted::on, "load IA32_EFER on exit"},
    {Word::entry, 2, Wanted::on, "load debug controls"},
    {Word::entry, 14, Wanted::on, "load IA32_PAT on entry"},
    {Word::entry, 15, Wanted::on, "load IA32_EFER on entry"},
}};

struct EptFeature {
    std::uint8_t bit;
    const char* name;
};
constexpr std::array<EptFeature, 7> ept_features{{
    {6, "EPT page-walk length 4"},
    {14, "EPT write-back memory type"},
    {16, "EPT 2 MiB pages"},
    {20, "INVEPT"},
    {26, "INVEPT of all contexts"},
    {32, "INVVPID"},
    {42, "INVVPID of all contexts"},
}};

constexpr unsigned true_controls = 55; // of IA32_VMX_BASIC

} // namespace

Adjusted adjust(const Capabilities& capabilities) {
    Adjusted result;
    if ((capabilities.basic >> true_controls & 1) == 0)
        return {{}, "TRUE capability MSRs"};
    for (std::size_t i = 0; i < word_count; ++i)
        result.controls[i] = static_cast<std::uint32_t>(capabilities.of[i]);
    for (const Control& control : table) {
        std::uint32_t& word = result.controls[static_cast<std::size_t>(control.word)];
        const std::uint64_t capability = capabilities.of[static_cast<std::size_t>(control.word)];
        const std::uint32_t bit = 1u << control.bit;
        const bool may_be_1 = (capability >> 32 & bit) != 0, must_be_1 = (word & bit) != 0;
        if (control.wanted == Wanted::off ? must_be_1 : !may_be_1 && control.wanted == Wanted::on)
            return {{}, control.name};
        if (control.wanted != Wanted::off && may_be_1)
            word |= bit;
    }
    for (const EptFeature& feature : ept_features)
        if ((capabilities.ept_vpid >> feature.bit & 1) == 0)
            return {{}, feature.name};
    return result;
}

} // namespace vmx
