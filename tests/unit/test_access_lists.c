/* What becomes of owner, group and access list where a file replaces another and the system does not let all of it be
 * kept: nobody but the owner may do more than before. Lists are the test's own, as most file systems of test machines
 * have none; permissions are the file's. */
#include "base/replaced.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OWNER = 1, USER = 2, GROUP = 4, NAMED_GROUP = 8, MASK = 16, OTHER = 32 };
enum {
    NOBODY = -1,
    NAMED_USER = 7,
    OWN_GROUP = 50,
    LISTED_GROUP = 60,
    NEW_GROUP = 90,
    NUM_ENTRIES = 6
};

/* An access list, as the system keeps it. */
typedef struct access_list {
    bool there;
    int user, group, listed, mask, other;
} access_list;

/* -- Calls that the library makes -- */

enum { GET, REMOVE, SET, CHANGE_GROUP, NUM_CALLS };
static int errors[NUM_CALLS], interruptions[NUM_CALLS];
static access_list earlier, written;
static int written_group;

/* What a call comes to: 0, or -1 with errno. */
static int come_to(int call) {
    if (interruptions[call] > 0) {
        interruptions[call]--;
        errno = EINTR;
        return -1;
    }
    errno = errors[call];
    return errors[call] ? -1 : 0;
}

static void put_entry(unsigned char *to, int tag, int allowed, int whom) {
    memset(to, 0, 8);
    to[0] = (unsigned char)tag;
    to[2] = (unsigned char)allowed;
    to[4] = (unsigned char)whom;
}

static ssize_t encode(const access_list *list, unsigned char *to) {
    static const unsigned char version[4] = {2, 0, 0, 0};
    memcpy(to, version, 4);
    put_entry(to + 4, OWNER, 6, 255);
    put_entry(to + 12, USER, list->user, NAMED_USER);
    put_entry(to + 20, GROUP, list->group, 255);
    put_entry(to + 28, NAMED_GROUP, list->listed, LISTED_GROUP);
    put_entry(to + 36, MASK, list->mask, 255);
    put_entry(to + 44, OTHER, list->other, 255);
    return 4 + 8 * NUM_ENTRIES;
}

ssize_t __wrap_getxattr(const char *path, const char *name, void *value, size_t size);
ssize_t __wrap_getxattr(const char *path, const char *name, void *value, size_t size) {
    (void)path;
    (void)size;
    ck_assert_str_eq(name, "system.posix_acl_access");
    if (come_to(GET) != 0)
        return -1;
    if (earlier.there)
        return encode(&earlier, value);
    errno = ENODATA;
    return -1;
}

int __wrap_fremovexattr(int descriptor, const char *name);
int __wrap_fremovexattr(int descriptor, const char *name) {
    (void)descriptor;
    (void)name;
    if (come_to(REMOVE) != 0)
        return -1;
    if (!written.there) {
        errno = ENODATA;
        return -1;
    }
    written.there = false;
    return 0;
}

int __wrap_fsetxattr(int descriptor, const char *name, const void *value, size_t size, int flags);
int __wrap_fsetxattr(int descriptor, const char *name, const void *value, size_t size, int flags) {
    (void)descriptor;
    (void)name;
    ck_assert_int_eq(flags, 0);
    if (come_to(SET) != 0)
        return -1;
    unsigned char known[64];
    ck_assert_int_eq((ssize_t)size, encode(&earlier, known));
    ck_assert_mem_eq(value, known, size);
    written = earlier;
    return 0;
}

int __wrap_fchown(int descriptor, uid_t user, gid_t group);
int __wrap_fchown(int descriptor, uid_t user, gid_t group) {
    (void)descriptor;
    (void)user;
    if (group == (gid_t)-1)
        return 0;
    if (come_to(CHANGE_GROUP) != 0)
        return -1;
    written_group = OWN_GROUP;
    return 0;
}

/* -- What people may do -- */

typedef struct person {
    int user;
    int groups[3];
} person;

static const person people[] = {{NOBODY, {0}},
                                {NAMED_USER, {0}},
                                {NAMED_USER, {OWN_GROUP, NEW_GROUP}},
                                {NOBODY, {OWN_GROUP}},
                                {NOBODY, {LISTED_GROUP}},
                                {NOBODY, {NEW_GROUP}},
                                {NOBODY, {OWN_GROUP, NEW_GROUP}},
                                {NOBODY, {OWN_GROUP, LISTED_GROUP}},
                                {NOBODY, {NEW_GROUP, LISTED_GROUP}}};
enum { NUM_PEOPLE = sizeof people / sizeof *people };

static bool is_in(const person *who, int group) {
    for (int i = 0; i < 3; i++)
        if (who->groups[i] == group)
            return true;
    return false;
}

/* As acl(5) decides. Where there is a list, the group's bits are its mask. */
static int allowed(const person *who, mode_t mode, int group, const access_list *list) {
    int of_group = (int)(mode >> 3) & 7, of_others = (int)mode & 7;
    if (!list->there)
        return is_in(who, group) ? of_group : of_others;
    if (who->user == NAMED_USER)
        return list->user & of_group;
    bool own = is_in(who, group), listed = is_in(who, LISTED_GROUP);
    if (own || listed)
        return ((own ? list->group : 0) | (listed ? list->listed : 0)) & of_group;
    return of_others;
}

/* Replaces a file of this mode, and gives the mode of the new one. */
static mode_t replace(mode_t mode) {
    const char *path = scratch_path("earlier"), *next = scratch_path("new");
    struct stat info;
    dlz_replaced replaced;
    char *target;
    int there = open(path, O_CREAT | O_RDWR, 0600), made = open(next, O_CREAT | O_RDWR, 0600);
    ck_assert(there >= 0 && made >= 0);
    ck_assert_int_eq(fchmod(made, 0600), 0);
    ck_assert_int_eq(fchmod(there, mode), 0);
    close(there);
    written_group = NEW_GROUP;
    ck_ok(dlz_replaced_find(path, &target, &replaced));
    ck_ok(dlz_replaced_imitate(&replaced, path, made));
    dlz_free(target);
    ck_assert_int_eq(fstat(made, &info), 0);
    close(made);
    return info.st_mode & 07777;
}

/* -- Cases -- */

/* Nothing of an earlier case's. */
static void start_afresh(void) {
    memset(errors, 0, sizeof errors);
    memset(interruptions, 0, sizeof interruptions);
    earlier = written = (access_list){0};
}

static int draw(int n) {
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return (int)((state >> 8) % (uint32_t)n);
}

static access_list draw_list(mode_t mode) {
    return (access_list){draw(4) > 0,          draw(8),      draw(8), draw(8),
                         (int)(mode >> 3) & 7, (int)mode & 7};
}

static void expect_no_more(mode_t mode, int failures, bool inherited) {
    const access_list of_folder = {inherited, 7, 7, 7, 0, 0};
    for (int call = 0; call < NUM_CALLS; call++)
        errors[call] = failures >> call & 1 ? EIO : 0;
    written = of_folder;
    mode_t now = replace(mode);
    ck_assert_uint_eq(now & 0700, mode & 0700);
    for (int i = 0; i < NUM_PEOPLE; i++) {
        int could = allowed(&people[i], mode, OWN_GROUP, &earlier);
        int can = allowed(&people[i], now, written_group, &written);
        ck_assert_msg(
            (can & ~could) == 0 && (failures || can == could),
            "person %d could %o, and can %o now; mode %04o became %04o, failures %x, list %d", i,
            (unsigned)could, (unsigned)can, (unsigned)mode, (unsigned)now, (unsigned)failures,
            earlier.there);
    }
}

START_TEST(nobody_gets_more_than_he_had) {
    for (int i = 0; i < 400; i++) {
        mode_t mode = 0600 | (mode_t)draw(64);
        earlier = draw_list(mode);
        for (int failures = 0; failures < 1 << NUM_CALLS; failures++)
            for (int inherited = 0; inherited < 2; inherited++)
                expect_no_more(mode, failures, inherited);
    }
}
END_TEST

/* What says that there are no lists takes nothing away. */
START_TEST(without_lists_permissions_stay) {
    static const int errors_of_none[] = {ENODATA, ENOTSUP, ENOSYS};
    start_afresh();
    for (int i = 0; i < 3; i++) {
        errors[GET] = errors[REMOVE] = errors_of_none[i];
        ck_assert_uint_eq(replace(0664), 0664);
        ck_assert_uint_eq(replace(0604), 0604);
    }
    errors[CHANGE_GROUP] = EPERM;
    ck_assert_uint_eq(replace(0664), 0644);
    ck_assert_uint_eq(replace(0604), 0600);
}
END_TEST

START_TEST(interrupted_calls_are_made_again) {
    start_afresh();
    earlier = (access_list){true, 4, 4, 0, 6, 0};
    for (int call = 0; call < NUM_CALLS; call++)
        interruptions[call] = 2;
    ck_assert_uint_eq(replace(0660), 0660);
    ck_assert(written.there && written_group == OWN_GROUP);
}
END_TEST

START_TEST(a_list_that_is_too_long_is_told) {
    const char *path = scratch_path("earlier");
    dlz_replaced replaced;
    char *target;
    start_afresh();
    write_file(path, "earlier", 7);
    errors[GET] = ERANGE;
    ck_fails(dlz_replaced_find(path, &target, &replaced), DLVIZ_ERROR_IO,
             "its access list has more than 4096 bytes");
    dlz_free(target);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {nobody_gets_more_than_he_had, without_lists_permissions_stay,
                                  interrupted_calls_are_made_again, a_list_that_is_too_long_is_told,
                                  NULL};
    return run_tests("access lists", tests);
}
