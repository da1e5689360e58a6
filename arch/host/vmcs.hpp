// SPDX-License-Identifier: Apache-2.0
// arch/host/vmcs.hpp - a VMCS in plain C++ for tests: the VmcsAccess of arch/x86_64/vmx without a CPU.
//
// It objects to what a CPU would object to, or leave undefined: control bits outside allowed-0 and allowed-1, reserved
// bits of an event to inject, reading a field that nobody wrote. Objections are collected in `complaints`.
#pragma once

#include "arch/x86_64/vmx/capabilities.hpp"
#include "arch/x86_64/vmx/set_up.hpp"

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace host {

// As a current server CPU answers; tests take bits away.
inline vmx::Capabilities every_capability() {
    vmx::Capabilities all;
    constexpr std::uint64_t may = std::uint64_t{0xffffffff} << 32;
    all.basic = std::uint64_t{1} << 55 | 4;
    all.of = {may | 0x16, may | 0x04006172, may, may | 0x00036dfb, may | 0x000011fb};
    all.ept_vpid = ~std::uint64_t{0};
    all.cr0_fixed0 = 0x80000021;
    all.cr4_fixed0 = 0x2000;
    return all;
}

class Vmcs {
public:
    explicit Vmcs(const vmx::Capabilities& capabilities = every_capability()) : capabilities_(capabilities) {}

    template <typename F> [[nodiscard]] typename F::Value read(F) const {
        const auto found = fields_.find(F::encoding);
        if (found == fields_.end()) {
            complain("read before it was written", F::encoding);
            return 0;
        }
        return static_cast<typename F::Value>(found->second);
    }
    template <vmx::WritableField F> void write(F, typename F::Value value) {
        namespace field = vmx::field;
        check_control(F::encoding == field::pin_controls.encoding, vmx::Word::pin, value);
        check_control(F::encoding == field::primary_controls.encoding, vmx::Word::primary, value);
        check_control(F::encoding == field::secondary_controls.encoding, vmx::Word::secondary, value);
        check_control(F::encoding == field::exit_controls.encoding, vmx::Word::exit, value);
        check_control(F::encoding == field::entry_controls.encoding, vmx::Word::entry, value);
        if (F::encoding == field::entry_interruption.encoding && (value & 0x7ffff000) != 0)
            complain("reserved bits of an event", F::encoding);
        fields_[F::encoding] = value;
    }
    // What the CPU does: read-only fields too.
    template <typename F> void cpu_sets(F, typename F::Value value) { fields_[F::encoding] = value; }

    [[nodiscard]] std::uint64_t raw(std::uint32_t encoding) const { return fields_.at(encoding); }
    [[nodiscard]] bool written(std::uint32_t encoding) const { return fields_.count(encoding) != 0; }
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

private:
    void check_control(bool is_that_word, vmx::Word word, std::uint64_t value) {
        const std::uint64_t capability = capabilities_.of[static_cast<std::size_t>(word)];
        if (is_that_word && ((value & ~(capability >> 32)) != 0 || (~value & (capability & 0xffffffff)) != 0))
            complain("control bits that the CPU does not allow", static_cast<std::uint32_t>(word));
    }
    void complain(const std::string& what, std::uint32_t encoding) const {
        std::ostringstream text;
        text << what << ": " << std::hex << encoding;
        complaints_.push_back(text.str());
    }

    vmx::Capabilities capabilities_;
    std::map<std::uint32_t, std::uint64_t> fields_;
    mutable std::vector<std::string> complaints_;
};

} // namespace host
