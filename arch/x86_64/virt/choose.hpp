// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/virt/choose.hpp - which vendor's virtualization this machine has, and switching it on; boot only.
#pragma once

#include "hypervisor/core/vcpu/state.hpp"

#include <atomic>
#include <string_view>

namespace virt {

// Boot CPU, once. Returns what is missing and where to switch it on, or nothing.
[[nodiscard]] std::string_view choose();
// Whether the CPU that this runs on is as the boot CPU.
[[nodiscard]] bool same_here();

// 1 GiB leaves in second-stage tables.
[[nodiscard]] bool has_huge_pages();

struct Guest;
// `frame`, zeroed, becomes its VMCB or VMCS.
void make_guest(Guest& guest, base::PhysAddr frame);

// Where a vCPU's stubs find what they need.
struct Surroundings {
    vcpu::Registers* registers;
    base::PhysAddr host_block;
    const std::atomic<std::uint32_t>* requests;
    void* context; // handed to svm_exit or vmx_exit
};
// On the CPU that will run it, in the hypervisor's own tables: all that no life of it changes.
void set_up_guest(Guest& guest, const Surroundings& around, const vcpu::Controls& controls);

// On each CPU: `area` and `block` are frames of its own. False: this CPU is locked otherwise than the first.
[[nodiscard]] bool enable(base::PhysAddr area, base::PhysAddr block);

} // namespace virt
