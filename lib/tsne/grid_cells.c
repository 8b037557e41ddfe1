#include "tsne/grid_cells.h"
#include "base/base.h"

#include <math.h>

#define PLAIN_CELL 0.25 /* the widest that needs no near part, for q of a unit's width or more */
#define CHEAP 0.5 /* of the grid's cost: a near part of less is computed whether needed or not */

/* Values of a grid that do not take much more memory than the points. */
static double most_values(int64_t n) {
    return 4e6 + 32 * (double)n;
}

dlz_grid_cells dlz_grid_cells_of(double pair_density, double cell, bool near,
                                 const double size[2]) {
    dlz_grid_cells c = {.cell = cell, .near = near};
    c.columns = (int64_t)(size[0] / cell) + DLZ_SPLINE_ORDER + 1;
    c.rows = (int64_t)(size[1] / cell) + DLZ_SPLINE_ORDER + 1;
    double x = (double)dlz_convolution_size(c.columns);
    double y = (double)dlz_convolution_size((c.rows + 1) / 2);
    c.cost = DLZ_GRID_COST_VALUE * 8 * x * y +
             (near ? DLZ_GRID_COST_PAIR * pair_density * cell * cell : 0);
    return c;
}

/* q is sqrt(a) wide. */
static double plain_cell(double a) {
    return PLAIN_CELL * sqrt(fmin(a, 1));
}

bool dlz_grid_wants_near(double pair_density, double cell, double a, const double size[2]) {
    if (cell > plain_cell(a))
        return true;
    dlz_grid_cells without = dlz_grid_cells_of(pair_density, cell, false, size);
    dlz_grid_cells with = dlz_grid_cells_of(pair_density, cell, true, size);
    return fmax(size[0], size[1]) >= DLZ_GRID_SMALL_MAP && with.cost < (1 + CHEAP) * without.cost;
}

static dlz_grid_cells consider_alone(double pair_density, double cell,
                                     const dlz_repulsion_settings *settings, const double size[2]) {
    return dlz_grid_cells_of(pair_density, cell,
                             dlz_grid_wants_near(pair_density, cell, settings->a, size), size);
}

static double values_of(const dlz_grid_cells *c) {
    return (double)c->rows * (double)c->columns;
}

/* Cells that are powers of the fourth root of two times PLAIN_CELL, so that small changes of the
 * map change nothing. */
static double ladder(double cell, int up) {
    return PLAIN_CELL * exp2((floor(4 * log2(cell / PLAIN_CELL)) + up) / 4);
}

dlz_grid_cells dlz_grid_cells_choose(double pair_density, const dlz_repulsion_settings *settings,
                                     const double size[2]) {
    double span = fmax(size[0], size[1]), most = most_values(settings->n);
    double plain = plain_cell(settings->a);
    if (settings->cell > 0) {
        double cell = fmin(settings->cell, fmax(span / DLZ_GRID_LEAST_CELLS, 1e-30));
        if (cell < settings->cell)
            cell = ladder(cell, 0);
        dlz_grid_cells c = consider_alone(pair_density, cell, settings, size);
        for (int up = 1; values_of(&c) > most; up++)
            c = consider_alone(pair_density, ladder(cell, up), settings, size);
        return c;
    }
    if (span < DLZ_GRID_LEAST_CELLS * plain)
        return consider_alone(pair_density, ladder(span / DLZ_GRID_LEAST_CELLS, 0), settings, size);
    dlz_grid_cells best = consider_alone(pair_density, plain, settings, size);
    /* NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): sizes, not a count */
    for (double cell = plain * 1.4142135623730951; cell < 1e6; cell *= 1.4142135623730951) {
        dlz_grid_cells c = dlz_grid_cells_of(pair_density, cell, true, size);
        if (c.cost < best.cost || values_of(&best) > most)
            best = c;
        if (c.cost > 8 * best.cost || c.columns + c.rows < 4 * DLZ_GRID_BLOCK)
            break;
    }
    return best;
}

static double area_of(const double size[2]) {
    return fmax(size[0] * fmax(size[1], 1), 1);
}

double dlz_grid_guess_pair_density(int64_t n, const double size[2]) {
    return (double)n * (double)n * 9 * DLZ_GRID_BLOCK * DLZ_GRID_BLOCK * 1.5 / area_of(size);
}

double dlz_grid_near_area(const double size[2], double cell) {
    return (size[0] + 2 * DLZ_GRID_BLOCK * cell) * (size[1] + 2 * DLZ_GRID_BLOCK * cell);
}
