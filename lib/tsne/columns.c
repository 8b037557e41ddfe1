#include "tsne/columns.h"
#include "base/base.h"
#include "comm/comm.h"

#include <string.h>

#define SAMPLE 4096

/* The points of each column, as a sample has them. */
static void count_points(const float *map, int64_t n, int dimensions, float least, float scale,
                         int64_t across, double *points) {
    int64_t every = dlz_ceil_div(n, SAMPLE);
    memset(points, 0, (size_t)across * sizeof *points);
    for (int64_t i = 0; i < n; i += every) {
        int64_t column = (int64_t)((map[i * dimensions] - least) * scale);
        points[dlz_max_i64(0, dlz_min_i64(column, across - 1))] += (double)every;
    }
}

/* Pairs of points in columns that touch, to one point of the first. */
static double beside(const double *points, int64_t across, int64_t column) {
    return points[column] + (column > 0 ? points[column - 1] : 0) +
           (column + 1 < across ? points[column + 1] : 0);
}

void dlz_cut_columns(const dlviz_comm *comm, const float *map, int64_t n, int dimensions,
                     float least, float scale, int64_t across, const dlz_column_costs *costs,
                     int64_t *cuts, double *work) {
    int ranks = dlz_comm_size(comm);
    double *points = work + across, pairs = 0, total = 0, before = 0;
    count_points(map, n, dimensions, least, scale, across, points);
    for (int64_t column = 0; column < across; column++)
        pairs += points[column] * beside(points, across, column);
    for (int64_t column = 0; column < across; column++) {
        double share = points[column] * beside(points, across, column) / pairs;
        work[column] = costs->column + costs->point * points[column] + costs->pairs * share;
        total += work[column];
    }
    cuts[0] = 0;
    int64_t cut = 0;
    for (int rank = 1; rank < ranks; rank++) {
        double wanted = total * rank / ranks;
        while (cut < across && before + work[cut] / 2 < wanted)
            before += work[cut++];
        cuts[rank] = cut;
    }
    cuts[ranks] = across;
}
