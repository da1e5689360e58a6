// SPDX-License-Identifier: Apache-2.0
// Any handover, any loaded file, any answers of firmware: an error or a start, never a read outside of them.
#include "loader/handover/fake_memory_test.hpp"
#include "loader/uefi/fake_firmware_test.hpp"
#include "loader/uefi/keep_scan.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace loader;
    const FakeMemory memory{std::span{data, size}};
    BootRecord record;
    (void)read_uefi(memory.all(), FakeMemory::start, record).ok();
    if (record.screen.base != 0 && !record.screen.makes_sense())
        __builtin_trap();
    if (size < 16)
        return 0;
    uefi::FakeFirmware firmware;
    firmware.largest_allocation = 8u << 20;
    firmware.exits_refused = data[0] % 16;
    firmware.grows = data[1];
    firmware.descriptor_bytes = std::uint64_t{data[2]} << (data[3] % 32);
    firmware.map.resize(data[4] + 1u, firmware.map.front());
    firmware.short_read = data[5];
    firmware.mode.information = data[6] % 2 != 0 ? &firmware.shown : nullptr;
    firmware.processor.huge_pages = data[7] % 2 != 0;
    firmware.has_mode = data[7] % 3 != 0;
    firmware.has_blt = data[7] % 5 != 0;
    const auto bytes = std::as_bytes(std::span{data + 8, size - 8});
    const uefi::Buffer rest(bytes.begin(), bytes.end());
    firmware.files[u"a"] = rest;
    using Sections = std::vector<std::pair<std::string, uefi::Buffer>>;
    const uefi::Buffer path{std::byte{'a'}, std::byte{0}};
    switch (data[8] % 3) {
    case 0: // the whole file
        firmware.image = rest;
        break;
    case 1: // the hypervisor in it
        firmware.image = uefi::pe_image(Sections{{".caisson", rest}, {".path", path}});
        break;
    default:
        firmware.image = uefi::pe_image(Sections{{".caisson", uefi::small_elf()},
                                                 {".path", path},
                                                 {".bundle", data[9] % 2 != 0 ? rest : uefi::Buffer{}}});
    }
    if (data[9] % 4 == 0)
        firmware.files[u"a"].resize(board::kept_bytes);
    firmware.read_only = data[7] % 7 == 0;
    firmware.write_fails = data[7] % 11 == 0;
    (void)uefi::keep_scan(firmware.system(), &firmware);
    (void)firmware.load();
    return 0;
}
