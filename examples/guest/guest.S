# SPDX-License-Identifier: Apache-2.0
# examples/guest/guest.S - the smallest kernel of one's own: says hello and ends with status 0 (docs/abi.md).
    .section .note, "a", @note
    .long 4, 4, 18              # bytes of the owner, bytes of the value, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start

    .text
    .globl _start
_start:                         # 32-bit protected mode, no paging, EBX = hvm_start_info
    movl $greeting, %esi
    movw $0x3F8, %dx            # the transmit half of a 16550, always ready
next:
    movb (%esi), %al
    testb %al, %al
    jz end
    outb %al, %dx
    incl %esi
    jmp next
end:
    movl $3, %eax               # hypercall 3: exit
    xorl %edi, %edi             # status 0
    xorl %esi, %esi             # it ended by itself
    testl $2, 0xF300C           # the boot page's flags: CAISSON_BOOT_VMMCALL
    jz intel
    vmmcall
intel:
    vmcall

    .section .rodata
greeting:
    .asciz "hello from a kernel of thirty lines\n"
