/* J. Barnes, P. Hut, "A hierarchical O(N log N) force-calculation algorithm", Nature 324, 1986, in
 * the form of J. Barnes, "A modified tree code", J. Comput. Phys. 87, 1990: 64 points that are
 * neighbors along a Morton curve share one list of far cells and near points, made against the box
 * around them. The cells are the ranges of the curve's sorted codes that share a prefix, so that
 * the tree is an array and its depth is bounded whatever coincides. Cells count with their second
 * moments: with the center of mass alone, an angle of 0.5 leaves errors of 1e-3 to 1e-2 in the
 * force and of up to 4e-3 in Z, ten to thirty times as much. */
#include "tsne/extent.h"
#include "tsne/repulsion_tree.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "tsne/morton.h"
#include "kernels/embed/repel.h"

#include <math.h>
#include <string.h>

#define GROUP DLZ_REPEL_TARGETS
#define LEAF 16   /* points below which a cell is not divided */
#define FEW 4     /* points that are summed sooner than their cell */
#define LIST 1024 /* sources summed at once */
#define DEAL 4    /* groups that a rank has at a time */
#define CELL 10   /* numbers in the list for a cell: center, mass, second moments */

/* What is compared with the angle: the width of a square (cube) whose corner is as far from its
 * middle as the cell's farthest corner from the center of mass, divided by this. Chosen so that at
 * 0.5 Z stays within 1e-4. */
#define STRICTNESS 0.85

struct dlz_tree_node {
    float center[3], size;         /* center of mass; square of the size */
    int32_t first, last;           /* points, along the curve */
    int32_t children, child_count; /* consecutive nodes; 0 of them for a leaf */
    float second[6];               /* as in dlz_repel_cells */
    float low[3], high[3];         /* box around the points */
};

void dlz_tree_free(dlz_tree_repulsion *t) {
    dlz_free(t->tree);
    dlz_free(t->codes);
    dlz_free(t->scratch);
    dlz_free(t->order);
    dlz_free(t->points);
    dlz_free(t->lists);
    dlz_free(t->sums);
    dlz_free(t->shared);
    dlz_free(t->offsets);
    *t = (dlz_tree_repulsion){0};
}

/* Floats that a group's sum, a double, and its forces take. */
static int64_t group_size(int dimensions) {
    return 2 + (int64_t)dimensions * GROUP;
}

/* Groups take more or less time, and like ones lie beside each other: they are dealt out in turn, a
 * few at a time. How many of the first ones are a rank's. */
static int64_t dealt(int64_t groups, int rank, int ranks) {
    int64_t round = (int64_t)DEAL * ranks, rest = groups % round - (int64_t)rank * DEAL;
    return groups / round * DEAL + dlz_max_i64(0, dlz_min_i64(rest, DEAL));
}

static dlviz_status reserve_shared(dlz_tree_repulsion *t, const dlz_repulsion_settings *settings,
                                   int64_t groups) {
    int ranks = dlz_comm_size(settings->comm);
    if (ranks == 1)
        return DLVIZ_OK;
    int64_t size = group_size(settings->dimensions) * (int64_t)sizeof *t->shared;
    t->shared = dlz_alloc_array((uint64_t)groups, (uint64_t)size);
    t->offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *t->offsets);
    if (!t->shared || !t->offsets)
        return dlz_fail_memory("the repulsion's tree", (uint64_t)(groups * size));
    t->offsets[0] = 0;
    for (int rank = 0; rank < ranks; rank++)
        t->offsets[rank + 1] = t->offsets[rank] + dealt(groups, rank, ranks) * size;
    return DLVIZ_OK;
}

static dlviz_status reserve(dlz_tree_repulsion *t, const dlz_repulsion_settings *settings) {
    int64_t n = settings->n, groups = dlz_ceil_div(n, GROUP);
    int workers = dlz_threads();
    if (t->capacity == n && t->workers == workers)
        return DLVIZ_OK;
    dlz_tree_free(t);
    t->codes = dlz_alloc_array((uint64_t)n, sizeof *t->codes);
    t->scratch = dlz_alloc_array((uint64_t)n, 4 * sizeof *t->scratch);
    t->order = dlz_alloc_array((uint64_t)n, sizeof *t->order);
    t->points = dlz_alloc_array((uint64_t)(groups * GROUP), 3 * sizeof *t->points);
    t->lists = dlz_alloc_array((uint64_t)workers * LIST, (3 + CELL) * sizeof *t->lists);
    t->sums = dlz_alloc_array((uint64_t)groups, sizeof *t->sums);
    if (!t->codes || !t->scratch || !t->order || !t->points || !t->lists || !t->sums)
        return dlz_fail_memory("the repulsion's tree", (uint64_t)n * 60);
    DLZ_TRY(reserve_shared(t, settings, groups));
    t->capacity = n;
    t->workers = workers;
    return DLVIZ_OK;
}

typedef struct tree_job {
    dlz_tree_repulsion *t;
    const dlz_repulsion_settings *settings;
    const dlz_repel_kernel *kernel;
    float *x[3];
    double width;
    float *forces;
} tree_job;

/* The first point from `first` on whose code is at least `code`. */
static int32_t lower_bound(const uint64_t *codes, int32_t first, int32_t last, uint64_t code) {
    while (first < last) {
        int32_t middle = first + (last - first) / 2;
        if (codes[middle] < code)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static dlviz_status reserve_nodes(dlz_tree_repulsion *t, int64_t count) {
    if (count <= t->node_capacity)
        return DLVIZ_OK;
    int64_t capacity = dlz_max_i64(count, 2 * t->node_capacity + 1024);
    dlz_tree_node *tree = dlz_realloc_array(t->tree, (uint64_t)capacity, sizeof *tree);
    if (!tree)
        return dlz_fail_memory("the repulsion's tree", (uint64_t)capacity * sizeof *tree);
    t->tree = tree;
    t->node_capacity = capacity;
    return DLVIZ_OK;
}

/* Appends the children of nodes[from ... to - 1], which are cells `bits` below the root. */
static dlviz_status divide(tree_job *job, int64_t from, int64_t to, int bits) {
    dlz_tree_repulsion *t = job->t;
    int dimensions = job->settings->dimensions, shift = (DLZ_MORTON_BITS - bits - 1) * dimensions;
    for (int64_t node = from; node < to; node++) {
        int32_t first = t->tree[node].first, last = t->tree[node].last;
        if (last - first <= LEAF)
            continue;
        DLZ_TRY(reserve_nodes(t, t->nodes + (1 << dimensions)));
        t->tree[node].children = (int32_t)t->nodes;
        while (first < last) {
            uint64_t next = ((t->codes[first] >> shift) + 1) << shift;
            int32_t end = lower_bound(t->codes, first, last, next);
            t->tree[t->nodes++] = (dlz_tree_node){.first = first, .last = end};
            t->tree[node].child_count++;
            first = end;
        }
    }
    return DLVIZ_OK;
}

/* The box and center of a node's points, or of its children. */
static void enclose(const tree_job *job, dlz_tree_node *node) {
    double mass = node->last - node->first;
    for (int c = 0; c < job->settings->dimensions; c++) {
        double sum = 0;
        float low = INFINITY, high = -INFINITY;
        for (int32_t k = 0; k < node->child_count; k++) {
            const dlz_tree_node *child = &job->t->tree[node->children + k];
            sum += (double)child->center[c] * (child->last - child->first);
            low = fminf(low, child->low[c]);
            high = fmaxf(high, child->high[c]);
        }
        for (int32_t p = node->first; p < node->last && node->child_count == 0; p++) {
            sum += job->x[c][p];
            low = fminf(low, job->x[c][p]);
            high = fmaxf(high, job->x[c][p]);
        }
        node->center[c] = (float)(sum / mass);
        node->low[c] = low;
        node->high[c] = high;
    }
}

static void add_products(double second[6], const double d[3], double mass) {
    for (int c = 0; c < 3; c++)
        second[c] += mass * d[c] * d[c];
    second[3] += mass * d[0] * d[1];
    second[4] += mass * d[0] * d[2];
    second[5] += mass * d[1] * d[2];
}

/* From the last node to the first: children follow their parents. */
static void weigh(tree_job *job) {
    int dimensions = job->settings->dimensions;
    for (int64_t i = job->t->nodes - 1; i >= 0; i--) {
        dlz_tree_node *node = &job->t->tree[i];
        enclose(job, node);
        double second[6] = {0}, d[3] = {0}, square = 0;
        for (int32_t k = 0; k < node->child_count; k++) {
            const dlz_tree_node *child = &job->t->tree[node->children + k];
            for (int c = 0; c < dimensions; c++)
                d[c] = (double)child->center[c] - node->center[c];
            add_products(second, d, child->last - child->first);
            for (int m = 0; m < 6; m++)
                second[m] += child->second[m];
        }
        for (int32_t p = node->first; p < node->last && node->child_count == 0; p++) {
            for (int c = 0; c < dimensions; c++)
                d[c] = (double)job->x[c][p] - node->center[c];
            add_products(second, d, 1);
        }
        for (int m = 0; m < 6; m++)
            node->second[m] = (float)second[m];
        for (int c = 0; c < dimensions; c++) {
            float far = fmaxf(node->high[c] - node->center[c], node->center[c] - node->low[c]);
            square += (double)far * far;
        }
        node->size = (float)(4 * square / dimensions / (STRICTNESS * STRICTNESS));
    }
}

static dlviz_status build(tree_job *job) {
    dlz_tree_repulsion *t = job->t;
    DLZ_TRY(reserve_nodes(t, 1));
    t->tree[0] = (dlz_tree_node){.last = (int32_t)job->settings->n};
    t->nodes = 1;
    int64_t from = 0;
    for (int bits = 0; bits < DLZ_MORTON_BITS && from < t->nodes; bits++) {
        int64_t to = t->nodes;
        DLZ_TRY(divide(job, from, to, bits));
        from = to;
    }
    weigh(job);
    return DLVIZ_OK;
}

/* Sums in the making for one group. */
typedef struct group_sums {
    const tree_job *job;
    int64_t first, last; /* the group's own points, which meet each other apart from the lists */
    const float *targets[3];
    float *points[3], *cells[CELL];
    int64_t point_count, cell_count;
    float force[3][GROUP], similarity[GROUP];
    double totals[3][GROUP], similarities[GROUP];
} group_sums;

static void add_up(group_sums *s) {
    for (int p = 0; p < GROUP; p++) {
        s->similarities[p] += s->similarity[p];
        for (int c = 0; c < s->job->settings->dimensions; c++)
            s->totals[c][p] += s->force[c][p];
    }
    memset(s->force, 0, sizeof s->force);
    memset(s->similarity, 0, sizeof s->similarity);
}

static void meet_own(group_sums *s) {
    const dlz_repulsion_settings *settings = s->job->settings;
    float *const force[3] = {s->force[0], s->force[1], s->force[2]};
    s->job->kernel->sum_among(settings->dimensions, (float)settings->a, s->targets,
                              s->last - s->first, force, s->similarity);
    add_up(s);
}

static void flush(group_sums *s) {
    const dlz_repulsion_settings *settings = s->job->settings;
    const dlz_repel_kernel *kernel = s->job->kernel;
    float a = (float)settings->a, *const force[3] = {s->force[0], s->force[1], s->force[2]};
    kernel->sum(settings->dimensions, a, s->targets,
                (const float *const[3]){s->points[0], s->points[1], s->points[2]}, s->point_count,
                force, s->similarity);
    dlz_repel_cells cells = {.mass = s->cells[3]};
    for (int c = 0; c < 3; c++)
        cells.center[c] = s->cells[c];
    for (int m = 0; m < 6; m++)
        cells.second[m] = s->cells[4 + m];
    kernel->expand(settings->dimensions, a, s->targets, &cells, s->cell_count, force,
                   s->similarity);
    s->point_count = s->cell_count = 0;
    add_up(s);
}

static void append_cell(group_sums *s, const dlz_tree_node *node, int64_t mass) {
    for (int c = 0; c < 3; c++)
        s->cells[c][s->cell_count] = node->center[c];
    s->cells[3][s->cell_count] = (float)mass;
    for (int m = 0; m < 6; m++)
        s->cells[4 + m][s->cell_count] = node->second[m];
    if (++s->cell_count == LIST)
        flush(s);
}

static void append_points(group_sums *s, int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p++) {
        for (int c = 0; c < s->job->settings->dimensions; c++)
            s->points[c][s->point_count] = s->job->x[c][p];
        if (++s->point_count == LIST)
            flush(s);
    }
}

/* A node that counts as one body, or point by point, without the group's own points. Only where all
 * its points coincide can these be among them: from any other node's center of mass its points are
 * nearer than its size. */
static void append(group_sums *s, const dlz_tree_node *node, bool as_cell) {
    int64_t before = dlz_max_i64(dlz_min_i64(node->last, s->first), node->first);
    int64_t after = dlz_min_i64(dlz_max_i64(node->first, s->last), node->last);
    int64_t others = before - node->first + node->last - after;
    if (as_cell && others > FEW) {
        append_cell(s, node, others);
        return;
    }
    append_points(s, node->first, before);
    append_points(s, after, node->last);
}

static void walk(group_sums *s, const float low[3], const float high[3]) {
    const tree_job *job = s->job;
    float angle = (float)(job->settings->angle * job->settings->angle);
    int32_t stack[(DLZ_MORTON_BITS + 1) * 8];
    int depth = 0;
    stack[depth++] = 0;
    while (depth > 0) {
        const dlz_tree_node *node = &job->t->tree[stack[--depth]];
        float square = 0;
        for (int c = 0; c < 3; c++) {
            float below = low[c] - node->center[c], above = node->center[c] - high[c];
            float outside = below > above ? below : above;
            square += outside > 0 ? outside * outside : 0;
        }
        /* A cell whose points coincide is exact as a body, at any distance. */
        bool is_far = node->size < angle * square || node->size == 0;
        if (is_far || node->child_count == 0)
            append(s, node, is_far);
        else
            for (int32_t k = node->child_count - 1; k >= 0; k--)
                stack[depth++] = node->children + k;
    }
}

/* Where a group's sum and forces are. */
static float *shared_of(const tree_job *job, int64_t group) {
    int ranks = dlz_comm_size(job->settings->comm), rank = (int)(group / DEAL % ranks);
    int64_t size = group_size(job->settings->dimensions);
    return job->t->shared + job->t->offsets[rank] / (int64_t)sizeof(float) +
           dealt(group, rank, ranks) * size;
}

static void write_group(const tree_job *job, int64_t group, double sum, const group_sums *s) {
    int dimensions = job->settings->dimensions;
    float *shared = job->t->shared ? shared_of(job, group) : NULL;
    if (shared)
        memcpy(shared, &sum, sizeof sum);
    else
        job->t->sums[group] = sum;
    for (int64_t p = 0; p < s->last - s->first; p++) {
        float *to = shared ? shared + 2 + p * dimensions
                           : job->forces + (int64_t)job->t->order[s->first + p] * dimensions;
        for (int c = 0; c < dimensions; c++)
            to[c] = (float)s->totals[c][p];
    }
}

/* What all ranks have written, to where it belongs. */
static void read_tile(void *context, int64_t group, int worker) {
    const tree_job *job = context;
    (void)worker;
    int dimensions = job->settings->dimensions;
    const float *from = shared_of(job, group);
    memcpy(&job->t->sums[group], from, sizeof(double));
    from += 2;
    int64_t last = dlz_min_i64((group + 1) * GROUP, job->settings->n);
    for (int64_t p = group * GROUP; p < last; p++, from += dimensions)
        memcpy(job->forces + (int64_t)job->t->order[p] * dimensions, from,
               (size_t)dimensions * sizeof *from);
}

/* This rank's groups are counted, and numbered anew. */
static void group_tile(void *context, int64_t tile, int worker) {
    const tree_job *job = context;
    int dimensions = job->settings->dimensions, rank = dlz_comm_rank(job->settings->comm);
    tile += (tile / DEAL * (dlz_comm_size(job->settings->comm) - 1) + rank) * DEAL;
    int64_t first = tile * GROUP, count = dlz_min_i64(GROUP, job->settings->n - first);
    group_sums s = {.job = job, .first = first, .last = first + count};
    float low[3] = {0}, high[3] = {0}, *lists = job->t->lists + (int64_t)worker * LIST * (3 + CELL);
    for (int c = 0; c < 3; c++)
        s.points[c] = lists + c * LIST;
    for (int m = 0; m < CELL; m++)
        s.cells[m] = lists + (3 + m) * LIST;
    for (int c = 0; c < dimensions; c++) {
        s.targets[c] = job->x[c] + first;
        low[c] = high[c] = s.targets[c][0];
        for (int64_t p = 1; p < count; p++) {
            low[c] = fminf(low[c], s.targets[c][p]);
            high[c] = fmaxf(high[c], s.targets[c][p]);
        }
    }
    meet_own(&s);
    walk(&s, low, high);
    flush(&s);
    double sum = 0;
    for (int64_t p = 0; p < count; p++)
        sum += s.similarities[p];
    write_group(job, tile, sum, &s);
}

dlviz_status dlz_tree_compute(dlz_tree_repulsion *t, const dlz_repulsion_settings *settings,
                              const float *map, float *forces, double *z) {
    int64_t n = settings->n, groups = dlz_ceil_div(n, GROUP);
    int dimensions = settings->dimensions;
    float least[3], greatest[3];
    DLZ_TRY(dlz_require_extent(map, n, dimensions, least, greatest));
    DLZ_TRY(reserve(t, settings));
    tree_job job = {.t = t, .settings = settings, .kernel = dlz_repel(), .forces = forces};
    for (int c = 0; c < dimensions; c++)
        job.width = fmax(job.width, (double)greatest[c] - least[c]);
    job.width *= 1 + 1e-4; /* the point at the far corner is inside its cell */
    dlz_morton_order(map, n, dimensions, least, job.width, t->order, t->codes, t->scratch);
    for (int c = 0; c < dimensions; c++) {
        job.x[c] = t->points + c * groups * GROUP;
        for (int64_t i = 0; i < groups * GROUP; i++)
            job.x[c][i] = i < n ? map[(int64_t)t->order[i] * dimensions + c] : 0;
    }
    DLZ_TRY(build(&job));
    int rank = dlz_comm_rank(settings->comm), ranks = dlz_comm_size(settings->comm);
    dlz_parallel_for(dealt(groups, rank, ranks), t->workers, group_tile, &job);
    if (t->shared) {
        DLZ_TRY(dlz_comm_gather_pieces(settings->comm, t->shared, t->offsets));
        dlz_parallel_for(groups, t->workers, read_tile, &job);
    }
    *z = 0;
    for (int64_t group = 0; group < groups; group++)
        *z += t->sums[group];
    return DLVIZ_OK;
}
