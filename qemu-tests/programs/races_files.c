/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/races_files.c - threads at once at descriptors, pipes, sockets, sets of events, timers and files (races.h). */
#include "qemu-tests/programs/races.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

/* Descriptors: some are moved over others and closed while they are read and written. What is read is of one file alone. */
enum { slots = 4, first_slot = 40 };
static int slot_files[slots];

static void* move_descriptors(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    for (int i = 0; i < 300; ++i) {
        const int at = first_slot + (int)throw_dice(slots);
        if (throw_dice(4) == 0)
            close(at);
        else
            check(dup2(slot_files[throw_dice(slots)], at) == at || errno == EBUSY, "dup2");
    }
    return NULL;
}
static void* use_descriptors(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    while (!atomic_load(&stop)) {
        char got[64];
        const int at = first_slot + (int)throw_dice(slots);
        const ssize_t bytes = pread(at, got, sizeof got, 0);
        check(bytes == sizeof got || (bytes < 0 && errno == EBADF), "pread");
        for (ssize_t i = 1; i < bytes; ++i)
            check(got[i] == got[0], "bytes of two files");
        check(bytes < 0 || pwrite(at, got, 0, 0) == 0 || errno == EBADF, "pwrite");
        fcntl(at, F_GETFD);
    }
    return NULL;
}
static void descriptors(void) {
    struct crew movers = {.count = 0}, users = {.count = 0};
    for (int i = 0; i < slots; ++i) {
        char name[] = "/tmp/slot0", content[64];
        name[9] = (char)('0' + i);
        memset(content, 'a' + i, sizeof content);
        slot_files[i] = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        check(write(slot_files[i], content, sizeof content) == sizeof content, "write");
    }
    atomic_store(&stop, 0);
    for (int i = 1; i <= 2; ++i) {
        join_in(&users, use_descriptors, i);
        join_in(&movers, move_descriptors, 100 + i);
    }
    all_end(&movers);
    atomic_store(&stop, 1);
    all_end(&users);
    for (int i = 0; i < slots; ++i)
        close(first_slot + i), close(slot_files[i]);
}

/* Records through a pipe or a socket of packets, several at each end: none is torn, lost or seen twice. */
struct record {
    uint32_t writer, number, check[14];
};
enum { records = 300, writers = 3 };
static int near_end, far_end;
static atomic_uint sum_read;
static void* write_records(void* argument) {
    struct record record = {.writer = (uint32_t)(intptr_t)argument};
    for (record.number = 0; record.number < records; ++record.number) {
        for (int i = 0; i < 14; ++i)
            record.check[i] = record.writer * 1000 + record.number;
        ssize_t wrote = 0;
        while ((wrote = write(near_end, &record, sizeof record)) < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            struct pollfd ready = {near_end, POLLOUT, 0};
            poll(&ready, 1, 100);
        }
        check(wrote == sizeof record, "write of a record");
    }
    return NULL;
}
static void* read_records(void* unused) {
    (void)unused;
    for (;;) {
        struct record record;
        const ssize_t got = read(far_end, &record, sizeof record);
        if (got == 0)
            return NULL;
        check(got == sizeof record, "a record is torn");
        for (int i = 0; i < 14; ++i)
            check(record.check[i] == record.writer * 1000 + record.number, "a record of two");
        atomic_fetch_add(&sum_read, record.check[0]);
    }
}
static void pass_records(int ends[2]) {
    struct crew in = {.count = 0}, out = {.count = 0};
    far_end = ends[0], near_end = ends[1];
    atomic_store(&sum_read, 0);
    uint32_t sum = 0;
    for (int i = 1; i <= writers; ++i) {
        join_in(&in, write_records, i);
        join_in(&out, read_records, 0);
        sum += (uint32_t)(records * 1000 * i + records * (records - 1) / 2);
    }
    all_end(&in);
    close(near_end);
    all_end(&out);
    close(far_end);
    check(atomic_load(&sum_read) == sum, "records are lost");
}
static void pipes(void) {
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    pass_records(ends);
    check(pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0, "pipe2");
    pass_records(ends);
}
static void local_sockets(void) {
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
    pass_records(ends);
}

/* Descriptors sent through a socket, while the sender closes its own. */
static void* send_files(void* argument) {
    const int to = (int)(intptr_t)argument;
    for (int i = 0; i < 100; ++i) {
        char space[CMSG_SPACE(sizeof(int))] = {0}, byte = (char)i;
        struct iovec part = {&byte, 1};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
        struct cmsghdr* head = CMSG_FIRSTHDR(&message);
        const int file = eventfd((unsigned)i + 1, 0);
        *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(head), &file, sizeof file);
        check(sendmsg(to, &message, 0) == 1, "sendmsg");
        close(file);
    }
    return NULL;
}
static void sent_files(void) {
    int ends[2];
    struct crew crew = {.count = 0};
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    join_in(&crew, send_files, ends[0]);
    for (int i = 0; i < 100; ++i) {
        char space[CMSG_SPACE(sizeof(int))], byte = 0;
        struct iovec part = {&byte, 1};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
        check(recvmsg(ends[1], &message, 0) == 1 && byte == (char)i && CMSG_FIRSTHDR(&message) != NULL, "recvmsg");
        int file = -1;
        uint64_t value = 0;
        memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof file);
        check(read(file, &value, 8) == 8 && value == (uint64_t)i + 1, "another file came");
        close(file);
    }
    all_end(&crew);
    close(ends[0]), close(ends[1]);
}

/* TCP over the loopback: connections from several threads at once, answered by others; some go away early. */
static int listener;
static struct sockaddr_in server_address;
static void* serve(void* argument) {
    for (int left = (int)(intptr_t)argument; left > 0; --left) {
        char got[512];
        const int one = accept(listener, NULL, NULL);
        check(one >= 0, "accept");
        for (ssize_t bytes; (bytes = read(one, got, sizeof got)) > 0;)
            for (ssize_t sent = 0, more; sent < bytes && (more = send(one, got + sent, (size_t)(bytes - sent), MSG_NOSIGNAL)) > 0;)
                sent += more;
        close(one);
    }
    return NULL;
}
static void* ask(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    for (int i = 0; i < 20; ++i) {
        const int one = socket(AF_INET, SOCK_STREAM, 0);
        check(connect(one, (struct sockaddr*)&server_address, sizeof server_address) == 0, "connect");
        char sent[2000], got[2000];
        memset(sent, (int)throw_dice(256), sizeof sent);
        check(send(one, sent, sizeof sent, MSG_NOSIGNAL) == sizeof sent, "send");
        if (i % 4 != 3) { /* the others go with an answer on its way */
            check(recv(one, got, sizeof got, MSG_WAITALL) == sizeof got && memcmp(sent, got, sizeof got) == 0, "answer");
            if (i % 2 == 0) {
                shutdown(one, SHUT_WR);
                check(read(one, got, 1) == 0, "end");
            }
        }
        close(one);
    }
    return NULL;
}
static void connections(void) {
    struct crew crew = {.count = 0};
    socklen_t size = sizeof server_address;
    server_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr*)&server_address, size) == 0 && listen(listener, 64) == 0 &&
              getsockname(listener, (struct sockaddr*)&server_address, &size) == 0,
          "listen");
    for (int i = 1; i <= 3; ++i) {
        join_in(&crew, serve, 20);
        join_in(&crew, ask, i);
    }
    all_end(&crew);
    close(listener);
}

/* epoll: several wait on one set whose members are told once a change; every token is taken once. */
static int set, tokens[4];
static atomic_int taken;
static void* take_tokens(void* unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        struct epoll_event event;
        if (epoll_wait(set, &event, 1, 5) != 1)
            continue;
        uint64_t value = 0;
        if (read(tokens[event.data.u32], &value, 8) == 8)
            atomic_fetch_add(&taken, (int)value);
        event.events = EPOLLIN | EPOLLET | EPOLLONESHOT;
        check(epoll_ctl(set, EPOLL_CTL_MOD, tokens[event.data.u32], &event) == 0, "epoll_ctl");
    }
    return NULL;
}
static void* give_tokens(void* argument) {
    const uint64_t one = 1;
    for (int i = 0; i < 200; ++i)
        check(write(tokens[(i + (int)(intptr_t)argument) % 4], &one, 8) == 8, "write of a token");
    return NULL;
}
static void* add_and_remove(void* unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        const int file = eventfd(1, EFD_NONBLOCK);
        struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.u32 = 0}; /* ready at once: it is looked at for nothing */
        check(epoll_ctl(set, EPOLL_CTL_ADD, file, &event) == 0, "epoll_ctl");
        sched_yield();
        close(file);
    }
    return NULL;
}
static void event_sets(void) {
    struct crew givers = {.count = 0}, takers = {.count = 0};
    set = epoll_create1(0);
    atomic_store(&taken, 0), atomic_store(&stop, 0);
    for (unsigned i = 0; i < 4; ++i) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data.u32 = i};
        tokens[i] = eventfd(0, EFD_NONBLOCK);
        check(epoll_ctl(set, EPOLL_CTL_ADD, tokens[i], &event) == 0, "epoll_ctl");
    }
    join_in(&takers, add_and_remove, 0);
    for (int i = 0; i < 3; ++i) {
        join_in(&takers, take_tokens, 0);
        if (i < 2)
            join_in(&givers, give_tokens, i);
    }
    all_end(&givers);
    while (atomic_load(&taken) < 400)
        sched_yield();
    atomic_store(&stop, 1);
    all_end(&takers);
    check(atomic_load(&taken) == 400, "tokens");
    for (int i = 0; i < 4; ++i)
        close(tokens[i]);
    close(set);
}

/* eventfd as a semaphore, and timers that are set anew while they are read. */
static int semaphore;
static void* post(void* unused) {
    const uint64_t one = 1;
    (void)unused;
    for (int i = 0; i < 300; ++i)
        check(write(semaphore, &one, 8) == 8, "post");
    return NULL;
}
static void* pend(void* unused) {
    uint64_t one = 0;
    (void)unused;
    for (int i = 0; i < 300; ++i)
        check(read(semaphore, &one, 8) == 8 && one == 1, "pend");
    return NULL;
}
static void* set_timer(void* argument) {
    const int timer = (int)(intptr_t)argument;
    while (!atomic_load(&stop)) {
        const struct itimerspec often = {{0, 50000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
        check(timerfd_settime(timer, 0, &often, NULL) == 0 && timerfd_settime(timer, 0, &never, NULL) == 0 &&
                  timerfd_settime(timer, 0, &often, NULL) == 0,
              "timerfd_settime");
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    return NULL;
}
static void counters(void) {
    struct crew crew = {.count = 0}, setters = {.count = 0};
    semaphore = eventfd(0, EFD_SEMAPHORE);
    const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    atomic_store(&stop, 0);
    for (int i = 0; i < 2; ++i) {
        join_in(&crew, post, 0);
        join_in(&crew, pend, 0);
        join_in(&setters, set_timer, timer);
    }
    for (int i = 0; i < 40; ++i) {
        uint64_t fired = 0;
        check(read(timer, &fired, 8) == 8 && fired > 0, "timerfd");
    }
    all_end(&crew);
    struct pollfd ready = {semaphore, POLLIN, 0};
    check(poll(&ready, 1, 0) == 0, "posts are left");
    atomic_store(&stop, 1);
    all_end(&setters);
    close(semaphore), close(timer);
}

/* Names and bytes of files: made, moved, taken away, appended to and cut. */
static void* append(void* unused) {
    const int file = open("/tmp/log", O_WRONLY | O_APPEND | O_CREAT, 0600);
    (void)unused;
    for (int i = 0; i < 200; ++i)
        check(write(file, "0123456789", 10) == 10, "append");
    close(file);
    return NULL;
}
static void* rename_around(void* argument) {
    dice = (uint32_t)(intptr_t)argument;
    for (int i = 0; i < 150; ++i) {
        char from[] = "/tmp/names/0", to[] = "/tmp/names/0";
        from[11] = (char)('0' + throw_dice(4)), to[11] = (char)('0' + throw_dice(4));
        close(open(from, O_CREAT | O_RDWR, 0600));
        rename(from, to);
        if (throw_dice(3) == 0)
            unlink(to);
        DIR* all = opendir("/tmp/names");
        int names = 0;
        for (struct dirent* one; all != NULL && (one = readdir(all)) != NULL;)
            names += one->d_name[0] != '.';
        check(all != NULL && names <= 4 + 8, "names"); /* one that moves may be seen twice */
        closedir(all);
    }
    return NULL;
}
static void files(void) {
    struct crew crew = {.count = 0};
    unlink("/tmp/log");
    mkdir("/tmp/names", 0700);
    for (int i = 1; i <= 3; ++i) {
        join_in(&crew, append, 0);
        join_in(&crew, rename_around, i);
    }
    all_end(&crew);
    struct stat status;
    check(stat("/tmp/log", &status) == 0 && status.st_size == 3 * 200 * 10, "appended bytes");
}

int main(int argc, char** argv) {
    static const struct part parts[] = {{"descriptors", descriptors}, {"pipes", pipes},           {"local", local_sockets}, {"sent files", sent_files},
                                        {"connections", connections}, {"event sets", event_sets}, {"counters", counters},   {"files", files}};
    run_parts(parts, sizeof parts / sizeof *parts, argc, argv);
    return 0;
}
