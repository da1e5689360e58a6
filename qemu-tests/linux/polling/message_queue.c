/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/message_queue.c - POSIX message queues: names and limits, order, waiting, readiness. */
#include "qemu-tests/linux/check.h"
#include <mqueue.h>

static mqd_t queue;
static char text[8192];

static void* receive_later(void* unused) {
    unsigned priority;
    sleep_ms(100);
    mq_receive(queue, text, sizeof text, &priority);
    return unused;
}
static void nothing(int number) {
    (void)number;
}
static int state(void) {
    struct pollfd look = {queue, POLLIN | POLLOUT, 0};
    poll(&look, 1, 0);
    return look.revents;
}
static long open_shaped(long messages, long bytes) {
    struct mq_attr shape = {.mq_maxmsg = messages, .mq_msgsize = bytes};
    const mqd_t made = mq_open("/shape", O_CREAT | O_EXCL | O_RDWR, 0600, &shape);
    const int error = errno;
    if (made >= 0) {
        close(made);
        mq_unlink("/shape");
    }
    errno = error;
    return made < 0 ? -1 : 0;
}

int main(void) {
    unsigned priority = 0;
    struct mq_attr shape = {.mq_maxmsg = 3, .mq_msgsize = 16};
    TITLE("names");
    CALL(mq_open("/none", O_RDWR));
    CALL(mq_unlink("/none"));
    CALL(mq_open("/a/b", O_CREAT | O_RDWR, 0600, 0));
    CALL(mq_open("/", O_CREAT | O_RDWR, 0600, 0));
    CALL(mq_open("/..", O_CREAT | O_RDWR, 0600, 0));
    queue = mq_open("/queue", O_CREAT | O_RDWR, 0640, &shape);
    VALUE(queue >= 0);
    CALL(mq_open("/queue", O_CREAT | O_EXCL | O_RDWR, 0600, 0));
    VALUE(fcntl(queue, F_GETFD) & FD_CLOEXEC);
    struct stat status;
    fstat(queue, &status);
    VALUE(status.st_mode);
    VALUE(status.st_size);
    TITLE("limits");
    CALL(open_shaped(0, 16));
    CALL(open_shaped(3, 0));
    CALL(open_shaped(10, 8192));
    setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){10000, 10000});
    CALL(open_shaped(10, 8192));
    CALL(open_shaped(1, 100));
    TITLE("order");
    CALL(mq_send(queue, "low", 3, 1));
    CALL(mq_send(queue, "high", 4, 9));
    CALL(mq_send(queue, "low again", 9, 1));
    VALUE(mq_getattr(queue, &shape));
    VALUE(shape.mq_maxmsg);
    VALUE(shape.mq_msgsize);
    VALUE(shape.mq_curmsgs);
    VALUE(state());
    CALL(mq_receive(queue, text, 15, 0));
    for (int i = 0; i < 3; i++) {
        memset(text, 0, sizeof text);
        CALL(mq_receive(queue, text, sizeof text, &priority));
        VALUE(priority);
        TEXT(text);
    }
    VALUE(state());
    TITLE("refused");
    CALL(mq_send(queue, text, 17, 0));
    CALL(mq_send(queue, text, 1, 32768));
    CALL(mq_send(queue, text, 1, 32767));
    CALL(mq_send(0, text, 1, 0));
    CALL(mq_send(99, text, 1, 0));
    CALL(mq_send(queue, (char*)8, 1, 0));
    const mqd_t reader = mq_open("/queue", O_RDONLY | O_NONBLOCK);
    CALL(mq_send(reader, text, 1, 0));
    CALL(mq_receive(reader, text, sizeof text, &priority));
    VALUE(priority);
    CALL(mq_receive(reader, text, sizeof text, &priority));
    VALUE(mq_getattr(reader, &shape));
    VALUE(shape.mq_flags == O_NONBLOCK);
    shape.mq_flags = 1;
    CALL(mq_setattr(reader, &shape, 0));
    shape.mq_flags = 0;
    CALL(mq_setattr(reader, &shape, 0));
    VALUE(fcntl(reader, F_GETFL) & O_NONBLOCK);
    TITLE("waiting");
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    moment.tv_sec -= 1;
    CALL(mq_timedreceive(reader, text, sizeof text, 0, &moment));
    moment.tv_nsec = -1;
    CALL(mq_timedreceive(reader, text, sizeof text, 0, &moment));
    pthread_t other;
    for (int i = 0; i < 3; i++)
        mq_send(queue, "x", 1, 0);
    pthread_create(&other, 0, receive_later, 0);
    CALL(mq_send(queue, "y", 1, 5));
    pthread_join(other, 0);
    VALUE(mq_getattr(queue, &shape));
    VALUE(shape.mq_curmsgs);
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGALRM, &action, 0);
    ualarm(50000, 0);
    CALL(mq_send(queue, "z", 1, 0));
    TITLE("without a name");
    CALL(mq_unlink("/queue"));
    CALL(mq_open("/queue", O_RDWR));
    CALL(mq_receive(queue, text, sizeof text, &priority));
    VALUE(priority);
    CALL(close(queue));
    CALL(mq_receive(reader, text, sizeof text, 0));
    return 0;
}
