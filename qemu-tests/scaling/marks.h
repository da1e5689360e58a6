// SPDX-License-Identifier: Apache-2.0
// qemu-tests/scaling/marks.h - what a program tells in_step.c: a NOP with a displacement that no compiler writes.
#pragma once

#define MARK 0x5CA15500 // the low byte: 0 ends a measurement, any other begins one of that number

#define MARK_TEXT(number) #number
#define MARK_NOP(number) __asm__ volatile("nopl " MARK_TEXT(number) "(%%rax)" ::: "memory")
