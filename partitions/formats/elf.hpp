// SPDX-License-Identifier: Apache-2.0
// partitions/formats/elf.hpp - the ELF structures this project reads (ELF32 and ELF64, x86).
//
// Spec: System V ABI "Object Files", "Program Loading"; Xen public header elfnote.h
// (XEN_ELFNOTE_PHYS32_ENTRY).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace elf {

inline constexpr std::array<std::uint8_t, 4> magic{0x7F, 'E', 'L', 'F'};
inline constexpr std::uint8_t class_32 = 1;
inline constexpr std::uint8_t class_64 = 2;
inline constexpr std::uint8_t data_little_endian = 1;
inline constexpr std::uint8_t version_current = 1;
inline constexpr std::uint16_t type_executable = 2;
inline constexpr std::uint16_t type_shared = 3;
inline constexpr std::uint16_t machine_386 = 3;
inline constexpr std::uint16_t machine_x86_64 = 62;
inline constexpr std::uint32_t segment_load = 1;
inline constexpr std::uint32_t segment_note = 4;
inline constexpr std::uint32_t note_phys32_entry = 18; // owner "Xen"

struct Identification {
    std::array<std::uint8_t, 4> magic;
    std::uint8_t file_class;
    std::uint8_t data;
    std::uint8_t version;
    std::uint8_t os_abi;
    std::array<std::uint8_t, 8> padding;
};
static_assert(sizeof(Identification) == 16);

struct Header64 {
    Identification identification;
    std::uint16_t type;
    std::uint16_t machine;
    std::uint32_t version;
    std::uint64_t entry;
    std::uint64_t program_header_offset;
    std::uint64_t section_header_offset;
    std::uint32_t flags;
    std::uint16_t header_size;
    std::uint16_t program_header_entsize;
    std::uint16_t program_header_count;
    std::uint16_t section_header_entsize;
    std::uint16_t section_header_count;
    std::uint16_t section_names_index;
};
static_assert(sizeof(Header64) == 64);

struct Header32 {
    Identification identification;
    std::uint16_t type;
    std::uint16_t machine;
    std::uint32_t version;
    std::uint32_t entry;
    std::uint32_t program_header_offset;
    std::uint32_t section_header_offset;
    std::uint32_t flags;
    std::uint16_t header_size;
    std::uint16_t program_header_entsize;
    std::uint16_t program_header_count;
    std::uint16_t section_header_entsize;
    std::uint16_t section_header_count;
    std::uint16_t section_names_index;
};
static_assert(sizeof(Header32) == 52);

struct ProgramHeader64 {
    std::uint32_t type;
    std::uint32_t flags;
    std::uint64_t offset;
    std::uint64_t virtual_address;
    std::uint64_t physical_address;
    std::uint64_t file_size;
    std::uint64_t memory_size;
    std::uint64_t alignment;
};
static_assert(sizeof(ProgramHeader64) == 56);

struct ProgramHeader32 {
    std::uint32_t type;
    std::uint32_t offset;
    std::uint32_t virtual_address;
    std::uint32_t physical_address;
    std::uint32_t file_size;
    std::uint32_t memory_size;
    std::uint32_t flags;
    std::uint32_t alignment;
};
static_assert(sizeof(ProgramHeader32) == 32);

struct NoteHeader {
    std::uint32_t name_size;
    std::uint32_t descriptor_size;
    std::uint32_t type;
};
static_assert(sizeof(NoteHeader) == 12);

} // namespace elf
