#include "neighbors/equal_rows.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/sort.h"
#include "comm/comm.h"
#include "comm/tiles.h"

#include <string.h>

#define TILE 256

typedef struct hashed {
    uint64_t hash;
    int64_t row;
} hashed;

#define BEFORE(a, b) ((a).hash < (b).hash || ((a).hash == (b).hash && (a).row < (b).row))
DLZ_DEFINE_SORT(sort_hashed, hashed, BEFORE)

typedef struct finder {
    const float *rows;
    int64_t n, d;
    hashed *hashes; /* n */
    int32_t *first; /* n: the first row equal to each */
} finder;

static bool equal(const float *a, const float *b, int64_t d) {
    for (int64_t i = 0; i < d; i++)
        if (!(a[i] == b[i]))
            return false;
    return true;
}

static uint64_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == 0x80000000u ? 0 : bits;
}

static uint64_t hash_row(const float *row, int64_t d) {
    uint64_t hash = 0x9E3779B97F4A7C15u;
    for (int64_t i = 0; i < d; i += 2) {
        uint64_t both = bits_of(row[i]) << 32 | (i + 1 < d ? bits_of(row[i + 1]) : 0);
        hash = (hash ^ both) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return hash;
}

static void hash_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    finder *f = context;
    int64_t last = dlz_min_i64(f->n, (tile + 1) * TILE);
    for (int64_t i = tile * TILE; i < last; i++)
        f->hashes[i] = (hashed){hash_row(f->rows + i * f->d, f->d), i};
}

/* Among rows of one hash, nearly always equal ones, the first that equals each. */
static void find_firsts(finder *f) {
    for (int64_t i = 0; i < f->n; i++) {
        int64_t row = f->hashes[i].row;
        f->first[row] = (int32_t)row;
        for (int64_t j = i - 1; j >= 0 && f->hashes[j].hash == f->hashes[i].hash; j--) {
            int64_t other = f->first[f->hashes[j].row];
            if (equal(f->rows + row * f->d, f->rows + other * f->d, f->d)) {
                f->first[row] = (int32_t)other;
                break;
            }
        }
    }
}

static dlviz_status gather(const finder *f, dlz_equal_rows *found) {
    int64_t n = f->n, d = f->d, u = 0;
    found->starts = dlz_alloc_array_zero((uint64_t)found->count + 1, sizeof *found->starts);
    found->members = dlz_alloc_array((uint64_t)n, sizeof *found->members);
    found->distinct =
        dlz_alloc_array((uint64_t)found->count, (uint64_t)d * sizeof *found->distinct);
    int32_t *number = dlz_alloc_array((uint64_t)n, sizeof *number);
    if (!found->starts || !found->members || !found->distinct || !number) {
        dlz_free(number);
        return dlz_fail_memory("the distinct points",
                               (uint64_t)(found->count * d) * sizeof *found->distinct);
    }
    for (int64_t i = 0; i < n; i++) {
        if (f->first[i] == i) {
            memcpy(found->distinct + u * d, f->rows + i * d, (size_t)d * sizeof(float));
            number[i] = (int32_t)u++;
        } else {
            number[i] = number[f->first[i]];
        }
        found->starts[number[i] + 1]++;
    }
    for (u = 0; u < found->count; u++)
        found->starts[u + 1] += found->starts[u];
    /* Filling moves each start to the next one's; afterwards they are moved back. */
    for (int64_t i = 0; i < n; i++)
        found->members[found->starts[number[i]]++] = (int32_t)i;
    for (u = found->count; u > 0; u--)
        found->starts[u] = found->starts[u - 1];
    found->starts[0] = 0;
    dlz_free(number);
    return DLVIZ_OK;
}

static dlviz_status find(dlviz_comm *comm, finder *f, dlz_equal_rows *found) {
    int64_t n = f->n;
    dlz_comm_tiles tiles = {.count = dlz_ceil_div(n, TILE),
                            .workers = dlz_threads(),
                            .cost = (double)n * (double)f->d,
                            .run = hash_tile,
                            .context = f,
                            .data = f->hashes,
                            .things = n,
                            .a_tile = TILE,
                            .thing_size = sizeof *f->hashes};
    dlviz_status status = f->hashes && f->first ? DLVIZ_OK
                                                : dlz_fail_memory("the rows' hashes",
                                                                  (uint64_t)n * sizeof *f->hashes);
    DLZ_TRY(dlz_comm_run_tiles(comm, status, &tiles));
    sort_hashed(f->hashes, n);
    find_firsts(f);
    for (int64_t i = 0; i < n; i++)
        found->count += f->first[i] == i;
    return found->count < n ? dlz_comm_agree(comm, gather(f, found)) : DLVIZ_OK;
}

dlviz_status dlz_equal_rows_find(dlviz_comm *comm, const float *rows, int64_t n, int64_t d,
                                 dlz_equal_rows *found) {
    *found = (dlz_equal_rows){0};
    finder f = {.rows = rows, .n = n, .d = d};
    f.hashes = dlz_alloc_array((uint64_t)n, sizeof *f.hashes);
    f.first = dlz_alloc_array((uint64_t)n, sizeof *f.first);
    dlviz_status status = find(comm, &f, found);
    dlz_free(f.hashes);
    dlz_free(f.first);
    if (status != DLVIZ_OK)
        dlz_equal_rows_free(found);
    return status;
}

void dlz_equal_rows_free(dlz_equal_rows *found) {
    dlz_free(found->starts);
    dlz_free(found->members);
    dlz_free(found->distinct);
    *found = (dlz_equal_rows){0};
}
