// SPDX-License-Identifier: Apache-2.0
// loader/uefi/firmware.hpp - what the loader uses of UEFI, declared by ourselves.
//
// Members that are not used stand as `Unused`, for their place. All functions have Microsoft's calling convention.
// Trust:      everything a function gives back is firmware's.
// Spec:       UEFI 2.10; the section stands beside each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace loader::uefi {

using Status = std::uint64_t; // appendix D: errors have the highest bit
inline constexpr Status ok = 0, load_error = Status{1} << 63 | 1, buffer_too_small = Status{1} << 63 | 5;
[[nodiscard]] constexpr bool is_error(Status status) {
    return (status >> 63) != 0;
}
using Handle = void*;
using Unused = void*;
template <typename... Arguments> using Call = Status(__attribute__((ms_abi)) *)(Arguments...);

struct Guid {
    std::uint32_t first;
    std::uint16_t second, third;
    std::array<std::uint8_t, 8> rest;
    bool operator==(const Guid&) const = default;
};
static_assert(sizeof(Guid) == 16);

// 7.2.1 AllocatePages, 7.2.3 GetMemoryMap
inline constexpr std::uint32_t allocate_below = 1;   // AllocateMaxAddress
inline constexpr std::uint32_t allocate_address = 2; // AllocateAddress
inline constexpr std::uint32_t loader_code = 1, loader_data = 2;
struct MemoryDescriptor {
    std::uint32_t type, reserved;
    std::uint64_t start, virtual_start, pages, attributes;
};
static_assert(sizeof(MemoryDescriptor) == 40);

// 4.2
struct TableHeader {
    std::uint64_t signature;
    std::uint32_t revision, header_bytes, checksum, reserved;
};

// 12.4
struct TextOutput {
    Unused reset;
    Call<TextOutput*, const char16_t*> output_string;
};

// 4.4
struct BootServices {
    TableHeader header;
    std::array<Unused, 2> priorities;
    Call<std::uint32_t, std::uint32_t, std::uint64_t, std::uint64_t*> allocate_pages;
    Call<std::uint64_t, std::uint64_t> free_pages;
    Call<std::uint64_t*, void*, std::uint64_t*, std::uint64_t*, std::uint32_t*> get_memory_map;
    std::array<Unused, 2> pool;
    std::array<Unused, 6> events;
    std::array<Unused, 3> interfaces;
    Call<Handle, const Guid*, void**> handle_protocol;
    std::array<Unused, 5> handles; // from Reserved to InstallConfigurationTable
    std::array<Unused, 4> images;
    Call<Handle, std::uint64_t> exit_boot_services;
    Unused count;
    Call<std::uint64_t> stall; // microseconds
    Call<std::uint64_t, std::uint64_t, std::uint64_t, const char16_t*> set_watchdog_timer;
    std::array<Unused, 2> controllers;
    std::array<Unused, 3> open;
    std::array<Unused, 2> find;
    Call<const Guid*, void*, void**> locate_protocol;
};
static_assert(offsetof(BootServices, handle_protocol) == 0x98 &&
              offsetof(BootServices, exit_boot_services) == 0xe8 &&
              offsetof(BootServices, locate_protocol) == 0x140);

// 4.6
struct ConfigurationTable {
    Guid guid;
    void* table;
};
inline constexpr Guid acpi_1{0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}},
    acpi_2{0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}},
    smbios_2{0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}},
    smbios_3{0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}};

// 4.5, 8.5.1
inline constexpr std::uint32_t shut_down = 2; // EfiResetShutdown
struct RuntimeServices {
    TableHeader header;
    std::array<Unused, 4> time;
    std::array<Unused, 2> virtual_memory;
    std::array<Unused, 3> variables;
    Unused count;
    void(__attribute__((ms_abi)) * reset_system)(std::uint32_t, Status, std::uint64_t, void*);
};
static_assert(offsetof(RuntimeServices, reset_system) == 104);

// 4.3
struct SystemTable {
    TableHeader header;
    const char16_t* vendor;
    std::uint64_t revision;
    std::array<Unused, 3> input; // ConsoleInHandle, ConIn, ConsoleOutHandle
    TextOutput* text;
    std::array<Unused, 2> errors;
    RuntimeServices* runtime;
    BootServices* boot;
    std::uint64_t table_count;
    const ConfigurationTable* tables;
};
static_assert(offsetof(SystemTable, text) == 64 && offsetof(SystemTable, boot) == 96);

// 9.1
inline constexpr Guid loaded_image{
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
struct LoadedImage {
    std::uint64_t revision;
    Handle parent;
    SystemTable* system;
    Handle device;
    std::array<Unused, 2> path;
    std::uint64_t options_bytes;
    Unused options;
    const std::byte* base;
    std::uint64_t bytes;
};
static_assert(offsetof(LoadedImage, base) == 64);

// 13.5
struct File {
    std::uint64_t revision;
    Call<File*, File**, const char16_t*, std::uint64_t, std::uint64_t> open;
    Call<File*> close;
    Unused remove;
    Call<File*, std::uint64_t*, void*> read;
    Call<File*, std::uint64_t*, const void*> write;
    Call<File*, std::uint64_t*> get_position;
    Call<File*, std::uint64_t> set_position;
    std::array<Unused, 2> information;
    Call<File*> flush;
};
static_assert(offsetof(File, flush) == 80);
inline constexpr std::uint64_t open_to_read = 1, open_to_write = 2, end_of_file = ~std::uint64_t{0};

// 13.4
inline constexpr Guid file_system{
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
struct FileSystem {
    std::uint64_t revision;
    Call<FileSystem*, File**> open_volume;
};

// 12.9.2
inline constexpr Guid graphics{0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};
struct GraphicsInformation {
    std::uint32_t version, width, height, format;
    std::array<std::uint32_t, 4> masks;
    std::uint32_t pixels_a_line;
};
struct GraphicsMode {
    std::uint32_t count, mode;
    const GraphicsInformation* information;
    std::uint64_t information_bytes, frame_buffer, frame_buffer_bytes;
};
inline constexpr std::uint32_t fill = 0; // EfiBltVideoFill
struct Graphics {
    std::array<Unused, 2> modes;
    Call<Graphics*, const std::uint32_t*, std::uint32_t, std::uint64_t, std::uint64_t, std::uint64_t,
         std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>
        blt;
    const GraphicsMode* mode;
};

} // namespace loader::uefi
