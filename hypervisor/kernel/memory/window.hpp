// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/window.hpp - the only way to bytes that are not the hypervisor's own: a short view of one
// partition's memory or of the bundle, through this CPU's own table entries (rule 24).
//
// Invariants: I1  only frames bound to the partition named (or the verified file's) are ever mapped
//             I2  entries are this CPU's, not global, never executable, gone and flushed when the object is
//             I3  at most one window a slot: the source of a copy in slot 0, its target in slot 1
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/memory/run.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace hv {

struct WindowSlot;

enum class WindowSide : unsigned { source = 0, target = 1 };

class Window {
public:
    // [gpa, gpa + bytes) of the partition with that index, cut to what one window shows (at least the rest of gpa's
    // page). Nothing where gpa is not memory of the partition.
    [[nodiscard]] static std::optional<Window>
    guest(WindowSide side, std::uint32_t partition, base::GuestPhysAddr gpa, std::uint64_t bytes, bool write);
    // These frames of a lane, to be overwritten; at most what one window shows, from a page on.
    [[nodiscard]] static Window frames(WindowSide side, const memory::Run& run);
    // Bytes of the bundle at `offset`, likewise; read-only.
    [[nodiscard]] static std::optional<Window> bundle(WindowSide side, std::uint64_t offset,
                                                      std::uint64_t bytes);

    Window(Window&& other) noexcept : slot_(other.slot_), bytes_(other.bytes_) { other.slot_ = nullptr; }
    ~Window();

    [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

private:
    template <typename Frame>
    static std::optional<Window> open(WindowSide side, std::uint64_t first, std::uint64_t bytes, bool write,
                                      Frame frame_at);
    Window(WindowSlot& slot, std::span<std::byte> bytes) : slot_(&slot), bytes_(bytes) {}

    WindowSlot* slot_;
    std::span<std::byte> bytes_;
};

// Bytes piece by piece: use(span) over [first, first + bytes) as open(first, bytes) shows them. False where they end early.
template <typename Open, typename Use>
bool each_piece(std::uint64_t first, std::uint64_t bytes, Open open, Use use) {
    while (bytes > 0) {
        const std::optional<Window> window = open(first, bytes);
        if (!window)
            return false;
        use(window->bytes());
        first += window->bytes().size();
        bytes -= window->bytes().size();
    }
    return true;
}
template <typename Use>
bool each_guest_piece(WindowSide side, std::uint32_t partition, base::GuestPhysAddr gpa, std::uint64_t bytes,
                      bool write, Use use) {
    const auto open = [&](std::uint64_t at, std::uint64_t left) {
        return Window::guest(side, partition, base::GuestPhysAddr{at}, left, write);
    };
    return each_piece(gpa.value(), bytes, open, use);
}
template <typename Use>
bool each_bundle_piece(WindowSide side, std::uint64_t offset, std::uint64_t bytes, Use use) {
    return each_piece(
        offset, bytes,
        [side](std::uint64_t at, std::uint64_t left) { return Window::bundle(side, at, left); }, use);
}

} // namespace hv
