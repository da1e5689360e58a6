/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/boot/entry.S - from firmware's 32-bit entry, and another processor's real mode, to C++ in long mode.
 *
 * One ELF64, three ways in: the PVH note (QEMU -kernel, Xen) and the Multiboot2 header (GRUB on BIOS and UEFI), which leave
 * paging off, flat 32-bit segments, interrupts off; and a note of our own, for loader/uefi, in long mode one to one. The first instruction after the entry records the TSC.
 * The image is linked at the top 2 GiB and lies at any multiple of 2 MiB (image_place); up to enabling paging the code here
 * finds everything by its distance to where it runs.
 * The early tables map the image where it is linked and the first 512 GiB one to one (4 GiB on a CPU without 1 GiB pages);
 * they serve only until the hypervisor's own tables are built.
 * Spec: Xen public/arch-x86/hvm/start_info.h; Multiboot2 specification 2.0 sections 3.1, 3.3; AMD APM vol. 2 ch. 14
 * "Processor Initialization and Long Mode Activation". */

/* Paging and protection in one step, with the tables at %eax. What follows is a far jump to a 64-bit selector. */
.macro enable_long_mode
    movl %eax, %cr3
    movl $(1 << 5 | 1 << 9 | 1 << 10), %eax /* PAE OSFXSR OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 8 | 1 << 11), %eax           /* LME NXE */
    wrmsr
    movl $0x80010033, %eax                  /* PG WP NE ET MP PE */
    movl %eax, %cr0
.endm
/* Intel's firmware may switch no-execute off (IA32_MISC_ENABLE bit 34): then CPUID does not show it and EFER.NXE faults. It is
 * switched on again; other vendors have no such switch. */
.macro allow_no_execute
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 20), %edx
    jnz 9f
    xorl %eax, %eax
    cpuid
    cmpl $0x756e6547, %ebx  /* "Genu" */
    jne 9f
    movl $0x1a0, %ecx
    rdmsr
    andl $~(1 << 2), %edx
    wrmsr
9:
.endm
/* `count` entries from where the register `at` points on: %edx:%eax, and each `step` more than the one before. */
.macro fill_table at, count, step
    movl $\count, %ecx
1:  movl %eax, (\at)
    movl %edx, 4(\at)
    add $8, \at
    addl $\step, %eax
    adcl $0, %edx
    decl %ecx
    jnz 1b
.endm
.macro load_flat_segments
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
.endm

.set PVH_KIND, 1
.set MULTIBOOT2_KIND, 2
.set UEFI_KIND, 3
.set MULTIBOOT2_LOADED, 0x36d76289
.set IMAGE_ALIGNMENT, 0x200000

.section .head, "a", @progbits
.balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
    .balign 8
    .short 6, 0             /* modules on page boundaries */
    .long 8
    .balign 8
    .short 10, 0            /* relocatable: */
    .long 24, 0x200000, 0xffe00000, IMAGE_ALIGNMENT, 1 /* from, to, multiple of, the lowest */
    .balign 8
    .short 5, 1             /* a frame buffer, if there can be one: */
    .long 20, 0, 0, 32      /* of any size, 32 bits a pixel */
    .balign 8
    .short 0, 0
    .long 8
multiboot2_end:

.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, 18          /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_entry_loaded  /* link.ld: where it is when the image lies where its segments ask for */

    .long 8, 8, 1           /* ours (loader/uefi/pe_image.cpp): the 64-bit entry, from the image's start on */
    .asciz "Caisson"
    .quad uefi_entry_distance

.section .text.entry, "ax", @progbits
.code32
/* Of something in the image, from where this code runs: the assembler makes it relative to the program counter. */
#define HERE(symbol) ((symbol) - .Lhere)(%ebp)
.global multiboot2_entry, pvh_entry
multiboot2_entry:
    movl %eax, %ebp
    rdtsc
    movl $MULTIBOOT2_KIND, %edi
    cmpl $MULTIBOOT2_LOADED, %ebp
    je common_entry
    xorl %edi, %edi
    movl $0x7000, %ebx      /* whatever it holds: not a structure of a protocol we know */
    jmp common_entry
pvh_entry:
    rdtsc
    movl $PVH_KIND, %edi
common_entry:
    cli
    cld
    movl 4(%ebx), %ecx      /* a word of the protocol's structure is the first stack */
    leal 8(%ebx), %esp
    call .Lhere
.Lhere:
    popl %ebp
    movl %ecx, 4(%ebx)
    movl %eax, HERE(boot_entry_tsc)
    movl %edx, HERE(boot_entry_tsc + 4)
    movl %ebx, %esi
    leal HERE(boot_stack_top), %esp
    leal HERE(image_start), %eax
    movl %eax, HERE(boot_image_place)
    testl $(IMAGE_ALIGNMENT - 1), %eax
    jnz stop32
    orl $0x83, %eax
    movl %eax, HERE(early_image_pd)
    leal HERE(early_image_pd + 3), %eax
    movl %eax, HERE(early_image_pdpt + 8 * 510)
    leal HERE(early_image_pdpt + 3), %eax
    movl %eax, HERE(early_pml4 + 8 * 511)
    leal HERE(early_pdpt + 3), %eax
    movl %eax, HERE(early_pml4)

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb stop32
    allow_no_execute
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 29), %edx  /* long mode */
    jz stop32
    testl $(1 << 20), %edx  /* no-execute */
    jz stop32

    leal HERE(early_pdpt), %ebx
    testl $(1 << 26), %edx  /* 1 GiB pages */
    jz 2f
    movl $512, HERE(early_map_gigabytes)
    movl $0x83, %eax
    xorl %edx, %edx
    fill_table %ebx, 512, 0x40000000
    jmp 4f
2:  leal HERE(early_pds + 3), %eax
    xorl %edx, %edx
    fill_table %ebx, 4, 4096
    leal HERE(early_pds), %ebx
    movl $0x83, %eax
    fill_table %ebx, 4*512, 0x200000
4:  leal HERE(early_pml4), %eax
    enable_long_mode
    leal HERE(early_gdt), %eax
    movl %eax, HERE(early_gdt_below + 2)
    lgdt HERE(early_gdt_below)
    leal HERE(.Llong), %eax
    pushl $0x08
    pushl %eax
    lret
stop32:
    hlt
    jmp stop32

.code64
.Llong:
    movl %edi, %edi
    movl %esi, %esi
    movabsq $long_entry, %rax
    jmp *%rax
/* uefi_entry(handover): Boot Services are gone, tables and segments still firmware's. */
.global uefi_entry
uefi_entry:
    rdtsc
    cli
    cld
    movq %rdi, %rsi
    leaq boot_stack_top(%rip), %rsp
    movl %eax, boot_entry_tsc(%rip)
    movl %edx, boot_entry_tsc + 4(%rip)
    leaq image_start(%rip), %rax
    movq %rax, boot_image_place(%rip)
    orq $0x83, %rax
    movq %rax, early_image_pd(%rip)
    leaq early_image_pd + 3(%rip), %rax
    movq %rax, early_image_pdpt + 8 * 510(%rip)
    leaq early_image_pdpt + 3(%rip), %rax
    movq %rax, early_pml4 + 8 * 511(%rip)
    leaq early_pdpt + 3(%rip), %rax
    movq %rax, early_pml4(%rip)
    allow_no_execute
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 20), %edx  /* no-execute */
    jz stop64
    leaq early_pdpt(%rip), %rbx
    testl $(1 << 26), %edx  /* 1 GiB pages */
    jz 2f
    movl $512, early_map_gigabytes(%rip)
    movl $0x83, %eax
    xorl %edx, %edx
    fill_table %rbx, 512, 0x40000000
    jmp 4f
2:  leaq early_pds + 3(%rip), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    fill_table %rbx, 4, 4096
    leaq early_pds(%rip), %rbx
    movl $0x83, %eax
    xorl %edx, %edx
    fill_table %rbx, 4*512, 0x200000
4:  movl $(1 << 5 | 1 << 9 | 1 << 10), %eax /* PAE OSFXSR OSXMMEXCPT */
    movq %rax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $(1 << 11), %eax    /* NXE */
    wrmsr
    movl $0x80010033, %eax  /* PG WP NE ET MP PE */
    movq %rax, %cr0
    leaq early_pml4(%rip), %rax
    movq %rax, %cr3
    movl $UEFI_KIND, %edi
    lgdt early_gdt_pointer
    pushq $0x08
    pushq $long_entry
    lretq
stop64:
    hlt
    jmp stop64
long_entry:
    lgdt early_gdt_pointer
    load_flat_segments
    movq $boot_stack_top, %rsp
    /* QEMU, loading the image again at a reset, leaves a segment without bytes in the file as it was. */
    movq %rdi, %rbp
    movq $image_constant_start, %rdi
    movq $image_data_start, %rcx
    subq %rdi, %rcx
    shrq $3, %rcx
    xorl %eax, %eax
    rep stosq
    movq %rbp, %rdi
    /* The stack guard's value: hardware randomness where there is any, the clock in any case. */
    movl $1, %eax
    cpuid
    movl %ecx, %r8d
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movabsq $0x9e3779b97f4a7c15, %rdx
    mulq %rdx
    xorq %rdx, %rax
    btl $30, %r8d
    jnc 3f
    rdrand %rdx
    xorq %rdx, %rax
3:  xorb %al, %al           /* a NUL in front: string functions stop at it */
    movq %rax, __stack_chk_guard
    xorl %ebp, %ebp
    call caisson_boot
4:  hlt
    jmp 4b

/* Another processor, in the early tables: on with what processor_start says (boot::Start). */
processor_entry:
    lgdt early_gdt_pointer
    load_flat_segments
    movq processor_start, %rdi
    movq processor_start + 8, %rsi
    movq processor_start + 16, %rdx
    movq processor_start + 24, %rcx
/* Into the hypervisor's own tables, onto the CPU's own stack, for good:
 * enter_address_space(argument, stack top, function, CR3). */
.global enter_address_space
enter_address_space:
    movq %rcx, %cr3
    movq %rsi, %rsp
    xorl %ebp, %ebp
    call *%rdx
5:  hlt
    jmp 5b

/* What lies between the two marks is copied to a page below 1 MiB (it is position independent) and entered at its first
 * byte by SIPI with CS = page >> 4; on the next page lies a copy of early_pml4, which may be out of reach of 32 bits. Both are
 * erased once all CPUs are up. */
.section .rodata.trampoline, "a", @progbits
.balign 16
.global trampoline_start, trampoline_end
#define THERE(symbol) ((symbol) - trampoline_start)
.code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    allow_no_execute
    xorl %ebp, %ebp
    movw %cs, %bp
    shll $4, %ebp
    leal THERE(trampoline_gdt)(%ebp), %eax
    movl %eax, THERE(trampoline_gdt_pointer + 2)
    leal THERE(trampoline_long)(%ebp), %eax
    movl %eax, THERE(trampoline_jump)
    lgdtl THERE(trampoline_gdt_pointer)
    leal 4096(%ebp), %eax
    enable_long_mode
    ljmpl *THERE(trampoline_jump)
.code64
trampoline_long:
    movabsq $processor_entry, %rax
    jmp *%rax
.balign 8
trampoline_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
trampoline_gdt_pointer:
    .short 23
    .long 0
trampoline_jump:
    .long 0
    .short 8
trampoline_end:

.section .rodata.entry, "a", @progbits
.balign 8
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdt_pointer:
    .short 23
    .quad early_gdt

.section .data.entry, "aw", @progbits
.balign 8
.global boot_entry_tsc, boot_image_place, early_map_gigabytes
boot_entry_tsc:         .quad 0
boot_image_place:       .quad 0
early_map_gigabytes:    .long 4
early_gdt_below:        /* early_gdt by its physical address */
    .short 23
    .long 0

.section .bss.early, "aw", @nobits
.balign 8
.global processor_start
processor_start: .skip 32       /* boot::Start */
.balign 4096
.global early_pml4
early_pml4: .skip 4096
early_pdpt: .skip 4096
early_pds:  .skip 4 * 4096
early_image_pdpt: .skip 4096
early_image_pd: .skip 4096

.section .bss.bootstack, "aw", @nobits
.balign 4096
.global boot_stack_guard, boot_stack_top
boot_stack_guard: .skip 4096     /* left out of the hypervisor's tables */
    .skip 60 * 1024
boot_stack_top:

.section .note.GNU-stack, "", @progbits
