/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/eventfd_blocks.c - A write that would overflow an eventfd waits for a read. */
#include "qemu-tests/linux/check.h"
static int e;
static long first_read;
static void* read_later(void* unused) {
    uint64_t v;
    sleep_ms(100);
    first_read = read(e, &v, 8);
    return unused;
}
int main(void) {
    e = eventfd(0, 0);
    uint64_t v = -2;
    CALL(write(e, &v, 8));
    pthread_t t;
    pthread_create(&t, 0, read_later, 0);
    v = 5;
    CALL(write(e, &v, 8));
    pthread_join(t, 0);
    VALUE(first_read);
    fcntl(e, F_SETFL, O_NONBLOCK);
    v = 0;
    CALL(read(e, &v, 8));
    VALUE(v);
    return 0;
}
