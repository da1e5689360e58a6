/* SPDX-License-Identifier: Apache-2.0 */
/* third_party/sodium/support.c - the few services that the used part of libsodium expects from the rest of
 * it.
 *
 * Secret are only the keys of the audit log: what wipes and compares here does so for certain and in constant time.
 * Misuse is a bug of ours: it traps. */
#include <stddef.h>
#include <stdint.h>

#include "crypto_hash_sha512.h"

void sodium_memzero(void* memory, size_t bytes) {
    volatile unsigned char* p = memory;
    while (bytes-- > 0)
        *p++ = 0;
}

int sodium_memcmp(const void* left, const void* right, size_t bytes) {
    const volatile unsigned char* a = left;
    const volatile unsigned char* b = right;
    unsigned char difference = 0;
    for (size_t i = 0; i < bytes; ++i)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0 ? 0 : -1;
}

int sodium_is_zero(const unsigned char* data, const size_t bytes) {
    unsigned char any = 0;
    for (size_t i = 0; i < bytes; ++i)
        any |= data[i];
    return any == 0;
}

__attribute__((noreturn)) void sodium_misuse(void) {
    __builtin_trap();
}

/* Only Ed25519 proper is used, never the pre-hashed variant. */
void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state* state, int prehashed) {
    if (prehashed)
        sodium_misuse();
    crypto_hash_sha512_init(state);
}

#ifdef CAISSON_FREESTANDING
__attribute__((noreturn)) void abort(void) {
    __builtin_trap();
}
#endif
