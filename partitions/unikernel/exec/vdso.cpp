// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso.cpp - see vdso.hpp. The object itself is built from vdso/clock.cpp.
#include "partitions/unikernel/exec/vdso.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/exec/vdso/data.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"

#include <cstring>

extern "C" const char vdso_image[], vdso_image_end[]; // vdso_image.S, whole pages

namespace uk::exec {

namespace {

constexpr std::uint64_t around_pages = 1 << 9; // where it lies below the stack is random too

std::optional<mm::PhysAddr> data_frame;

// One word, which programs read whole.
void follow_clock() {
    auto* data = reinterpret_cast<vdso::Data*>(mm::frame_data(*data_frame));
    __atomic_store_n(&data->realtime_at_start, time_scale().realtime_at_start, __ATOMIC_RELAXED);
}

bool make_data_frame() {
    data_frame = mm::allocate_frame(mm::Fill::zero);
    if (!data_frame)
        return false;
    const TimeScale& scale = time_scale();
    const vdso::Data data{scale.start_tsc, scale.multiplier, scale.realtime_at_start, machine::cpu_count > 1,
                          machine::features().tsc_aux};
    std::memcpy(mm::frame_data(*data_frame), &data, sizeof(data));
    realtime_moved = &follow_clock;
    return true;
}

} // namespace

std::uint64_t map_vdso(mm::AddressSpace& space) {
    const auto bytes = static_cast<std::uint64_t>(vdso_image_end - vdso_image);
    if (!data_frame && !make_data_frame())
        return 0;
    mm::MapRequest request;
    request.bytes = bytes + base::page_size;
    request.kind = mm::VmaKind::vdso;
    request.protection = mm::protection::read | mm::protection::execute;
    request.address = space.mmap_top - machine::random_below(around_pages) * base::page_size - request.bytes;
    const auto at = space.map(request);
    if (!at.ok())
        return 0;
    bool shown = space.show_kernel_page(*at, *data_frame, mm::protection::read);
    const std::uint64_t code = reinterpret_cast<std::uint64_t>(vdso_image) - machine::kernel_base;
    for (std::uint64_t page = 0; page < bytes; page += base::page_size)
        shown = shown && space.show_kernel_page(*at + base::page_size + page, mm::PhysAddr{code + page},
                                                mm::protection::read | mm::protection::execute);
    return shown ? *at + base::page_size : 0;
}

} // namespace uk::exec
