/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/eventfd_blocks.c - A write that would overflow an eventfd waits for a read. */
#include "qemu-tests/linux/check.h"
static int e;
static void* rd(void* a) {
    uint64_t v;
    sleep_ms(100);
    long r = read(e, &v, 8);
    printf("first read %ld\n", r);
    return 0;
}
int main(void) {
    e = eventfd(0, 0);
    uint64_t v = -2;
    CALL(write(e, &v, 8));
    pthread_t t;
    pthread_create(&t, 0, rd, 0);
    v = 5;
    CALL(write(e, &v, 8));
    pthread_join(t, 0);
    fcntl(e, F_SETFL, O_NONBLOCK);
    v = 0;
    CALL(read(e, &v, 8));
    VALUE(v);
    return 0;
}
