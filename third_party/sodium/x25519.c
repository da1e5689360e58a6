/* SPDX-License-Identifier: Apache-2.0 */
/* third_party/sodium/x25519.c - libsodium's X25519 ladder (RFC 7748) under a name of its own.
 *
 * Its file exports the ladder only together with the fixed-base one, whose 30 KiB table nobody here needs. */
#include "crypto_scalarmult/curve25519/ref10/x25519_ref10.c"

int caisson_x25519(unsigned char* out, const unsigned char* scalar, const unsigned char* point) {
    return crypto_scalarmult_curve25519_ref10(out, scalar, point);
}
