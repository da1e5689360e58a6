/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/process/exec.c - execve: arguments, environment, descriptors, auxiliary vector, scripts, errors. */
#include "qemu-tests/linux/check.h"
#include <sys/auxv.h>
extern char** environ;
int main(int c, char** v) {
    if (c > 1 && !strcmp(v[1], "child")) {
        printf("argc %d", c);
        for (int i = 0; i < c && i < 6; i++)
            printf(" [%.20s] %zu", v[i], strlen(v[i]));
        puts("");
        for (char** e = environ; *e; e++)
            if (strncmp(*e, "PATH", 4) && strncmp(*e, "HO", 2))
                printf("env %s\n", *e);
        for (int i = 3; i < 12; i++)
            if (fcntl(i, F_GETFD) >= 0)
                printf("fd %d open\n", i);
        char n[20];
        prctl(PR_GET_NAME, n);
        TEXT(n);
        VALUE(getauxval(AT_SECURE));
        VALUE(getauxval(AT_PAGESZ));
        VALUE(getauxval(AT_CLKTCK));
        VALUE(getauxval(AT_FLAGS));
        TEXT((char*)getauxval(AT_EXECFN));
        TEXT((char*)getauxval(AT_PLATFORM));
        VALUE(getauxval(AT_RANDOM) != 0);
        VALUE(getauxval(AT_UID));
        VALUE(getauxval(AT_EUID));
        VALUE(((long)__builtin_frame_address(0)) > 0x7f0000000000);
        char l[200];
        int k = readlink("/proc/self/exe", l, 199);
        l[k] = 0;
        TEXT(l);
        VALUE(geteuid());
        VALUE(getegid());
        VALUE(prctl(PR_GET_DUMPABLE));
        exit(3);
    }
    if (c > 1 && !strcmp(v[1], "null")) {
        char* e[] = {0};
        execve("/proc/self/exe", 0, e);
        printf("%s\n", ename(errno));
        return 1;
    }
    if (c == 0 || !v[0] || !v[0][0]) {
        printf("argc %d first \"%s\"\n", c, c ? v[0] : "(none)");
        return 4;
    }
    const char* m = c > 1 ? v[1] : "plain";
    open("/etc/data", O_RDONLY);
    open("/etc/data", O_RDONLY | O_CLOEXEC);
    open("/tmp", O_RDONLY);
    char* e[] = {"A=1", "B=two", 0};
    if (!strcmp(m, "plain")) {
        char* a[] = {"x y", "child", "", "z", 0};
        execve("/bin/process_exec", a, e);
    }
    if (!strcmp(m, "script")) {
        int f = open("/tmp/s", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
        dprintf(f, "#! /bin/process_exec  child  \nxx");
        close(f);
        char* a[] = {"zero", "one", 0};
        execve("/tmp/s", a, e);
    }
    if (!strcmp(m, "script2")) {
        int f = open("/tmp/s", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
        dprintf(f, "#!/tmp/s2 a b\n");
        close(f);
        f = open("/tmp/s2", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
        dprintf(f, "#!/bin/process_exec child\n");
        close(f);
        char* a[] = {"zero", "one", 0};
        execve("/tmp/s", a, e);
    }
    if (!strcmp(m, "errors")) {
        char* a[] = {"x", 0};
        int f = open("/tmp/n", O_CREAT | O_WRONLY, 0755);
        CALL(execve("/tmp/n", a, e));
        close(f);
        CALL(execve("/tmp/n", a, e));
        f = open("/tmp/n", O_WRONLY);
        dprintf(f, "\177ELF");
        close(f);
        CALL(execve("/tmp/n", a, e));
        f = open("/tmp/m", O_CREAT | O_WRONLY, 0644);
        close(f);
        CALL(execve("/tmp/m", a, e));
        CALL(execve("/tmp", a, e));
        CALL(execve("/none", a, e));
        CALL(execve("", a, e));
        CALL(execve("/etc/data/x", a, e));
        CALL(execve((char*)8, a, e));
        CALL(execve("/bin/process_exec", (char**)8, e));
        char* ba[] = {"x", (char*)8, 0};
        CALL(execve("/bin/process_exec", ba, e));
        f = open("/tmp/sc", O_CREAT | O_WRONLY, 0755);
        dprintf(f, "#!/none\n");
        close(f);
        CALL(execve("/tmp/sc", a, e));
        f = open("/tmp/se", O_CREAT | O_WRONLY, 0755);
        dprintf(f, "#!\n");
        close(f);
        CALL(execve("/tmp/se", a, e));
        f = open("/tmp/sl", O_CREAT | O_WRONLY, 0755);
        dprintf(f, "#!/tmp/sl\n");
        close(f);
        CALL(execve("/tmp/sl", a, e));
        f = open("/tmp/si", O_CREAT | O_WRONLY, 0755);
        dprintf(f, "#!/tmp/m\n");
        close(f);
        CALL(execve("/tmp/si", a, e));
        char* big = malloc(140000);
        memset(big, 'a', 139999);
        big[139999] = 0;
        char* bg[] = {"x", big, 0};
        CALL(execve("/bin/process_exec", bg, e));
        char** many = malloc(40 * 8);
        char* k100 = malloc(100001);
        memset(k100, 'b', 100000);
        k100[100000] = 0;
        for (int i = 0; i < 39; i++)
            many[i] = k100;
        many[39] = 0;
        CALL(execve("/bin/process_exec", many, e));
        symlink("/bin/process_exec", "/tmp/ln");
        CALL(syscall(322, AT_FDCWD, "/tmp/ln", a, e, AT_SYMLINK_NOFOLLOW));
        CALL(open("/bin/process_exec", O_WRONLY));
        CALL(truncate("/bin/process_exec", 0));
        return 0;
    }
    if (!strcmp(m, "suid")) {
        int f = open("/bin/process_exec", O_RDONLY | O_CLOEXEC),
            g = open("/tmp/su", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
        char b[65536];
        int r;
        while ((r = read(f, b, 65536)) > 0)
            write(g, b, r);
        close(g);
        chmod("/tmp/su", 04755);
        chown("/tmp/su", 0, 0);
        chmod("/tmp/su", 04755);
        setresgid(1000, 1000, 1000);
        setresuid(1000, 1000, 1000);
        char* a[] = {"su", "child", 0};
        execve("/tmp/su", a, e);
    }
    if (!strcmp(m, "long")) {
        char* big = malloc(130000);
        memset(big, 'a', 129999);
        big[129999] = 0;
        char** many = malloc(12 * 8);
        many[0] = "x";
        many[1] = "child";
        for (int i = 2; i < 11; i++)
            many[i] = big;
        many[11] = 0;
        char* none[] = {0};
        int p[2];
        pipe(p);
        dup2(1, 9);
        execve("/bin/process_exec", many, none);
    }
    if (!strcmp(m, "at")) {
        char* a[] = {"x", "child", 0};
        int f = open("/bin/process_exec", O_RDONLY | O_CLOEXEC);
        syscall(322, f, "", a, e, AT_EMPTY_PATH);
        CALL(-1);
        fexecve(f, a, e);
    }
    CALL(-1);
    return 5;
}
