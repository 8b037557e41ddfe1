/* Bytes, and the values that they stand for. */
#include "calls.h"

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t *next;
static size_t left;

void read_bytes_from(const uint8_t *bytes, size_t size) {
    next = bytes;
    left = size;
}

bool bytes_left(void) {
    return left > 0;
}

uint8_t a_byte(void) {
    if (left == 0)
        return 0;
    left--;
    return *next++;
}

int64_t below(int64_t limit) {
    return a_byte() % limit;
}

bool one_in(int n) {
    return a_byte() % n == n - 1;
}

bool a_bool(void) {
    return a_byte() & 1;
}

/* -- Numbers ------------------------------------------------------------------------------------ */

#define TWO_TO(n) ((int64_t)1 << (n))

int64_t an_int(void) {
    static const int64_t values[] = {
        0,
        1,
        -1,
        2,
        INT64_MAX,
        INT64_MIN,
        TWO_TO(31),
        TWO_TO(31) - 1,
        -TWO_TO(31),
        3,
        TWO_TO(32),
        TWO_TO(32) + 1,
        TWO_TO(62),
        -100,
        TWO_TO(24),
        TWO_TO(24) - 1,
        TWO_TO(20),
        65536,
        65537,
        16384,
        16385,
        32768,
        32769,
        256,
        257,
        1000,
        1001,
        4096,
        4097,
        INT64_MAX / 4 + 1,
        INT64_MAX - 1,
        -2,
        5,
        9,
        64,
    };
    return values[below(COUNT(values))];
}

int64_t a_size(void) {
    uint8_t byte = a_byte();
    return byte >= 244 ? an_int() : 1 + byte % 10;
}

int64_t a_count(void) {
    uint8_t byte = a_byte();
    return byte >= 244 ? an_int() : byte % 10;
}

int64_t an_amount(void) {
    uint8_t byte = a_byte();
    return byte >= 244 ? an_int() : byte % 6 - 2;
}

int64_t an_index(void) {
    uint8_t byte = a_byte();
    return byte >= 240 ? an_int() : byte % 8;
}

int an_enum(int count) {
    uint8_t byte = a_byte();
    if (byte < 240)
        return byte % count;
    const int none[] = {-1, count, count + 1, INT32_MAX, INT32_MIN, 256};
    return none[byte % 6];
}

double a_number(void) {
    static const double values[] = {
        0,     1,     -1,   0.5,   0.1,     0.9,       2,    10,     NAN,     INFINITY, -INFINITY,
        1e-3,  1e-6,  1e-8, 1e-30, 1e-38,   5e-324,    1e30, 1.1e30, 1e38,    4e38,     1e308,
        -0.0,  0.999, 3,    30,    DBL_MAX, -DBL_MAX,  1e6,  1e12,   1e18,    4.7e18,   1e-310,
        1e-45, 180,   1000, 1001,  0.001,   1.0000001, 0.02, 0.05,   -1e-300, 1e4,      100,
    };
    return values[below(COUNT(values))];
}

double a_share(void) {
    uint8_t byte = a_byte();
    return byte >= 240 ? a_number() : byte / 239.0;
}

uint64_t a_seed(void) {
    static const uint64_t values[] = {
        0, 1, 2, 77, UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 32};
    return values[below(COUNT(values))];
}

/* -- Texts -------------------------------------------------------------------------------------- */

static char long_text[5001], very_long_name[301];

static const char *const texts[] = {
    "a",
    "b",
    "c",
    "one",
    "two words",
    "",
    NULL,
    "é",
    "日本語",
    "עברית",
    "\xff\xfe",
    "cut \xc3",
    "%s%n%d",
    "line\nbreak",
    "\x01",
    "</script>",
    "a,b",
    "\"quoted\"",
    "input",
    long_text,
    very_long_name,
    "x.y",
    ".",
    "__metadata__",
    "train_loss",
    "validation_loss",
    "accuracy",
    "NaN",
    "#1",
    "r2",
};

static const char *text_at(int64_t index) {
    if (!long_text[0]) {
        memset(long_text, 'x', sizeof long_text - 1);
        memset(very_long_name, 'n', sizeof very_long_name - 1);
    }
    return texts[index];
}

const char *a_text(void) {
    return text_at(below(COUNT(texts)));
}

const char *a_name(void) {
    static const char *const names[] = {
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "input",
        "a.weight",
        "a.bias",
        "b.weight",
        "b.bias",
        "h.bias",
        "h.weight",
        "b.running_mean",
        "b.running_var",
        "b.num_batches_tracked",
    };
    uint8_t byte = a_byte();
    return byte >= 200 ? a_text() : names[byte % COUNT(names)];
}

const char *a_pattern(void) {
    static const char *const patterns[] = {"*",  "a.*",      "?.weight", "*.bias",
                                           "h*", "nothing*", "**",       "*a*"};
    uint8_t byte = a_byte();
    return byte >= 220 ? a_text() : patterns[byte % COUNT(patterns)];
}

const char *const *some_names(void) {
    static const char *names[NUM_NAMES];
    uint8_t byte = a_byte();
    for (int64_t i = 0; i < NUM_NAMES; i++)
        names[i] = byte < 200 ? text_at((i + byte) % 6) : text_at((byte + i * 7) % COUNT(texts));
    if (byte < 128) /* no two alike */
        for (int64_t i = 0; i < NUM_NAMES; i++)
            names[i] = (const char *[]){"c0", "c1", "c2", "c3", "c4", "c5",
                                        "c6", "c7", "c8", "c9", "ca", "cb"}[i];
    return names;
}

/* -- Files -------------------------------------------------------------------------------------- */

static char folder[64];
static bool written;

/* Their names, so that what one operation writes another finds. */
static const char *const files[] = {"one", "two", "one", "figure.png", "figure.svg"};

static void remove_folder(void) {
    forget_files();
    rmdir(folder);
}

static const char *the_folder(void) {
    if (!folder[0]) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/dlviz-calls-XXXXXX"
                                                     : "/tmp/dlviz-calls-XXXXXX");
        if (!mkdtemp(folder)) {
            perror("a folder for files");
            exit(EXIT_FAILURE);
        }
        atexit(remove_folder);
    }
    return folder;
}

void forget_files(void) {
    DIR *entries = written ? opendir(folder) : NULL;
    struct dirent *entry;
    char path[512];
    while (entries && (entry = readdir(entries)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' || entry->d_name[1] != 0)
            unlink(path);
    }
    if (entries)
        closedir(entries);
    written = false;
}

const char *a_path(void) {
    static char path[512];
    uint8_t byte = a_byte();
    written = true;
    if (byte < 230) {
        snprintf(path, sizeof path, "%s/%s", the_folder(), files[byte % COUNT(files)]);
        return path;
    }
    switch (byte % 6) {
    case 0:
        return NULL;
    case 1:
        return "";
    case 2:
        return the_folder();
    case 3:
        snprintf(path, sizeof path, "%s/none/1.png", the_folder());
        return path;
    case 4:
        text_at(0);
        snprintf(path, sizeof path, "%s/%s.npy", the_folder(), very_long_name);
        return path;
    default:
        snprintf(path, sizeof path, "%s/line\nbreak\xff.npy", the_folder());
        return path;
    }
}
