// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/wdat.hpp - a watchdog as firmware's WDAT table describes it, as stores: what is to be kept of a register is read
// once, now.
//
// Trust: firmware's word (core/acpi) on what its registers do. What these stores cannot express is left alone.
#pragma once

#include "drivers/watchdog/found.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/core/acpi/wdat.hpp"

#include <algorithm>
#include <optional>

namespace drivers {

class WdatTimer {
public:
    explicit WdatTimer(const acpi::Wdat& table) : table_(table) {}

    // The page of its registers in memory; 0: there are none; nothing: they lie in several, which are not mapped.
    [[nodiscard]] std::optional<std::uint64_t> page() const {
        std::uint64_t found = 0;
        for (const acpi::WdatEntry& entry : table_.entries) {
            const std::uint64_t here =
                entry.in_memory ? base::round_down(entry.address, base::page_size) : found;
            if (found != 0 && here != found)
                return std::nullopt;
            found = here;
        }
        return found;
    }

    // Between one and two times `milliseconds` after the last feeding the machine is reset. Registers are read, not written.
    template <typename Io>
    [[nodiscard]] std::optional<FoundWatchdog> prepare(Io io, std::uint32_t milliseconds) const {
        using namespace acpi::wdat;
        FoundWatchdog out;
        out.kind = WatchdogKind::wdat;
        if (table_.period_ms == 0 || table_.least > table_.most)
            return std::nullopt;
        const std::uint32_t count =
            std::clamp(2 * (milliseconds / table_.period_ms), table_.least, table_.most);
        // Nothing is to be done twice, and set_reboot is not every timer's.
        const bool good =
            add(io, set_stopped, count, out.start, true) && add(io, set_countdown, count, out.start, true) &&
            add(io, set_reboot, count, out.start, false) && add(io, set_running, count, out.start, true) &&
            add(io, feed, count, out.start, true) && add(io, feed, count, out.watchdog.feed, true) &&
            add(io, set_stopped, count, out.watchdog.stop, true);
        const std::uint64_t lasts = std::uint64_t{count} * table_.period_ms;
        return good && lasts >= milliseconds ? std::optional{out} : std::nullopt;
    }

private:
    template <typename Io> static std::uint32_t read(Io io, const acpi::WdatEntry& entry) {
        const auto port = static_cast<std::uint16_t>(entry.address);
        if (entry.bytes == 4)
            return entry.in_memory ? io.load32(entry.address) : io.in32(port);
        if (entry.bytes == 2)
            return entry.in_memory ? io.load16(entry.address) : io.in16(port);
        return entry.in_memory ? io.load8(entry.address) : io.in8(port);
    }

    // The stores of an action, in the table's order. False: there are none, too many, or others than stores.
    template <typename Io, std::size_t Most>
    bool add(Io io, std::uint8_t action, std::uint32_t count, base::FixedVector<Store, Most>& to,
             bool needed) const {
        bool any = false;
        for (const acpi::WdatEntry& entry : table_.entries) {
            if (entry.action != action)
                continue;
            const std::uint8_t kind = entry.instruction & 0x7f;
            if (kind != acpi::wdat::write_value && kind != acpi::wdat::write_countdown)
                return false;
            const std::uint32_t given = kind == acpi::wdat::write_countdown ? count : entry.value;
            std::uint32_t value = (given & entry.mask) << entry.bit_offset;
            if ((entry.instruction & acpi::wdat::preserve) != 0)
                value |= read(io, entry) & ~(entry.mask << entry.bit_offset);
            if ((kind == acpi::wdat::write_countdown && (count & entry.mask) != count) ||
                !to.push_back({entry.address, value, entry.bytes, entry.in_memory}))
                return false;
            any = true;
        }
        return any || !needed;
    }

    const acpi::Wdat& table_;
};

} // namespace drivers
