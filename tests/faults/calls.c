/* faults/calls.c - makes each call that libinject.so wraps, once, as a program would, and says what came of it: a
 * line `CALL result errno`. test_inject.py looks whether each can be made to fail. With a second word it ends by a
 * signal. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static void tell(const char *call, long result) {
    printf("%s %ld %d\n", call, result, errno);
    errno = 0;
}

#define TELL(call, expression)                                                                     \
    do {                                                                                           \
        errno = 0;                                                                                 \
        tell(call, (long)(expression));                                                            \
    } while (0)

/* A pointer counts as 0, or -1 where there is none. */
#define TELL_POINTER(call, expression)                                                             \
    do {                                                                                           \
        errno = 0;                                                                                 \
        const void *pointer = (expression);                                                        \
        tell(call, pointer &&pointer != MAP_FAILED ? 0 : -1);                                      \
    } while (0)

static void *do_nothing(void *argument) {
    return argument;
}

static int make_thread(void) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, do_nothing, NULL);
    if (error == 0)
        pthread_join(thread, NULL);
    errno = error;
    return error ? -1 : 0;
}

static void write_things(int fd) {
    struct iovec pieces[2] = {{"abcd", 4}, {"efgh", 4}};
    TELL("write", write(fd, "12345678", 8));
    TELL("pwrite", pwrite(fd, "12345678", 8, 0));
    TELL("writev", writev(fd, pieces, 2));
    TELL("fsync", fsync(fd));
    TELL("fdatasync", fdatasync(fd));
    TELL("ftruncate", ftruncate(fd, 8));
    TELL("fallocate", (errno = posix_fallocate(fd, 0, 8)) ? -1 : 0);
    TELL("fchmod", fchmod(fd, 0640));
    TELL("fchown", fchown(fd, getuid(), getgid()));
    TELL("fsetxattr", fsetxattr(fd, "user.test", "1", 1, 0) != 0 && errno != ENOTSUP ? -1 : 0);
    TELL("fremovexattr",
         fremovexattr(fd, "user.test") != 0 && errno != ENODATA && errno != ENOTSUP ? -1 : 0);
    TELL("flock", flock(fd, LOCK_EX));
    TELL("lseek", lseek(fd, 0, SEEK_SET));
}

static void read_things(int fd, size_t room) {
    char bytes[64];
    struct iovec pieces[2] = {{bytes, 4}, {bytes + 4, 4}};
    struct stat about;
    /* A size that the compiler does not know, so that a fortified variant is called where there is one. */
    TELL("read", read(fd, bytes, room));
    TELL("pread", pread(fd, bytes, room, 0));
    lseek(fd, 0, SEEK_SET);
    TELL("readv", readv(fd, pieces, 2));
    TELL_POINTER("mmap", mmap(NULL, 8, PROT_READ, MAP_PRIVATE, fd, 0));
    TELL("fstat", fstat(fd, &about));
}

static void look_at_paths(int folder) {
    char text[256], whole[4096];
    struct stat about;
    TELL("stat", stat("file", &about));
    TELL("lstat", lstat("file", &about));
    TELL("fstatat", fstatat(folder, "file", &about, 0));
    TELL("getxattr", getxattr("file", "user.test", text, sizeof text) < 0 && errno != ENODATA &&
                             errno != ENOTSUP
                         ? -1
                         : 0);
    TELL("access", access("file", R_OK));
    symlink("file", "symbolic");
    TELL("readlink", readlink("symbolic", text, sizeof text));
    TELL_POINTER("realpath", realpath("file", whole));
    errno = 0;
    DIR *list = opendir("inner");
    tell("opendir", list ? 0 : -1);
    DIR *open_one = list ? list : opendir("inner");
    TELL_POINTER("readdir", readdir(open_one));
    closedir(open_one);
}

static void change_paths(int folder) {
    TELL("link", link("file", "second"));
    TELL("linkat", linkat(folder, "file", folder, "third", 0));
    TELL("rename", rename("second", "fourth"));
    TELL("renameat", renameat(folder, "third", folder, "fifth"));
    TELL("unlink", unlink("fourth"));
    TELL("unlinkat", unlinkat(folder, "fifth", 0));
}

/* All of what a stream does is one call of each kind. */
static void use_streams(const char *mode, const char *path) {
    errno = 0;
    FILE *file = fopen(path, mode);
    tell("fopen", file ? 0 : -1);
    if (!file)
        return;
    if (*mode == 'w') {
        fputs("12345678", file);
        TELL("fflush", fflush(file));
        TELL("fileno", fileno(file) > 2 ? 0 : -1);
    } else {
        char text[16];
        TELL("fread", fread(text, 1, 8, file));
        TELL("ferror", ferror(file));
    }
    TELL("fclose", fclose(file));
}

/* Ends the process by a signal. */
static void crash(const char *how) {
    char *volatile nowhere = NULL;
    jmp_buf place;
    if (strcmp(how, "pointer") == 0)
        *nowhere = 1;
    else if (strcmp(how, "argument") == 0)
        printf("%zu", strlen(nowhere));
    else if (strcmp(how, "abort") == 0)
        abort();
    memset(place, 0, sizeof place);
    longjmp(place, 1);
}

int main(int count, char **words) {
    if (count == 3)
        crash(words[2]);
    if (count != 2 || chdir(words[1]) != 0)
        return 2;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    errno = 0;
    int fd = creat("file", 0600);
    tell("creat", fd < 0 ? -1 : 0);
    if (fd >= 0)
        close(fd);
    TELL("mkdir", mkdir("inner", 0700));
    mkdir("inner", 0700); /* where that has failed */
    errno = 0;
    fd = open("file", O_RDWR | O_CREAT, 0600);
    tell("open", fd < 0 ? -1 : 0);
    if (fd < 0)
        fd = open("file", O_RDWR | O_CREAT, 0600);
    errno = 0;
    int folder = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
    tell("openat", folder < 0 ? -1 : 0);
    if (folder < 0)
        folder = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
    write_things(fd);
    read_things(fd, strlen(words[1]) > 0 ? 8 : 4);
    look_at_paths(folder);
    change_paths(folder);
    TELL("close", close(fd));
    use_streams("w", "stream");
    use_streams("r", "stream");
    TELL("pthread_create", make_thread());
    /* Of these by their names a compiler takes it for known that they leave errno alone. */
    void *(*volatile allocate)(size_t) = malloc;
    void *(*volatile allocate_zeros)(size_t, size_t) = calloc;
    errno = 0;
    void *volatile block = allocate(10);
    tell("malloc", block ? 0 : -1);
    free(block);
    block = allocate_zeros(2, 10);
    tell("calloc", block ? 0 : -1);
    free(block);
    void *aligned = NULL;
    TELL("posix_memalign", (errno = posix_memalign(&aligned, 64, 64)) ? -1 : 0);
    free(aligned);
    return 0;
}
