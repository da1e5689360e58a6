# SPDX-License-Identifier: Apache-2.0
# examples/lanes/start.S - from the PVH entry to 64-bit code: one-to-one tables for the first 4 GiB, where RAM and lanes lie.
    .section .note, "a", @note
    .long 4, 4, 18              # bytes of the owner, bytes of the value, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .text
    .code32
    .globl _start
_start:                         # 32-bit protected mode, no paging
    movl $stack_end, %esp
    movl $pages, %edi           # 2,048 entries of 2 MiB
    movl $0x83, %eax            # present, writable, large
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b
    movl $directories, %edi     # four of them, one for each GiB
    movl $pages + 3, %eax
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $8, %edi
    addl $4096, %eax
    loop 2b
    movl $directories + 3, root
    movl $root, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax             # PAE
    movl %eax, %cr4
    movl $0xC0000080, %ecx      # EFER
    rdmsr
    orl $0x100, %eax            # LME
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax       # PG
    movl %eax, %cr0
    lgdt descriptor
    ljmp $8, $long_mode
    .code64
long_mode:
    call kernel_main            # its result is the status
    movl %eax, %edi
    movl $3, %eax               # hypercall 3: exit
    xorl %esi, %esi
    testl $2, 0xF300C           # the boot page's flags: CAISSON_BOOT_VMMCALL
    jz intel
    vmmcall
intel:
    vmcall

    .section .rodata
    .balign 8
table:
    .quad 0, 0x00209A0000000000 # nothing; 64-bit code
descriptor:
    .word 15
    .long table

    .bss
    .balign 4096
pages:
    .skip 4 * 4096
directories:
    .skip 4096
root:
    .skip 4096
    .skip 16384
stack_end:
