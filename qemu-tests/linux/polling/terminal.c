/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/polling/terminal.c - Pseudo-terminals: both ends, modes, lines and their editing, signals, sessions. */
#include "qemu-tests/linux/check.h"
#include <termios.h>
static int m, s;
static volatile int got;
static void handler(int number) {
    got = number;
}
static void settle(void) { // Linux moves bytes from end to end in another thread
    sleep_ms(5);
}
static void put(const char* text) {
    write(m, text, strlen(text));
    settle();
}
static void show(const char* who, int f) {
    unsigned char b[300];
    settle();
    long n = read(f, b, sizeof b);
    if (n < 0) {
        printf("   %s: %s\n", who, ename(errno));
        return;
    }
    printf("   %s: %ld ", who, n);
    for (long i = 0; i < n; i++)
        printf(b[i] < 32 || b[i] > 126 ? "\\x%02x" : "%c", b[i]);
    printf("\n");
}
static void type(const char* text) {
    printf("type %d -> %ld\n", (int)strlen(text), (long)write(m, text, strlen(text)));
    show("slave", s);
    show("master", m);
}
static void local(unsigned off, unsigned on) {
    struct termios t;
    tcgetattr(s, &t);
    t.c_lflag = (t.c_lflag & ~off) | on;
    CALL(tcsetattr(s, TCSANOW, &t));
}
int main(void) {
    struct termios t;
    struct winsize w = {0}, v = {30, 100, 5, 6};
    int n = -1, l = -1, flag;
    char name[64], b[64];
    TITLE("making");
    m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    VALUE(m >= 0);
    CALL(ioctl(m, TIOCGPTN, &n));
    VALUE(n);
    CALL(ioctl(m, 0x80045439, &l));
    VALUE(l);
    snprintf(name, sizeof name, "/dev/pts/%d", n);
    CALL(open(name, O_RDWR | O_NOCTTY));
    l = 0;
    CALL(ioctl(m, TIOCSPTLCK, &l));
    show("master", m);
    s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    VALUE(s >= 0);
    VALUE(isatty(s));
    VALUE(isatty(m));
    struct stat st;
    fstat(s, &st);
    VALUE(st.st_mode);
    VALUE(st.st_gid);
    VALUE(st.st_rdev == (136 << 8 | n));
    VALUE(fcntl(s, F_GETFL));
    CALL(lseek(s, 0, SEEK_SET));
    TITLE("modes");
    CALL(ioctl(s, TCGETS, &t));
    printf("%o %o %o %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
    for (int i = 0; i < 19; i++)
        printf("%d ", t.c_cc[i]);
    printf("\n");
    CALL(ioctl(s, TIOCGWINSZ, &w));
    printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
    CALL(ioctl(m, TIOCSWINSZ, &v));
    CALL(ioctl(s, TIOCGWINSZ, &w));
    printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
    CALL(ioctl(s, TIOCGPTN, &n));
    CALL(ioctl(s, 0x5499, &n));
    TITLE("lines");
    type("hello\r");
    type("abc\x7f\x7fx\n");
    type("one two three\x17\n");
    type("all of it\x15new\n");
    type("\x16\x03quoted\n");
    type("tab\tx\x7f\x7fy\n");
    type("no end");
    type("\x04");
    type("\x04");
    type("two\nlines\n");
    show("slave", s);
    CALL(ioctl(s, FIONREAD, &n));
    VALUE(n);
    type("partly\n");
    type("again\n");
    put("0123456789\n");
    CALL(read(s, b, 4));
    show("slave", s);
    show("master", m);
    TITLE("modes of lines");
    local(ECHO, 0);
    type("silent\n");
    local(0, ECHONL);
    type("silent\n");
    local(ECHONL | ECHOCTL, ECHO);
    type("\x16\x01 control\n");
    local(0, ECHOCTL);
    local(ICANON, 0);
    type("raw\x7f\x04");
    type("x");
    local(0, ICANON);
    TITLE("output");
    CALL(write(s, "a\nb\tc\r\n", 7));
    show("master", m);
    tcgetattr(s, &t);
    t.c_oflag |= XTABS;
    tcsetattr(s, TCSADRAIN, &t);
    CALL(write(s, "a\tb\n", 4));
    show("master", m);
    t.c_oflag &= ~OPOST;
    tcsetattr(s, TCSADRAIN, &t);
    CALL(write(s, "a\tb\n", 4));
    show("master", m);
    t.c_oflag |= OPOST;
    tcsetattr(s, TCSADRAIN, &t);
    put("\x13");
    CALL(write(s, "held", 4));
    show("master", m);
    put("\x11");
    CALL(write(s, "goes on", 7));
    show("master", m);
    put("thrown away\n");
    CALL(tcflush(s, TCIFLUSH));
    show("slave", s);
    show("master", m);
    TITLE("readiness");
    struct pollfd p[2] = {{m, POLLIN | POLLOUT, 0}, {s, POLLIN | POLLOUT, 0}};
    settle();
    CALL(poll(p, 2, 0));
    printf("%x %x\n", p[0].revents, p[1].revents);
    put("x\n");
    settle();
    CALL(poll(p, 2, 0));
    printf("%x %x\n", p[0].revents, p[1].revents);
    show("slave", s);
    show("master", m);
    TITLE("a session's terminal");
    signal(SIGINT, handler);
    signal(SIGWINCH, handler);
    CALL(open("/dev/tty", O_RDWR));
    CALL(ioctl(s, TIOCGPGRP, &n));
    CALL(ioctl(s, TIOCSPGRP, &n));
    SUCCEEDS(setsid());
    CALL(ioctl(s, TIOCSCTTY, 0));
    CALL(ioctl(s, TIOCSCTTY, 0));
    n = 0;
    CALL(ioctl(s, TIOCGPGRP, &n));
    VALUE(n == getpgrp());
    CALL(ioctl(s, TIOCGSID, &n));
    VALUE(n == getsid(0));
    VALUE(tcgetpgrp(m) == getpgrp());
    n = 999;
    CALL(ioctl(s, TIOCSPGRP, &n));
    n = getpgrp();
    CALL(ioctl(s, TIOCSPGRP, &n));
    int y = open("/dev/tty", O_RDWR | O_NONBLOCK);
    VALUE(y >= 0);
    CALL(write(y, "mine", 4));
    show("master", m);
    put("gone\x03");
    VALUE(got);
    show("master", m);
    show("slave", s);
    v.ws_row = 50;
    CALL(ioctl(s, TIOCSWINSZ, &v));
    VALUE(got);
    signal(SIGHUP, handler);
    signal(SIGCONT, SIG_IGN);
    CALL(ioctl(s, TIOCNOTTY, 0));
    VALUE(got);
    CALL(open("/dev/tty", O_RDWR));
    TITLE("ends");
    int peer = ioctl(m, 0x5441, O_RDWR | O_NOCTTY);
    VALUE(peer >= 0);
    close(y), close(peer);
    CALL(write(s, "last", 4));
    close(s);
    settle();
    CALL(poll(p, 1, 0));
    printf("%x\n", p[0].revents);
    show("master", m);
    show("master", m);
    s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    show("master", m);
    flag = 1;
    CALL(ioctl(m, TIOCPKT, &flag));
    CALL(write(s, "packet", 6));
    show("master", m);
    close(m);
    show("slave", s);
    CALL(write(s, "x", 1));
    p[1].fd = s;
    CALL(poll(p + 1, 1, 0));
    printf("%x\n", p[1].revents);
    CALL(open(name, O_RDWR));
    return 0;
}
