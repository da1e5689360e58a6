/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/programs/files.c - files, directories, links, permissions and times on the writable overlay. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int order(const void* a, const void* b) {
    return strcmp(*(char* const*)a, *(char* const*)b);
}

static void list(const char* path) {
    DIR* directory = opendir(path);
    char* names[64];
    size_t count = 0;
    for (struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL && count < 64;)
        names[count++] = strdup(entry->d_name);
    if (directory != NULL)
        closedir(directory);
    qsort(names, count, sizeof names[0], order);
    printf("%s:", path);
    for (size_t i = 0; i < count; ++i) {
        printf(" %s", names[i]);
        free(names[i]);
    }
    printf("\n");
}
static void say(const char* what, int result) {
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

int main(void) {
    struct stat status;
    char text[64];
    umask(022);
    say("mkdir", mkdir("/tmp/d", 0777));
    say("mkdir again", mkdir("/tmp/d", 0777));
    int file = open("/tmp/d/one", O_RDWR | O_CREAT | O_EXCL, 0666);
    say("create", file);
    say("create again", open("/tmp/d/one", O_RDWR | O_CREAT | O_EXCL, 0666));
    struct iovec parts[2] = {{"gather ", 7}, {"write", 5}};
    printf("writev: %zd\n", writev(file, parts, 2));
    const ssize_t first = pread(file, text, 5, 7);
    printf("pread: %zd %.5s\n", first, text);
    lseek(file, 10000, SEEK_SET);
    say("write past the end", (int)write(file, "end", 3));
    fstat(file, &status);
    printf("size=%lld mode=%o links=%d\n", (long long)status.st_size, status.st_mode, (int)status.st_nlink);
    memset(text, 1, sizeof text);
    const ssize_t hole = pread(file, text, 16, 5000);
    printf("hole: %zd zero=%d\n", hole, text[0] == 0 && text[15] == 0);
    say("ftruncate", ftruncate(file, 3));
    close(file);
    say("link", link("/tmp/d/one", "/tmp/d/two"));
    say("symlink", symlink("one", "/tmp/d/three"));
    printf("readlink: %zd\n", readlink("/tmp/d/three", text, sizeof text));
    stat("/tmp/d/three", &status);
    printf("through the link: size=%lld links=%d\n", (long long)status.st_size, (int)status.st_nlink);
    lstat("/tmp/d/three", &status);
    printf("the link itself: %d\n", S_ISLNK(status.st_mode));
    say("rename", rename("/tmp/d/two", "/tmp/d/four"));
    list("/tmp/d");
    say("rmdir not empty", rmdir("/tmp/d"));
    say("unlink a directory", unlink("/tmp/d"));
    say("open a directory for writing", open("/tmp/d", O_WRONLY));
    say("missing", open("/tmp/none/x", O_RDONLY));
    say("not a directory", open("/tmp/d/one/x", O_RDONLY));
    say("loop", symlink("loop", "/tmp/d/loop") < 0 ? -1 : open("/tmp/d/loop", O_RDONLY));
    say("chmod", chmod("/tmp/d/one", 04750));
    stat("/tmp/d/one", &status);
    printf("mode=%o\n", status.st_mode);
    struct timespec times[2] = {{1000000000, 5}, {1100000000, 7}};
    say("utimensat", utimensat(AT_FDCWD, "/tmp/d/one", times, 0));
    stat("/tmp/d/one", &status);
    printf("mtime=%lld\n", (long long)status.st_mtime);
    file = open("/tmp/d", O_RDONLY | O_DIRECTORY);
    int inner = openat(file, "one", O_RDWR | O_APPEND);
    printf("append: %zd\n", write(inner, "!!", 2));
    fstat(inner, &status);
    printf("size=%lld\n", (long long)status.st_size);
    say("unlinkat", unlinkat(file, "one", 0));
    printf("still readable: %zd\n", pread(inner, text, 5, 0));
    close(inner);
    close(file);
    say("chdir", chdir("/tmp/d"));
    printf("cwd=%s\n", getcwd(text, sizeof text));
    unlink("three");
    unlink("four");
    unlink("loop");
    say("rmdir", rmdir("/tmp/d"));
    say("access", access("/tmp/d", F_OK));
    int copy = dup2(1, 9);
    printf("dup2=%d\n", copy);
    fflush(stdout);
    say("write through the copy", (int)write(9, "copy\n", 5));
    say("bad descriptor", (int)write(77, "x", 1));
    int pipes[2];
    say("pipe", pipe(pipes));
    printf("pipe: %zd", write(pipes[1], "in the pipe", 11));
    const ssize_t piped = read(pipes[0], text, sizeof text);
    printf(" %zd %.11s\n", piped, text);
    close(pipes[1]);
    printf("pipe end: %zd\n", read(pipes[0], text, sizeof text));
    return 0;
}
