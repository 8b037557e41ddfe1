#include "base/file.h"
#include "base/temporary.h"
#include "support/failing.h"
#include "support/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void expect_contents(const char *path, const char *expected) {
    void *bytes;
    size_t size;
    ck_ok(dlz_file_read(path, 1 << 30, &bytes, &size));
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_str_eq(bytes, expected);
    dlz_free(bytes);
}

/* How many files with a temporary name are in a folder. */
static int temporaries(const char *folder) {
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strstr(entry->d_name, ".tmp") != NULL;
    closedir(dir);
    return count;
}

START_TEST(a_file_appears_whole) {
    const char *path = scratch_path("whole");
    dlz_file *file;
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_write(file, "one ", 4));
    ck_ok(dlz_file_printf(file, "%s %d", "two", 3));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(temporaries(scratch_folder()), 1);
    ck_ok(dlz_file_commit(file));
    ck_assert_int_eq(temporaries(scratch_folder()), 0);
    expect_contents(path, "one two 3");
}
END_TEST

START_TEST(large_and_long_writes_arrive) {
    size_t size = 1000003;
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i * 7 % 26);
    bytes[size] = '\0';
    const char *path = scratch_path("large");
    dlz_file *file;
    ck_ok(dlz_file_create(&file, path));
    for (size_t at = 0, step = 1; at < size; at += step, step = step * 3 % 200003 + 1)
        ck_ok(dlz_file_write(file, bytes + at, step < size - at ? step : size - at));
    ck_ok(dlz_file_commit(file));
    expect_contents(path, bytes);
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_printf(file, "%s", bytes));
    ck_ok(dlz_file_commit(file));
    expect_contents(path, bytes);
    free(bytes);
}
END_TEST

START_TEST(bytes_are_written_at_once) {
    const char *path = scratch_path("at once"), *long_path = scratch_path("long");
    struct stat info;
    ck_ok(dlviz_file_write(path, "one two", 7));
    expect_contents(path, "one two");
    ck_ok(dlviz_file_write(path, "three", 5));
    expect_contents(path, "three");
    ck_ok(dlviz_file_write(path, NULL, 0));
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_size, 0);
    size_t size = 3 << 20;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i % 23);
    text[size] = '\0';
    ck_ok(dlviz_file_write(long_path, text, size));
    expect_contents(long_path, text);
    ck_fails(dlviz_file_write(NULL, "a", 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
    ck_fails(dlviz_file_write(long_path, NULL, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'bytes' is NULL");
    ck_fails(dlviz_file_write(scratch_folder(), "a", 1), DLVIZ_ERROR_IO, "folder");
    ck_fails(dlviz_file_write("/proc/none", "a", 1), DLVIZ_ERROR_IO, "/proc/none");
    expect_contents(long_path, text);
    ck_assert_int_eq(temporaries(scratch_folder()), 0);
    free(text);
}
END_TEST

START_TEST(discarding_leaves_the_earlier_file) {
    const char *path = scratch_path("kept");
    write_file(path, "earlier", 7);
    dlz_file *file;
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_write(file, "later", 5));
    dlz_file_discard(file);
    dlz_file_discard(NULL);
    expect_contents(path, "earlier");
    ck_assert_int_eq(temporaries(scratch_folder()), 0);
}
END_TEST

START_TEST(a_full_disk_leaves_the_earlier_file) {
    const char *path = scratch_path("full");
    write_file(path, "earlier", 7);
    char *bytes = calloc(1, 300000);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    /* Once while writing, once only when the buffer is emptied at the end. */
    size_t sizes[] = {300000, 30000};
    for (int i = 0; i < 2; i++) {
        limit = before;
        limit.rlim_cur = 20000;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        dlz_file *file;
        ck_ok(dlz_file_create(&file, path));
        dlviz_status first = dlz_file_write(file, bytes, sizes[i]);
        ck_assert_int_eq(first, i == 0 ? DLVIZ_ERROR_IO : DLVIZ_OK);
        dlviz_status second = dlz_file_printf(file, "more");
        ck_assert_int_eq(second, first);
        ck_fails(dlz_file_commit(file), DLVIZ_ERROR_IO, "File too large");
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), path));
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        expect_contents(path, "earlier");
        ck_assert_int_eq(temporaries(scratch_folder()), 0);
    }
    free(bytes);
}
END_TEST

START_TEST(permissions_and_links_are_kept) {
    const char *path = scratch_path("mode"), *link = scratch_path("link");
    dlz_file *file;
    mode_t mask = umask(027);
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_commit(file));
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    ck_assert_int_eq(chmod(path, 0604), 0);
    ck_assert_int_eq(symlink(path, link), 0);
    ck_ok(dlz_file_create(&file, link));
    ck_ok(dlz_file_printf(file, "through the link"));
    ck_ok(dlz_file_commit(file));
    umask(mask);
    ck_assert_int_eq(lstat(link, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0604);
    expect_contents(path, "through the link");
}
END_TEST

static void write_over(const char *path) {
    dlz_file *file;
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_commit(file));
}

/* Nobody else can read what takes a file's place while it is written. */
START_TEST(owners_groups_and_lists_are_kept) {
    static const unsigned char list[] = {2,   0,   0,   0,   1,   0,   6,  0,   255, 255, 255,
                                         255, 2,   0,   4,   0,   57,  48, 0,   0,   4,   0,
                                         0,   0,   255, 255, 255, 255, 16, 0,   4,   0,   255,
                                         255, 255, 255, 32,  0,   0,   0,  255, 255, 255, 255};
    const char *path = scratch_path("owned");
    struct stat info;
    dlz_file *file;
    static const char much[100000];
    static const mode_t modes[] = {0644, 0666, 0600};
    write_file(path, "earlier", 7);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        ck_ok(dlz_file_create(&file, path));
        ck_ok(dlz_file_write(file, much, sizeof much));
        int seen = 0;
        DIR *folder = opendir(scratch_folder());
        for (struct dirent *entry; (entry = readdir(folder));)
            if (strstr(entry->d_name, ".tmp")) {
                ck_assert_int_eq(fstatat(dirfd(folder), entry->d_name, &info, 0), 0);
                ck_assert_int_gt(info.st_size, 0);
                ck_assert_int_eq(info.st_mode & 0777, 0600);
                seen++;
            }
        closedir(folder);
        ck_assert_int_eq(seen, 1);
        ck_ok(dlz_file_commit(file));
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(info.st_mode & 0777, modes[i]);
    }
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 1234, 4321), 0);
        write_over(path);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(info.st_uid, 1234);
        ck_assert_int_eq(info.st_gid, 4321);
        ck_assert_int_eq(info.st_mode & 0777, 0600);
    }
    if (setxattr(path, "system.posix_acl_access", list, sizeof list, 0) == 0) {
        unsigned char found[sizeof list + 1];
        write_over(path);
        ck_assert_int_eq(getxattr(path, "system.posix_acl_access", found, sizeof found),
                         sizeof list);
        ck_assert_mem_eq(found, list, sizeof list);
    } else {
        printf("SKIP: no access lists here\n");
    }
}
END_TEST

/* Anybody could have made it, to have another file of this user's overwritten. */
START_TEST(a_strangers_link_is_not_followed) {
    char folder[512], link[600], victim[600];
    dlz_file *file;
    snprintf(folder, sizeof folder, "%s/shared", scratch_folder());
    snprintf(link, sizeof link, "%s/result", folder);
    snprintf(victim, sizeof victim, "%s/victim", scratch_folder());
    if (geteuid() != 0) {
        printf("SKIP: only the superuser can make links of others\n");
        return;
    }
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(chmod(folder, 01777), 0);
    write_file(victim, "precious", 8);
    ck_assert_int_eq(symlink(victim, link), 0);
    write_over(link); /* one's own */
    write_file(victim, "precious", 8);
    ck_assert_int_eq(lchown(link, 1234, 1234), 0);
    ck_fails(dlz_file_create(&file, link), DLVIZ_ERROR_IO, "symbolic link of another user (1234)");
    expect_contents(victim, "precious");
    /* The folder's owner may do with it as he likes. */
    ck_assert_int_eq(chown(folder, 1234, 1234), 0);
    write_over(link);
    ck_assert_int_eq(chown(folder, 0, 0), 0);
    ck_assert_int_eq(unlink(link), 0);
    /* Nor is a file of his made the result's. */
    write_file(link, "", 0);
    ck_assert_int_eq(chown(link, 1234, 1234), 0);
    ck_fails(dlz_file_create(&file, link), DLVIZ_ERROR_IO, "file of another user (1234)");
    ck_assert_int_eq(unlink(link) | rmdir(folder), 0);
    /* Links in a ring. */
    ck_assert_int_eq(symlink("ring", scratch_path("ring")), 0);
    ck_fails(dlz_file_create(&file, scratch_path("ring")), DLVIZ_ERROR_IO, "link");
}
END_TEST

/* A folder of user and group 1234, who can reach it, and the path of a file in it. */
static void make_folder_of_another(char folder[512], char path[600], const char *name) {
    ck_assert_int_eq(chmod(scratch_folder(), 0711), 0);
    snprintf(folder, 512, "%s/%s", scratch_folder(), name);
    snprintf(path, 600, "%s/file", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(chown(folder, 1234, 1234), 0);
}

/* Who is not in a file's group cannot give it to the new one, whose group is another; those of the
 * earlier one are among all others then. */
START_TEST(another_group_gets_no_more_than_everybody) {
    char folder[512], path[600];
    struct stat info;
    if (geteuid() != 0) {
        printf("SKIP: only the superuser can become another user\n");
        return;
    }
    make_folder_of_another(folder, path, "group");
    static const mode_t modes[][2] = {
        {0664, 0644}, {0660, 0600}, {0646, 0644}, {0604, 0600}, {02775, 0755}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(path, "earlier", 7);
        ck_assert_int_eq(chown(path, 1234, 4321), 0);
        ck_assert_int_eq(chmod(path, modes[i][0]), 0);
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setegid(1234) | seteuid(1234), 0);
        write_over(path);
        ck_assert_int_eq(seteuid(0) | setegid(0), 0);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(info.st_uid, 1234);
        ck_assert_int_eq(info.st_gid, 1234);
        ck_assert_msg((info.st_mode & 07777) == modes[i][1], "%o became %o, not %o",
                      (unsigned)modes[i][0], (unsigned)info.st_mode & 07777, (unsigned)modes[i][1]);
    }
    ck_assert_int_eq(remove(path) | rmdir(folder), 0);
}
END_TEST

/* A program may act for another user than the one who started it: it is the other one that counts. */
START_TEST(the_effective_user_counts) {
    char folder[512], path[600];
    dlz_file *file;
    bool exists;
    if (geteuid() != 0) {
        printf("SKIP: only the superuser can become another user\n");
        return;
    }
    make_folder_of_another(folder, path, "effective");
    write_file(path, "of root", 7);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(seteuid(1234), 0);
    ck_fails(dlz_file_create(&file, path), DLVIZ_ERROR_IO, "cannot write");
    ck_assert_int_eq(seteuid(0), 0);
    expect_contents(path, "of root");
    ck_assert_int_eq(setreuid(1234, 0), 0);
    ck_ok(dlz_file_find(path, &exists));
    ck_assert(exists);
    ck_assert_int_eq(chown(folder, 0, 0), 0);
    write_over(path);
    ck_ok(dlz_file_find(path, &exists));
    ck_assert(exists);
    ck_assert_int_eq(setreuid(0, 0), 0);
    ck_assert_int_eq(remove(path) | rmdir(folder), 0);
}
END_TEST

/* Names such as temporary files have, which somebody else may have made beside the file's place. */
START_TEST(prepared_names_lead_nowhere) {
    char folder[512], path[600], victim[600], names[3][700];
    struct stat info;
    snprintf(folder, sizeof folder, "%s/prepared", scratch_folder());
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(victim, sizeof victim, "%s/victim", scratch_folder());
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof names[i], "%s/.dlviz-%016llx-%016x.tmp", folder,
                 (unsigned long long)dlz_name_hash("file"), (unsigned)i);
    write_file(victim, "precious", 8);
    ck_assert_int_eq(symlink(victim, names[0]), 0);
    ck_assert_int_eq(mkfifo(names[1], 0666), 0); /* nobody waits for its other end */
    ck_assert_int_eq(mkdir(names[2], 0777), 0);
    write_over(path);
    expect_contents(victim, "precious");
    ck_assert(lstat(path, &info) == 0 && S_ISREG(info.st_mode));
    ck_assert(lstat(names[0], &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert(lstat(names[1], &info) == 0 && S_ISFIFO(info.st_mode));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(remove(names[i]), 0);
    ck_assert_int_eq(remove(path) | rmdir(folder), 0);
}
END_TEST

START_TEST(only_regular_files_are_replaced) {
    dlz_file *file = (void *)1;
    ck_fails(dlz_file_create(&file, scratch_folder()), DLVIZ_ERROR_IO, "folder");
    ck_assert_ptr_null(file);
    ck_fails(dlz_file_create(&file, "/dev/full"), DLVIZ_ERROR_IO, "device");
    const char *fifo = scratch_path("fifo_target"), *loose = scratch_path("loose");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_fails(dlz_file_create(&file, fifo), DLVIZ_ERROR_IO, "FIFO");
    ck_assert_int_eq(symlink("/nowhere/at/all", loose), 0);
    ck_fails(dlz_file_create(&file, loose), DLVIZ_ERROR_IO, "link");
    ck_fails(dlz_file_create(&file, ""), DLVIZ_ERROR_IO, "names no file");
    ck_fails(dlz_file_create(&file, "/tmp/"), DLVIZ_ERROR_IO, "names no file");
    ck_fails(dlz_file_create(&file, "/nowhere/file"), DLVIZ_ERROR_IO, "No such file");
    ck_fails(dlz_file_create(&file, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
    struct stat info;
    ck_assert(stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode));
    /* As /dev/stdout, which leads to a pipe by a name that is none. */
    int ends[2];
    char linked[64];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(linked, sizeof linked, "/proc/self/fd/%d", ends[1]);
    if (stat(linked, &info) == 0)
        ck_fails(dlz_file_create(&file, linked), DLVIZ_ERROR_IO,
                 "FIFO; a regular file is accepted");
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_name_without_a_folder_works) {
    ck_assert_int_eq(chdir(scratch_folder()), 0);
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    dlz_file *file;
    ck_ok(dlz_file_create(&file, name));
    ck_ok(dlz_file_printf(file, "x"));
    ck_ok(dlz_file_commit(file));
    expect_contents(name, "x");
}
END_TEST

START_TEST(a_target_that_vanishes_is_an_error) {
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s/vanishing", scratch_folder());
    snprintf(path, sizeof path, "%s/file", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    dlz_file *file;
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_printf(file, "x"));
    /* A folder takes the target's place meanwhile: the rename fails and the temporary file goes. */
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_fails(dlz_file_commit(file), DLVIZ_ERROR_IO, "cannot replace");
    ck_assert_int_eq(temporaries(folder), 0);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(folders_devices_and_empty_files_are_not_read) {
    void *bytes = (void *)1;
    size_t size;
    ck_fails(dlz_file_read(scratch_folder(), 100, &bytes, &size), DLVIZ_ERROR_IO, "folder");
    ck_assert_ptr_null(bytes);
    const char *path = scratch_path("plain");
    ck_fails(dlz_file_read("/dev/zero", 100, &bytes, &size), DLVIZ_ERROR_IO, "device");
    ck_fails(dlz_file_read("/nowhere", 100, &bytes, &size), DLVIZ_ERROR_IO, "No such file");
    write_file(path, "", 0);
    ck_fails(dlz_file_read(path, 100, &bytes, &size), DLVIZ_ERROR_FORMAT, "is empty");
    write_file(path, "12345", 5);
    ck_fails(dlz_file_read(path, 4, &bytes, &size), DLVIZ_ERROR_FORMAT, "5 bytes; at most 4");
    ck_ok(dlz_file_read(path, 5, &bytes, &size));
    ck_assert_str_eq(bytes, "12345");
    dlz_free(bytes);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() != 0)
        ck_fails(dlz_file_read(path, 5, &bytes, &size), DLVIZ_ERROR_IO, "Permission denied");
}
END_TEST

/* Another process that writes `size` bytes into `path`, a FIFO. */
static pid_t feed(const char *path, size_t size) {
    pid_t child = fork();
    if (child == 0) {
        int to = open(path, O_WRONLY);
        for (size_t i = 0; i < size; i++) {
            char byte = (char)('a' + i % 26);
            if (write(to, &byte, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    return child;
}

START_TEST(pipes_are_read_to_their_end) {
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    const char *fifo = scratch_path("fifo");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *bytes;
        size_t size;
        pid_t child = feed(fifo, sizes[i]);
        if (sizes[i] == 0) {
            ck_fails(dlz_file_read(fifo, 100, &bytes, &size), DLVIZ_ERROR_FORMAT, "is empty");
        } else {
            ck_ok(dlz_file_read(fifo, 1 << 20, &bytes, &size));
            ck_assert_uint_eq(size, sizes[i]);
            for (size_t j = 0; j < size; j++)
                ck_assert_int_eq(((char *)bytes)[j], 'a' + j % 26);
            ck_assert_int_eq(((char *)bytes)[size], 0);
            dlz_free(bytes);
        }
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
    }
    void *bytes;
    size_t size;
    signal(SIGPIPE, SIG_IGN);
    pid_t child = feed(fifo, 100000);
    ck_fails(dlz_file_read(fifo, 99999, &bytes, &size), DLVIZ_ERROR_FORMAT, "at most");
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

/* A child that begins to write `path`, says so and then waits to be killed. */
static pid_t begin_to_write(const char *path) {
    int said[2];
    char byte;
    ck_assert_int_eq(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        dlz_file *file;
        if (dlz_file_create(&file, path) != DLVIZ_OK ||
            dlz_file_write(file, "half", 4) != DLVIZ_OK || write(said[1], "!", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(said[1]);
    ck_assert_int_eq(read(said[0], &byte, 1), 1);
    close(said[0]);
    return child;
}

static void kill_child(pid_t child) {
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(what_a_killed_program_left_is_removed) {
    char folder[512], path[600], other[600];
    snprintf(folder, sizeof folder, "%s/left", scratch_folder());
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    for (int i = 0; i < 3; i++)
        kill_child(begin_to_write(path));
    ck_assert_int_eq(temporaries(folder), 1); /* each removed its predecessor's */
    pid_t alive = begin_to_write(path);
    kill_child(begin_to_write(other));
    ck_assert_int_eq(temporaries(folder), 2);
    dlz_file *mine, *file;
    ck_ok(dlz_file_create(&mine, path)); /* this process's own are in use as well */
    ck_ok(dlz_file_printf(mine, "mine"));
    ck_ok(dlz_file_create(&file, path));
    ck_ok(dlz_file_printf(file, "whole"));
    ck_assert_int_eq(temporaries(folder), 4);
    ck_ok(dlz_file_commit(file));
    expect_contents(path, "whole");
    ck_ok(dlz_file_commit(mine));
    expect_contents(path, "mine");
    ck_assert_int_eq(temporaries(folder), 2); /* the living one's and the other file's */
    kill_child(alive);
    for (int i = 0; i < 2; i++) {
        ck_ok(dlz_file_create(&file, i ? other : path));
        ck_ok(dlz_file_printf(file, "whole"));
        ck_ok(dlz_file_commit(file));
    }
    ck_assert_int_eq(temporaries(folder), 0);
    ck_assert_int_eq(remove(path) | remove(other) | rmdir(folder), 0);
}
END_TEST

static dlviz_status write_and_read(void *path) {
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dlviz_status status = dlz_file_printf(file, "%s", text);
    if (status != DLVIZ_OK) {
        dlz_file_discard(file);
        return status;
    }
    DLZ_TRY(dlz_file_commit(file));
    void *bytes;
    size_t size;
    DLZ_TRY(dlz_file_read(path, 5000, &bytes, &size));
    dlz_free(bytes);
    return DLVIZ_OK;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("memory"));
    ck_assert_int_eq(fail_each_allocation(write_and_read, path), 6);
    ck_assert_int_eq(temporaries(scratch_folder()), 0);
}
END_TEST

/* Files in /proc say that they have no bytes. */
START_TEST(files_of_an_unknown_size_are_read) {
    static const char path[] = "/proc/self/status";
    void *bytes;
    size_t size;
    if (access(path, R_OK) != 0) {
        puts("SKIP: no /proc");
        return;
    }
    ck_ok(dlz_file_read(path, 1 << 20, &bytes, &size));
    ck_assert_uint_gt(size, 100);
    ck_assert_mem_eq(bytes, "Name:", 5);
    dlz_free(bytes);
    ck_fails(dlz_file_read(path, 100, &bytes, &size), DLVIZ_ERROR_FORMAT, "goes on after 100");
    dlviz_tensor *tensor;
    ck_fails(dlviz_tensor_read_csv(&tensor, path, NULL), DLVIZ_ERROR_FORMAT, "line ");
    dlviz_npz *npz;
    ck_fails(dlviz_npz_open(&npz, path), DLVIZ_ERROR_FORMAT, "/proc/self/status'");
    ck_assert_ptr_null(strstr(dlviz_last_error(), "empty"));
    dlviz_dataset *dataset;
    ck_fails(dlviz_dataset_read_idx(&dataset, path, NULL), DLVIZ_ERROR_FORMAT,
             "/proc/self/status'");
    ck_assert_ptr_null(strstr(dlviz_last_error(), "empty"));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_file_appears_whole,
                                  large_and_long_writes_arrive,
                                  bytes_are_written_at_once,
                                  discarding_leaves_the_earlier_file,
                                  a_full_disk_leaves_the_earlier_file,
                                  permissions_and_links_are_kept,
                                  owners_groups_and_lists_are_kept,
                                  a_strangers_link_is_not_followed,
                                  another_group_gets_no_more_than_everybody,
                                  the_effective_user_counts,
                                  prepared_names_lead_nowhere,
                                  only_regular_files_are_replaced,
                                  a_name_without_a_folder_works,
                                  files_of_an_unknown_size_are_read,
                                  a_target_that_vanishes_is_an_error,
                                  folders_devices_and_empty_files_are_not_read,
                                  pipes_are_read_to_their_end,
                                  what_a_killed_program_left_is_removed,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("file", tests);
}
