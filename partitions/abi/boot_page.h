/* SPDX-License-Identifier: Apache-2.0 */
/* partitions/abi/boot_page.h - what a partition finds at start. Version 1.4, little-endian, no pointers.
 *
 * Every payload is a PVH ELF: 32-bit entry, EBX = GPA of hvm_start_info (Xen public header "start_info.h", version 1).
 * Modules: [0] = the boot page and, directly behind it, the startup record (unikernel payloads), or the manifest's
 * `module:` file (own kernels; the boot page is then at CAISSON_GPA_BOOT_PAGE all the same).
 *
 * Guest-physical layout (partitions/abi is the one definition; core/plan computes sizes from it):
 *   [0, memory)                  RAM, one region per contiguous guest range; below 3 GiB, the rest from 4 GiB up
 *   0xF0000 .. 0x100000          inside that RAM: written by the hypervisor at start; E820 type 2 (reserved)
 *   root image                   read-only, page aligned, at CAISSON_GPA_ROOT (above all RAM below 4 GiB) or higher
 *   lanes                        in [CAISSON_GPA_LANES, CAISSON_GPA_LANES_END): its ends of wires, see struct caisson_link
 *   devices                      in [CAISSON_GPA_DEVICES, CAISSON_GPA_DEVICES_END): its devices' BARs, see struct caisson_device
 *
 * Straight under QEMU (no hypervisor) the unikernel gets the same page as the first 4 KiB of its one PVH module,
 * startup record and root image behind it in the same module; `root_gpa` is then an offset from the module's start
 * and CAISSON_BOOT_DIRECT is set. */
#ifndef CAISSON_ABI_BOOT_PAGE_H
#define CAISSON_ABI_BOOT_PAGE_H

#define CAISSON_GPA_ACPI 0xF0000u       /* RSDP, XSDT, MADT, FADT: 4 KiB */
#define CAISSON_GPA_START_INFO 0xF1000u /* hvm_start_info, module list, memory map, command line: 8 KiB */
#define CAISSON_GPA_BOOT_PAGE 0xF3000u  /* struct caisson_boot_page: 4 KiB */
#define CAISSON_GPA_STARTUP 0xF4000u    /* struct caisson_startup and its strings */
#define CAISSON_STARTUP_MAX 0xC000u     /* 48 KiB */
#define CAISSON_GPA_BOOT_END 0x100000u

#define CAISSON_GPA_RAM_LOW_END 0xC0000000ull /* RAM below 4 GiB ends here at most */
#define CAISSON_GPA_ROOT                                                                                     \
    0xC0000000ull /* root image: [here, 0xE0000000) when it fits, else CAISSON_GPA_ROOT_HIGH */
#define CAISSON_GPA_ROOT_LOW_END 0xE0000000ull
#define CAISSON_GPA_LANES 0xE0000000ull
#define CAISSON_GPA_LANES_END 0xF0000000ull
#define CAISSON_GPA_DEVICES 0xF0000000ull
#define CAISSON_GPA_DEVICES_END 0xFC000000ull
#define CAISSON_GPA_RAM_HIGH 0x100000000ull
#define CAISSON_GPA_ROOT_HIGH 0x4000000000ull /* 256 GiB */

#define CAISSON_BOOT_MAGIC 0x50544F4F42534943ull /* "CISBOOTP" */

#define CAISSON_BOOT_DIRECT 1u     /* started by QEMU itself, root_gpa is relative to the module */
#define CAISSON_BOOT_VMMCALL 2u    /* hypercalls by VMMCALL */
#define CAISSON_BOOT_VMCALL 4u     /* hypercalls by VMCALL */
#define CAISSON_BOOT_NO_CONSOLE 8u /* console: none - output is taken and dropped */

/* One end of a wire; its place in the list is the number that hypercalls take. One-way: one of the two addresses is 0. */
#define CAISSON_LINK_MAX 32u
#define CAISSON_LANE_HEADER_BYTES 4096u /* then a ring, whose size is a power of two: */
#define CAISSON_LANE_RING_MIN 0x10000u
#define CAISSON_LANE_RING_MAX 0x100000u
struct caisson_link {
    unsigned long long send_gpa;    /* the lane that this partition writes */
    unsigned long long receive_gpa; /* the lane that it reads */
    unsigned int lane_bytes;        /* of each: CAISSON_LANE_HEADER_BYTES and the ring */
    unsigned int reserved0;
    char peer[32];              /* the other partition's name, NUL-padded */
    unsigned char reserved[32]; /* zero */
};

/* A PCI function that the partition owns. Its memory BARs are mapped uncached; memory decoding, bus mastering and MSI-X are on
 * when the partition starts, INTx is off, the function has been reset. It reads and writes the partition's RAM at guest-physical
 * addresses, nothing else. There is no configuration space. MSI-X entry i reaches the partition's first CPU as vector
 * first_vector + i once `message_address` and `message_data` + i are written into it; any other message is blocked. */
#define CAISSON_DEVICE_MAX 4u
struct caisson_device {
    unsigned short vendor, device;
    unsigned int class_code;      /* class, subclass, programming interface */
    unsigned short requester;     /* bus, device, function */
    unsigned short vectors;       /* of MSI-X that can be used */
    unsigned int first_vector;
    unsigned long long message_address;
    unsigned int message_data;
    unsigned int msix_table;      /* offset in its BAR; the BAR's number in the lowest three bits */
    struct {
        unsigned long long gpa, bytes; /* bytes 0: none */
    } bars[6];
    /* Of a virtio device (VIRTIO 1.2 section 4.1.4): places as msix_table's, and notify_off_multiplier; all 0: it is none. */
    unsigned int virtio_common, virtio_notify, virtio_device, virtio_multiplier;
};

struct caisson_boot_page {
    unsigned long long magic;
    unsigned int abi_version; /* CAISSON_ABI_VERSION */
    unsigned int flags;       /* CAISSON_BOOT_... */
    unsigned int partition_id;
    unsigned int vcpu_count;
    unsigned long long generation;    /* 1, 2, ... */
    unsigned long long tsc_hz;        /* 0: not known, measure or use CPUID 0x15/0x16 */
    unsigned long long apic_timer_hz; /* local APIC timer input clock, before the divider; 0: not known */
    unsigned long long wall_ns; /* nanoseconds since 1970 UTC when the TSC read wall_tsc; 0: not known */
    unsigned long long wall_tsc;
    unsigned long long memory_bytes; /* RAM */
    unsigned long long root_gpa;     /* 0 size: no root image */
    unsigned long long root_bytes;
    unsigned int startup_offset; /* from this page's start; 4096, or 0: no startup record */
    unsigned int startup_bytes;
    unsigned char entropy_seed[64]; /* fresh for each start; all zero in direct mode */
    char partition_name[32];        /* NUL-padded */
    unsigned int watchdog_ms;       /* > 0: `heartbeat` must change at least once in so many milliseconds */
    unsigned int reserved0;
    unsigned long long heartbeat; /* the partition's to write; the hypervisor reads it, no exit; 0 at start */
    unsigned long long
        stop_request; /* the hypervisor's to write, while the partition runs: see below; 0 at start */
    unsigned int link_count;
    unsigned int device_count;
    unsigned char reserved2[16]; /* zero */
    struct caisson_link links[CAISSON_LINK_MAX];
    struct caisson_device devices[CAISSON_DEVICE_MAX];
    unsigned char reserved[4096 - 240 - CAISSON_LINK_MAX * 88 - CAISSON_DEVICE_MAX * 144]; /* zero */
};

/* `stop_request`: not 0 once the machine wants this partition to end. The low byte is the signal that its program expects,
 * the upper half the milliseconds after which it is stopped if it has not ended (status 137). Written once, in one store. A
 * kernel looks at it at least four times a second, in a timer that always runs; looking leaves guest mode for nobody. */
#define CAISSON_STOP_SIGNAL(request) ((request)&0xFFu)
#define CAISSON_STOP_MS(request) ((request) >> 32)

#endif
