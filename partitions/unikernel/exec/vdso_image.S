// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso_image.S - the built vDSO as whole pages of the kernel's constants.
.section .rodata.vdso, "a"
.balign 4096
.globl vdso_image, vdso_image_end
vdso_image:
    .incbin CAISSON_VDSO
.balign 4096
vdso_image_end:
.section .note.GNU-stack, "", @progbits
