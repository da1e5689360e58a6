// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/memory/window.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/own_tables.hpp"

namespace hv {
namespace {

constexpr std::uint64_t page_mask = base::page_size - 1;

void close(WindowSlot& slot) {
    volatile std::uint64_t* entries = entries_of(slot.table);
    for (std::uint64_t page = 0; page < slot.pages; ++page) {
        entries[page] = 0;
        cpu::invlpg(slot.at.value() + page * base::page_size);
    }
    slot.pages = 0;
}

} // namespace

template <typename Frame>
std::optional<Window> Window::open(WindowSide side, std::uint64_t first, std::uint64_t bytes, bool write,
                                   Frame frame_at) {
    WindowSlot& slot = this_cpu().windows[static_cast<unsigned>(side)];
    base::expects(slot.pages == 0, "window: opened twice");
    const std::uint64_t skip = first & page_mask;
    const std::uint64_t most = window_bytes - skip;
    const std::uint64_t wanted = bytes < most ? bytes : most;
    volatile std::uint64_t* entries = entries_of(slot.table);
    const std::uint64_t pages = bytes::units(skip + wanted, base::page_size);
    for (std::uint64_t page = 0; page < pages; ++page) {
        const std::optional<std::uint64_t> frame = frame_at(first - skip + page * base::page_size);
        if (!frame)
            break;
        entries[page] = (*frame & ~page_mask) | (write ? read_write_page : read_only_page);
        slot.pages = page + 1;
    }
    if (slot.pages == 0)
        return std::nullopt;
    const std::uint64_t shown = slot.pages * base::page_size - skip;
    return Window{slot,
                  cpu::bytes_at(base::VirtAddr{slot.at.value() + skip}, shown < wanted ? shown : wanted)};
}

std::optional<Window> Window::guest(WindowSide side, std::uint32_t partition, base::GuestPhysAddr gpa,
                                    std::uint64_t bytes, bool write) {
    // [page .. known_end) -> page + delta: one lookup a run, not a page.
    std::uint64_t known_end = 0, delta = 0;
    return open(side, gpa.value(), bytes, write, [&](std::uint64_t page) -> std::optional<std::uint64_t> {
        if (page >= known_end) {
            const auto host =
                plan::host_memory(machine().pieces.view(), partition, base::GuestPhysAddr{page});
            if (!host)
                return std::nullopt;
            known_end = page + host->contiguous;
            delta = host->address.value() - page;
        }
        return page + delta;
    });
}

Window Window::frames(WindowSide side, const memory::Run& run) {
    return *open(side, run.base, run.bytes, true,
                 [](std::uint64_t page) -> std::optional<std::uint64_t> { return page; });
}

std::optional<Window> Window::bundle(WindowSide side, std::uint64_t offset, std::uint64_t bytes) {
    if (bytes == 0 || !bytes::lies_within(offset, bytes, machine().bundle_bytes))
        return std::nullopt;
    return open(side, machine().bundle + offset, bytes, false,
                [](std::uint64_t page) -> std::optional<std::uint64_t> { return page; });
}

Window::~Window() {
    if (slot_ != nullptr)
        close(*slot_);
}

} // namespace hv
