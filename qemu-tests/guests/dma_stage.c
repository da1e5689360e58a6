/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/guests/dma_stage.c - "firmware" that leaves devices running and then starts the hypervisor.
 *
 * A 32-bit PVH kernel whose module is what the harness made of a bundle and a loader: the bundle, the loader's ELF on the
 * next page boundary, and a trailer. Each QEMU `edu` device on bus 0 is told to write 4 KiB of zeros 100 ms from now:
 * the first into the bundle's file system where the marker stands, the others into memory every 8 MiB from 24 MiB on.
 * Then the loader is copied to where it is linked and entered with the start record that QEMU made, cut to the bundle.
 * Spec: Xen "x86/HVM direct boot ABI"; QEMU docs/specs/edu. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

__asm__(".section .note.pvh, \"a\", @note\n"
        ".long 4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
        ".asciz \"Xen\"\n"
        ".long _start\n"
        ".text\n"
        ".globl _start\n"
        "_start: mov $stack_top, %esp\n"
        "cld\n"
        "push %ebx\n"
        "push %ebx\n"
        "call stage_main\n"
        "pop %ebx\n"
        "pop %ebx\n"
        "jmp *%eax\n"
        ".bss\n"
        ".balign 16\n"
        ".skip 4096\n"
        "stack_top:\n"
        ".text\n");

struct start_info {
    u32 magic, version, flags, module_count;
    u64 module_list, command_line, rsdp, memory_map;
    u32 memory_map_entries, reserved;
};
struct module {
    u64 base, bytes, command_line, reserved;
};
struct trailer { /* the module's last bytes */
    u64 magic, bundle_bytes, elf_offset, elf_bytes;
};
struct elf {
    u8 ident[24];
    u64 entry, segments, sections;
    u32 flags;
    unsigned short header_bytes, segment_bytes, segment_count;
};
struct segment {
    u32 type, flags;
    u64 offset, virtual_address, address, file_bytes, memory_bytes, alignment;
};
struct note {
    u32 name_bytes, value_bytes, type;
    char name[4];
    u32 value;
};

static void out32(u32 port, u32 value) {
    __asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}
static u32 in32(u32 port) {
    u32 value;
    __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
    return value;
}
static u32 pci_read(u32 device, u32 offset) {
    out32(0xcf8, 0x80000000u | device << 11 | offset);
    return in32(0xcfc);
}
static void pci_write(u32 device, u32 offset, u32 value) {
    out32(0xcf8, 0x80000000u | device << 11 | offset);
    out32(0xcfc, value);
}
static void* at(u64 address) {
    return (void*)(u32)address;
}
static void copy(u32 to, u32 from, u32 bytes) {
    u8* target = at(to);
    const u8* source = at(from);
    while (bytes-- > 0)
        *target++ = *source++;
}
static void clear(u32 to, u32 bytes) {
    u8* target = at(to);
    while (bytes-- > 0)
        *target++ = 0;
}

/* The page of the bundle after the one in which a page full of 'M' starts; 0: no file system with the marker. */
static u32 marked_page(const struct module* bundle) {
    u32 address, i;
    for (address = (u32)bundle->base; address + 8192 <= (u32)(bundle->base + bundle->bytes);
         address += 4096) {
        const u32* words = at(address);
        for (i = 0; i < 2048 && words[i] == 0x4d4d4d4du; ++i) {
        }
        if (i == 2048)
            return address + 4096;
    }
    return 0;
}

static void arm(u32 device, u32 target) {
    volatile u32* registers = at(pci_read(device, 0x10) & ~15u);
    pci_write(device, 4, pci_read(device, 4) | 6); /* memory, bus master */
    registers[0x80 / 4] = 0x40000;                 /* its buffer, which holds zeros */
    registers[0x84 / 4] = 0;
    registers[0x88 / 4] = target;
    registers[0x8c / 4] = 0;
    registers[0x90 / 4] = 4096;
    registers[0x94 / 4] = 0;
    registers[0x98 / 4] = 3; /* run, towards memory; 100 ms later it is done */
    registers[0x9c / 4] = 0;
}

/* The entry that a PVH note names. */
static u32 entry_of(u32 address, u32 bytes) {
    const u32 end = address + bytes;
    while (address + sizeof(struct note) <= end) {
        const struct note* note = at(address);
        if (note->type == 18 && note->name[0] == 'X')
            return note->value;
        address += 12 + ((note->name_bytes + 3) & ~3u) + ((note->value_bytes + 3) & ~3u);
    }
    return 0;
}

u32 stage_main(struct start_info* start);
u32 stage_main(struct start_info* start) {
    enum { edu = 0x11e81234, first_target = 24u << 20, step = 8u << 20 };
    struct module* module = at(start->module_list);
    const u32 file = (u32)module->base;
    const struct trailer trailer = *(const struct trailer*)at(module->base + module->bytes - sizeof trailer);
    const u32 image = file + (u32)trailer.elf_offset;
    const struct elf* elf = at(image);
    u32 target = first_target, entry = 0, device, i;
    module->bytes = trailer.bundle_bytes;
    u32 marked = marked_page(module);
    for (i = 0; i < elf->segment_count; ++i) {
        const struct segment* segment = at(image + (u32)elf->segments + i * elf->segment_bytes);
        if (segment->type == 1) {
            copy((u32)segment->address, image + (u32)segment->offset, (u32)segment->file_bytes);
            clear((u32)(segment->address + segment->file_bytes),
                  (u32)(segment->memory_bytes - segment->file_bytes));
        } else if (segment->type == 4) {
            entry = entry_of(image + (u32)segment->offset, (u32)segment->file_bytes);
        }
    }
    for (device = 0; device < 32; ++device) {
        if (pci_read(device, 0) != edu)
            continue;
        if (marked != 0) {
            arm(device, marked);
            marked = 0;
        } else {
            arm(device, target);
            target += step;
        }
    }
    return entry;
}
