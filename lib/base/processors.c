/* The processors of this process: its affinity, and the CPU quota of its control group.
 *
 * A container that may use two processors' time often sees all processors of its machine; a thread
 * for each would be stopped most of the time, in the middle of work that others wait for. */
#include "base/processors.h"
#include "base/again.h"
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1000000 /* processors: larger quotas are none */

/* Reads a text file of the kernel's; false when it is not there or does not fit. */
static bool read_text(const char *path, char *text, size_t size) {
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

/* Version 2: "<quota> <period>" or "max <period>". */
static int unified_quota(const char *folder) {
    char path[4400], text[128];
    const char *rest;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_text(path, text, sizeof text))
        return 0;
    long long quota = leading_number(text, &rest);
    return quota <= 0 ? 0 : processors_of(quota, leading_number(rest, &rest));
}

/* Version 1: a file each; a quota of −1 is none. */
static int legacy_quota(const char *folder) {
    char path[4400], quota[64], period[64];
    const char *rest;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_text(path, quota, sizeof quota))
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_text(path, period, sizeof period))
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
                        int (*quota)(const char *folder)) {
    char folder[4300];
    int top = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, mount);
    int length = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s", root, mount, group);
    if (top < 0 || length >= (int)sizeof folder)
        return 0;
    int lowest = 0;
    for (;;) {
        while (length > top && folder[length - 1] == '/')
            length--;
        folder[length] = '\0';
        lowest = smaller(lowest, quota(folder));
        if (length <= top)
            return lowest;
        while (length > top && folder[length - 1] != '/')
            length--;
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
    char path[4300], text[16384];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_text(path, text, sizeof text))
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
