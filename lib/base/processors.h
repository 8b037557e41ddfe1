/* base/processors.h - how many processors this process may use. */
#ifndef DLZ_PROCESSORS_H
#define DLZ_PROCESSORS_H

/* The smaller of what its affinity and what its control group's quota allow; 1 or more. */
int dlz_processors(void);

/* The processors that the CPU quota of this process's control group and of the groups above it
 * comes to, rounded up; 0 when there is none. `root` is put before /proc/self/cgroup and
 * /sys/fs/cgroup: "" but in tests. What cannot be read or understood sets no limit. */
int dlz_quota_processors(const char *root);

#endif
