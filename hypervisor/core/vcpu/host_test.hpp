// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/host_test.hpp - processors for tests: one that has nothing, one that claims every bit.
#pragma once

#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/cpuid.hpp"

#include <cstdint>
#include <map>
#include <utility>

namespace vcpu::testing {

class Host {
public:
    // Every bit of every leaf, with XSAVE components laid out as on real processors.
    static Host everything() {
        Host host;
        host.fill_ = 0xFFFFFFFF;
        host.set(0, 0, {0x23, 0x68747541, 0x444D4163, 0x69746E65});
        host.set(0x80000000, 0, {0x80000026, 0, 0, 0});
        host.set(0xD, 2, {256, 576, 0, 0});   // AVX
        host.set(0xD, 5, {64, 1088, 0, 0});   // opmask
        host.set(0xD, 6, {512, 1152, 0, 0});  // ZMM high halves
        host.set(0xD, 7, {1024, 1664, 2, 0}); // high ZMM, 64-byte aligned when compacted
        host.set(0xD, 9, {8, 2688, 0, 0});    // PKRU
        return host;
    }
    void set(std::uint32_t leaf, std::uint32_t subleaf, const CpuidLeaf& answer) {
        leaves_[{leaf, subleaf}] = answer;
    }
    // As build_cpuid asks it; one at a time.
    [[nodiscard]] CpuidSource source() const {
        asked_ = this;
        return [](std::uint32_t leaf, std::uint32_t subleaf) { return asked_->answer(leaf, subleaf); };
    }

private:
    [[nodiscard]] CpuidLeaf answer(std::uint32_t leaf, std::uint32_t subleaf) const {
        const auto found = leaves_.find({leaf, subleaf});
        return found != leaves_.end() ? found->second : CpuidLeaf{fill_, fill_, fill_, fill_};
    }

    inline static const Host* asked_ = nullptr;
    std::uint32_t fill_ = 0;
    std::map<std::pair<std::uint32_t, std::uint32_t>, CpuidLeaf> leaves_;
};

} // namespace vcpu::testing
