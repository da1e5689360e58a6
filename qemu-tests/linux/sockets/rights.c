/* SPDX-License-Identifier: Apache-2.0 */
/* Files and identities through local sockets (SCM_RIGHTS, SCM_CREDENTIALS), circles of sockets among them. */
#include "qemu-tests/linux/sockets/sockets.h"

static long send_files(int s, const int* files, int count, const char* text) {
    char control[CMSG_SPACE(300 * sizeof(int))];
    struct iovec part = {(void*)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), files, count * sizeof(int));
    return sendmsg(s, &message, MSG_NOSIGNAL);
}
/* Receives and tells; the descriptors go to `files`. */
static int receive_files(int s, int* files, size_t room, size_t bytes, int flags) {
    char control[2000], text[100] = "";
    struct iovec part = {text, bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room ? control : 0, .msg_controllen = room};
    errno = 0;
    const long got = recvmsg(s, &message, flags);
    if (got < 0) {
        printf("recvmsg: %s\n", ename(errno));
        return 0;
    }
    int count = 0;
    printf("recvmsg: %ld \"%s\" control %ld flags %x", got, text, (long)message.msg_controllen, message.msg_flags);
    for (struct cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        printf(" [level %d type %d length %ld]", head->cmsg_level, head->cmsg_type, (long)head->cmsg_len);
        if (head->cmsg_type == SCM_RIGHTS) {
            count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(files, CMSG_DATA(head), count * sizeof(int));
        } else if (head->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(head), sizeof who);
            printf(" from %s %d %d", who.pid == getpid() ? "us" : "another", who.uid, who.gid);
        }
    }
    printf("\n");
    return count;
}

static void passing(void) {
    TITLE("passing");
    int v[2], p[2], got[300];
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    pipe(p);
    CALL(send_files(v[0], p, 2, "both"));
    close(p[0]);
    close(p[1]);
    VALUE(receive_files(v[1], got, 1000, 100, 0));
    CALL(write(got[1], "through", 7));
    char text[20] = "";
    CALL(read(got[0], text, 20));
    CALL(fcntl(got[0], F_GETFD));
    CALL(send_files(v[0], got, 2, "both"));
    VALUE(receive_files(v[1], p, 1000, 100, MSG_CMSG_CLOEXEC));
    CALL(fcntl(p[0], F_GETFD));
    TITLE("room for fewer");
    CALL(send_files(v[0], got, 2, "both"));
    VALUE(receive_files(v[1], p, CMSG_LEN(sizeof(int)), 100, 0));
    CALL(send_files(v[0], got, 2, "both"));
    VALUE(receive_files(v[1], p, CMSG_LEN(0), 100, 0));
    CALL(send_files(v[0], got, 2, "both"));
    VALUE(receive_files(v[1], p, 0, 100, 0));
    CALL(send_files(v[0], got, 2, "both"));
    RECV(v[1], 100, 0);
    TITLE("borders in a stream");
    SEND(v[0], "before ", 0);
    CALL(send_files(v[0], got, 1, "with"));
    SEND(v[0], " after", 0);
    VALUE(receive_files(v[1], p, 1000, 100, 0));
    VALUE(receive_files(v[1], p, 1000, 100, 0));
    CALL(send_files(v[0], got, 1, "abcdef"));
    VALUE(receive_files(v[1], p, 1000, 2, MSG_PEEK));
    VALUE(receive_files(v[1], p, 1000, 2, 0));
    VALUE(receive_files(v[1], p, 1000, 100, 0));
    CALL(send_files(v[0], got, 1, "one"));
    CALL(send_files(v[0], got, 1, "two"));
    VALUE(receive_files(v[1], p, 1000, 100, 0));
    VALUE(receive_files(v[1], p, 1000, 100, 0));
    TITLE("errors");
    const int bad = 999;
    CALL(send_files(v[0], &bad, 1, "x"));
    int many[260];
    for (int i = 0; i < 260; i++)
        many[i] = got[0];
    CALL(send_files(v[0], many, 50, "x"));
    VALUE(receive_files(v[1], got + 2, 2000, 100, MSG_DONTWAIT));
    CALL(send_files(v[0], got, 1, ""));
    VALUE(receive_files(v[1], p, 1000, 100, MSG_DONTWAIT));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, v);
    CALL(send_files(v[0], got, 1, ""));
    VALUE(receive_files(v[1], p, 1000, 100, MSG_DONTWAIT));
    struct rlimit few = {20, 20}, before;
    getrlimit(RLIMIT_NOFILE, &before);
    few.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    CALL(send_files(v[0], got, 1, "no descriptor left"));
    VALUE(receive_files(v[1], p, 1000, 100, MSG_DONTWAIT));
    setrlimit(RLIMIT_NOFILE, &before);
    close_all();
}

static void identities(void) {
    TITLE("identities");
    int v[2], none[4];
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    SEND(v[0], "before", 0);
    SET(v[1], SOL_SOCKET, SO_PASSCRED, 1);
    OPTION(v[1], SOL_SOCKET, SO_PASSCRED);
    SEND(v[0], "text", 0);
    receive_files(v[1], none, 100, 6, 0);
    receive_files(v[1], none, 100, 100, 0);
    SEND(v[0], "text", 0);
    receive_files(v[1], none, 0, 100, 0);
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec part = {"claimed", 7};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_CREDENTIALS;
    head->cmsg_len = CMSG_LEN(sizeof(struct ucred));
    struct ucred who = {getpid(), 1234, 77};
    memcpy(CMSG_DATA(head), &who, sizeof who);
    CALL(sendmsg(v[0], &message, 0));
    SEND(v[0], "ours", 0);
    receive_files(v[1], none, 100, 100, 0);
    receive_files(v[1], none, 100, 100, 0);
    CALL(seteuid(1000));
    CALL(sendmsg(v[0], &message, 0));
    who.uid = 1000;
    who.gid = 0;
    memcpy(CMSG_DATA(head), &who, sizeof who);
    CALL(sendmsg(v[0], &message, 0));
    SEND(v[0], "real", 0);
    CALL(seteuid(0));
    receive_files(v[1], none, 100, 100, 0);
    receive_files(v[1], none, 100, 100, 0);
    head->cmsg_len = 5;
    CALL(sendmsg(v[0], &message, 0));
    head->cmsg_len = 500;
    CALL(sendmsg(v[0], &message, 0));
    head->cmsg_len = CMSG_LEN(4);
    CALL(sendmsg(v[0], &message, 0));
    head->cmsg_type = 99;
    CALL(sendmsg(v[0], &message, 0));
    head->cmsg_level = 77;
    CALL(sendmsg(v[0], &message, 0));
    message.msg_control = 0;
    message.msg_controllen = 0;
    message.msg_iovlen = 2000;
    CALL(sendmsg(v[0], &message, 0));
    CALL(recvmsg(v[1], &message, 0));
    close_all();
}

/* A pipe's writer that only the circle holds: when the circle goes, the reader sees the end. */
static void circle(const char* title, int type, int both) {
    TITLE(title);
    int v[2], p[2];
    socketpair(AF_UNIX, type, 0, v);
    pipe2(p, O_NONBLOCK);
    int files[] = {v[0], p[1]};
    CALL(send_files(v[1], files, 2, "holds the reader of this"));
    if (both) {
        files[0] = v[1];
        CALL(send_files(v[0], files, 1, "and the other way"));
    }
    close(p[1]);
    char byte;
    CALL(read(p[0], &byte, 1));
    close(v[0]);
    CALL(read(p[0], &byte, 1));
    close(v[1]);
    /* The collection may be deferred; another socket's end gives it a turn. */
    for (int i = 0; i < 50 && read(p[0], &byte, 1) < 0; i++) {
        close(socket(AF_UNIX, SOCK_STREAM, 0));
        sleep_ms(10);
    }
    CALL(read(p[0], &byte, 1));
    close(p[0]);
}

static void held_circle(void) {
    TITLE("a circle that somebody still holds is kept");
    int a[2], b[2], got[4];
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    CALL(send_files(a[0], &b[0], 1, "b0"));
    CALL(send_files(b[1], &a[0], 1, "a0"));
    close(b[0]);
    close(a[0]);
    close(socket(AF_UNIX, SOCK_STREAM, 0));
    VALUE(receive_files(a[1], got, 100, 100, 0));
    SEND(b[1], "still", 0);
    int inner[2];
    VALUE(receive_files(got[0], inner, 100, 2, 0));
    SEND(a[1], "there", 0);
    RECV(got[0], 100, 0);
    RECV(inner[0], 100, 0);
    close_all();
}

static void deep(void) {
    TITLE("a socket in a socket in a socket: 2,000 deep");
    int v[2], next[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, v);
    for (int i = 0; i < 2000; i++) {
        socketpair(AF_UNIX, SOCK_DGRAM, 0, next);
        if (send_files(next[0], v, 2, "x") != 1) {
            printf("%d: %s\n", i, ename(errno));
            break;
        }
        close(v[0]);
        close(v[1]);
        v[0] = next[0];
        v[1] = next[1];
    }
    close(v[0]);
    close(v[1]);
    CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, v));
    close_all();
}

static void unaccepted(void) {
    TITLE("files sent to a connection that nobody accepts");
    const int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = un("@unaccepted");
    int p[2];
    char byte;
    pipe2(p, O_NONBLOCK);
    bind(s, (struct sockaddr*)&name, un_size);
    listen(s, 1);
    CALL(connect(c, (struct sockaddr*)&name, un_size));
    const int files[] = {p[1], s};
    CALL(send_files(c, files, 2, "x"));
    close(p[1]);
    CALL(read(p[0], &byte, 1));
    close(s);
    close(c);
    for (int i = 0; i < 50 && read(p[0], &byte, 1) < 0; i++) {
        close(socket(AF_UNIX, SOCK_STREAM, 0));
        sleep_ms(10);
    }
    CALL(read(p[0], &byte, 1));
}

int main(void) {
    passing();
    identities();
    circle("a stream that holds itself", SOCK_STREAM, 0);
    circle("two streams that hold each other", SOCK_STREAM, 1);
    circle("two datagram sockets that hold each other", SOCK_DGRAM, 1);
    held_circle();
    deep();
    unaccepted();
    return 0;
}
