// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/raw.hpp - the only place where a number becomes a pointer.
//
// Callers hold the proof that the address is mapped for as long as the reference lives (own image, pool,
// window).
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace cpu {

// SAFETY: see above; nothing here checks.
template <typename T> T* pointer_to(base::VirtAddr address) {
    return reinterpret_cast<T*>(address.value());
}

inline std::span<std::byte> bytes_at(base::VirtAddr address, std::size_t count) {
    return {reinterpret_cast<std::byte*>(address.value()), count};
}

template <typename T> base::VirtAddr address_of(const T& object) {
    return base::VirtAddr{reinterpret_cast<std::uintptr_t>(&object)};
}

// Device registers: one access of exactly this width.
// SAFETY: the address is a device's, mapped uncached.
template <typename T> T mmio_read(base::VirtAddr address) {
    return *reinterpret_cast<const volatile T*>(address.value());
}
template <typename T> void mmio_write(base::VirtAddr address, T value) {
    *reinterpret_cast<volatile T*>(address.value()) = value;
}

} // namespace cpu
