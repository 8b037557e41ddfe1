/* The processors of this process: its affinity, and the CPU quota of its control group.
 *
 * A container that may use two processors' time often sees all processors of its machine; a thread
 * for each would be stopped most of the time, in the middle of work that others wait for. */
#include "base/processors.h"
#include "base/again.h"
#include "base/base.h"
#include "base/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1000000 /* processors: larger quotas are none */

/* Reads a text file of the kernel's; false when it is not there or does not fit. The path may lie
 * where the text will. */
static bool read_text(const char *path, char *text, size_t size) {
    DLZ_NOT_CANCELLED;
    int descriptor = DLZ_AGAIN(open(path, O_RDONLY | O_CLOEXEC));
    if (descriptor < 0)
        return false;
    size_t length = 0;
    ssize_t got;
    do {
        got = DLZ_AGAIN(read(descriptor, text + length, size - 1 - length));
        if (got > 0)
            length += (size_t)got;
    } while (got > 0 && length < size - 1);
    close(descriptor);
    text[length] = '\0';
    return got == 0;
}

/* A number from the start of a text, which ends behind it or goes on after a space; −1 otherwise.
 */
static long long leading_number(const char *text, const char **end) {
    char *stop;
    errno = 0;
    long long number = strtoll(text, &stop, 10);
    bool whole = stop != text && (*stop == '\0' || *stop == ' ' || *stop == '\n');
    *end = stop;
    return whole && errno == 0 ? number : -1;
}

static int processors_of(long long quota, long long period) {
    if (quota <= 0 || period <= 0 || quota / period >= MOST)
        return 0;
    return (int)(quota / period + (quota % period != 0));
}

/* A folder's name, with room behind it for that of a file. */
enum { MOST_FOLDER = 4300, MOST_NAME = 32 };
typedef struct folder {
    char path[MOST_FOLDER + MOST_NAME];
    int length;
} folder;

static bool read_file_in(folder *in, const char *name, char *text, size_t size) {
    snprintf(in->path + in->length, MOST_NAME, "/%s", name);
    bool good = read_text(in->path, text, size);
    in->path[in->length] = '\0';
    return good;
}

/* Version 2: "<quota> <period>" or "max <period>". */
static int unified_quota(folder *in) {
    char text[128];
    const char *rest;
    if (!read_file_in(in, "cpu.max", text, sizeof text))
        return 0;
    long long quota = leading_number(text, &rest);
    return quota <= 0 ? 0 : processors_of(quota, leading_number(rest, &rest));
}

/* Version 1: a file each; a quota of −1 is none. */
static int legacy_quota(folder *in) {
    char quota[64], period[64];
    const char *rest;
    if (!read_file_in(in, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_file_in(in, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return processors_of(leading_number(quota, &rest), leading_number(period, &rest));
}

static int smaller(int a, int b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest quota of a group and of those above it. Where a container sees its own group as the
 * top of the tree but is told its path outside, only the top is found, and that is the right one.
 */
static int lowest_quota(const char *root, const char *mount, const char *group,
                        int (*quota)(folder *in)) {
    folder in;
    int top = snprintf(in.path, MOST_FOLDER, "%s/sys/fs/cgroup%s", root, mount);
    in.length = snprintf(in.path, MOST_FOLDER, "%s/sys/fs/cgroup%s%s", root, mount, group);
    if (top < 0 || in.length >= MOST_FOLDER)
        return 0;
    int lowest = 0;
    for (;;) {
        while (in.length > top && in.path[in.length - 1] == '/')
            in.length--;
        in.path[in.length] = '\0';
        lowest = smaller(lowest, quota(&in));
        if (in.length <= top)
            return lowest;
        while (in.length > top && in.path[in.length - 1] != '/')
            in.length--;
    }
}

/* Whether a list with commas has the word "cpu". */
static bool has_cpu(const char *list) {
    for (const char *word = list; word; word = strchr(word, ',')) {
        word += *word == ',';
        if (strncmp(word, "cpu", 3) == 0 && (word[3] == ',' || word[3] == '\0'))
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "<number>:<controllers>:<group>", without controllers for
 * version 2. */
static int line_quota(const char *root, char *line) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : 0;
    if (!group)
        return 0;
    *controllers++ = *group++ = '\0';
    if (*controllers == '\0')
        return smaller(lowest_quota(root, "", group, unified_quota),
                       lowest_quota(root, "/unified", group, unified_quota));
    if (!has_cpu(controllers))
        return 0;
    char mount[256];
    snprintf(mount, sizeof mount, "/%s", controllers);
    return smaller(lowest_quota(root, mount, group, legacy_quota),
                   lowest_quota(root, "/cpu", group, legacy_quota));
}

int dlz_quota_processors(const char *root) {
    char text[8192]; /* first the file's name: stacks may be small */
    snprintf(text, sizeof text, "%s/proc/self/cgroup", root);
    if (!read_text(text, text, sizeof text))
        return 0;
    int lowest = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        lowest = smaller(lowest, line_quota(root, line));
    return lowest;
}

static int affinity(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > MOST ? MOST : (int)online;
}

int dlz_processors(void) {
    int allowed = affinity(), quota = dlz_quota_processors("");
    return quota > 0 && quota < allowed ? quota : allowed;
}
