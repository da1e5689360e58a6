// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/acpi_tables_fuzz.cpp - hostile firmware tables, with bad and with repaired checksums.
#include "hypervisor/core/acpi/image_test.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    acpi::testing::Image image{std::as_bytes(std::span{data, size})};
    for (int pass = 0; pass < 2; ++pass) {
        acpi::Tables tables;
        image.reads = 0;
        const auto result = acpi::parse(image.memory(), image.rsdp, tables);
        if (image.reads > 3 + 1 + 64 * 3 + 2)
            std::abort(); // the work is bounded by the list of tables
        if (result.ok()) {
            bool usable = false;
            for (std::size_t i = 0; i < tables.cpus.size(); ++i) {
                usable = usable || tables.cpus[i].enabled;
                for (std::size_t j = 0; j < i; ++j)
                    if (tables.cpus[i].apic_id == tables.cpus[j].apic_id)
                        std::abort();
            }
            if (!usable || (tables.soft_off && tables.soft_off->pm1a > 7))
                std::abort();
            const auto& units = tables.remapping.units;
            for (std::size_t i = 0; i < units.size(); ++i)
                for (std::size_t j = 0; j <= i; ++j)
                    if (units[i] == 0 || units[i] % 4096 != 0 || (i != j && units[i] == units[j]))
                        std::abort();
        }
        (void)acpi::find_tpm(image.memory(), image.rsdp);
        if (const auto port = acpi::find_serial_port(image.memory(), image.rsdp);
            port && (port->address == 0 || port->stride == 0 || (!port->in_memory && port->address > 0xFFF8)))
            std::abort();
        image.repair();
    }
    static_cast<void>(acpi::soft_off_in(std::as_bytes(std::span{data, size})));
    return 0;
}
