#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"

#include <string.h>

/* Columns that are the same in all rows, as borders of pictures are, have no part in the
 * covariance: without them it is smaller. Those that are the same in the first rows are looked for
 * in all others; where there are none, that is all the work. */
#define FIRST_ROWS 64
/* Narrow matrices have nothing to gain. */
#define NARROW 96

typedef struct search {
    const dlz_pca_input *input;
    int64_t count;
    const int64_t *candidates;
    bool *varies; /* `count` a worker */
} search;

static void search_tile(void *context, int64_t tile, int worker) {
    const search *s = context;
    int64_t d = s->input->features,
            last = dlz_min_i64((tile + 1) * DLZ_PCA_TILE, s->input->samples);
    bool *varies = s->varies + worker * s->count;
    for (int64_t i = tile * DLZ_PCA_TILE; i < last; i++) {
        const float *row = s->input->data + i * d;
        for (int64_t c = 0; c < s->count; c++)
            varies[c] |= row[s->candidates[c]] != s->input->data[s->candidates[c]];
    }
}

static int64_t find_candidates(const dlz_pca_input *input, int64_t *candidates) {
    int64_t d = input->features, rows = dlz_min_i64(FIRST_ROWS, input->samples), count = 0;
    for (int64_t c = 0; c < d; c++) {
        int64_t i = 1;
        while (i < rows && input->data[i * d + c] == input->data[c])
            i++;
        if (i == rows)
            candidates[count++] = c;
    }
    return count;
}

/* From the candidates that hold out to all columns but these; `candidates` receives them. */
static int64_t complement(const search *s, int workers, int64_t *candidates, int64_t *columns) {
    int64_t count = 0, c = 0, kept = 0;
    for (int64_t j = 0; j < s->input->features; j++) {
        bool same = c < s->count && candidates[c] == j;
        for (int w = 0; same && w < workers; w++)
            same = !s->varies[w * s->count + c];
        c += c < s->count && candidates[c] == j;
        if (same)
            kept++;
        else
            columns[count++] = j;
    }
    return kept > 0 ? count : 0;
}

dlviz_status dlz_pca_find_varying(const dlz_pca_input *input, dlz_pca_varying *varying) {
    *varying = (dlz_pca_varying){input->features, NULL};
    if (input->features <= NARROW)
        return DLVIZ_OK;
    int workers = dlz_threads();
    uint64_t bytes = (uint64_t)input->features * sizeof(int64_t);
    int64_t *candidates = dlz_alloc((size_t)bytes), *columns = dlz_alloc((size_t)bytes);
    search s = {.input = input, .candidates = candidates};
    if (candidates && columns)
        s.count = find_candidates(input, candidates);
    if (s.count > 0)
        s.varies = dlz_alloc_array_zero((uint64_t)workers, (uint64_t)s.count);
    bool failed = !candidates || !columns || (s.count > 0 && !s.varies);
    int64_t count = 0;
    if (!failed && s.count > 0) {
        dlz_parallel_for(dlz_ceil_div(input->samples, DLZ_PCA_TILE), workers, search_tile, &s);
        count = complement(&s, workers, candidates, columns);
    }
    dlz_free(candidates);
    dlz_free(s.varies);
    if (count > 0)
        *varying = (dlz_pca_varying){count, columns};
    else
        dlz_free(columns);
    return failed ? dlz_fail_memory("a search for columns that vary", bytes) : DLVIZ_OK;
}
