#include "kernels/embed/dense.h"
#include "isa/isa.h"

#define LANES DLZ_HALF_LANES
#define ROWS 4   /* taken at a time, so that what they share is loaded once */
#define UNROLL 4 /* vectors of a sum or of a result in registers, to hide the latency */

DLZ_INLINE dlz_vd load(const double *from) {
    return *(const dlz_vdu *)from;
}

DLZ_INLINE void store(double *to, dlz_vd value) {
    *(dlz_vdu *)to = value;
}

DLZ_INLINE double sum_lanes(dlz_vd v) {
    double sum = 0;
    DLZ_UNROLL
    for (int l = 0; l < LANES; l++)
        sum += v[l];
    return sum;
}

DLZ_INLINE double dot(const double *a, const double *b, int64_t n) {
    dlz_vd sums[UNROLL] = {{0}};
    int64_t j = 0;
    for (; j + UNROLL * LANES <= n; j += UNROLL * LANES)
        DLZ_UNROLL
    for (int u = 0; u < UNROLL; u++)
        sums[u] += load(a + j + u * LANES) * load(b + j + u * LANES);
    for (; j + LANES <= n; j += LANES)
        sums[0] += load(a + j) * load(b + j);
    double sum = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; j < n; j++)
        sum += a[j] * b[j];
    return sum;
}

DLZ_INLINE void four_dots(const double *rows, int64_t stride, const double *vector, int64_t n,
                          double *sums) {
    dlz_vd even[ROWS] = {{0}}, odd[ROWS] = {{0}};
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        dlz_vd first = load(vector + j), second = load(vector + j + LANES);
        DLZ_UNROLL
        for (int r = 0; r < ROWS; r++) {
            even[r] += load(rows + r * stride + j) * first;
            odd[r] += load(rows + r * stride + j + LANES) * second;
        }
    }
    double rest[ROWS] = {0};
    for (; j < n; j++)
        for (int r = 0; r < ROWS; r++)
            rest[r] += rows[r * stride + j] * vector[j];
    for (int r = 0; r < ROWS; r++)
        sums[r] = sum_lanes(even[r] + odd[r]) + rest[r];
}

static void dots(const double *rows, int64_t stride, int64_t count, const double *vector, int64_t n,
                 double *sums) {
    int64_t i = 0;
    for (; i + ROWS <= count; i += ROWS)
        four_dots(rows + i * stride, stride, vector, n, sums + i);
    for (; i < count; i++)
        sums[i] = dot(rows + i * stride, vector, n);
}

static void combine(const double *rows, int64_t stride, int64_t count, const double *factors,
                    int64_t n, double *vector) {
    int64_t j = 0;
    for (; j + UNROLL * LANES <= n; j += UNROLL * LANES) {
        dlz_vd sums[UNROLL];
        DLZ_UNROLL
        for (int u = 0; u < UNROLL; u++)
            sums[u] = load(vector + j + u * LANES);
        for (int64_t i = 0; i < count; i++)
            DLZ_UNROLL
        for (int u = 0; u < UNROLL; u++)
            sums[u] += factors[i] * load(rows + i * stride + j + u * LANES);
        DLZ_UNROLL
        for (int u = 0; u < UNROLL; u++)
            store(vector + j + u * LANES, sums[u]);
    }
    for (; j + LANES <= n; j += LANES) {
        dlz_vd sum = load(vector + j);
        for (int64_t i = 0; i < count; i++)
            sum += factors[i] * load(rows + i * stride + j);
        store(vector + j, sum);
    }
    for (; j < n; j++)
        for (int64_t i = 0; i < count; i++)
            vector[j] += factors[i] * rows[i * stride + j];
}

/* Each number below the diagonal serves twice, on its way past once. */
DLZ_INLINE void mirror(const double *row, int64_t stride, int rows, int64_t columns,
                       const double *vector, const double *own, double *product, double *sums) {
    dlz_vd totals[ROWS] = {{0}};
    double rest[ROWS] = {0};
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES) {
        dlz_vd across = load(vector + j), down = load(product + j);
        DLZ_UNROLL
        for (int r = 0; r < rows; r++) {
            dlz_vd a = load(row + r * stride + j);
            totals[r] += a * across;
            down += a * own[r];
        }
        store(product + j, down);
    }
    for (; j < columns; j++)
        for (int r = 0; r < rows; r++) {
            rest[r] += row[r * stride + j] * vector[j];
            product[j] += row[r * stride + j] * own[r];
        }
    for (int r = 0; r < rows; r++)
        sums[r] = sum_lanes(totals[r]) + rest[r];
}

static void symmetric(const double *matrix, int64_t stride, int64_t first, int64_t last,
                      const double *vector, double *product) {
    double sums[ROWS];
    int64_t i = first;
    for (; i + ROWS <= last; i += ROWS) {
        const double *row = matrix + i * stride;
        mirror(row, stride, ROWS, i, vector, vector + i, product, sums);
        for (int r = 0; r < ROWS; r++) {
            double sum = sums[r] + row[r * stride + i + r] * vector[i + r];
            for (int c = 0; c < r; c++) {
                sum += row[r * stride + i + c] * vector[i + c];
                product[i + c] += row[r * stride + i + c] * vector[i + r];
            }
            product[i + r] += sum;
        }
    }
    for (; i < last; i++) {
        const double *row = matrix + i * stride;
        mirror(row, stride, 1, i, vector, vector + i, product, sums);
        product[i] += sums[0] + row[i] * vector[i];
    }
}

static void rotate(double *x, double *y, double cosine, double sine, int64_t n) {
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        dlz_vd a = load(x + j), b = load(y + j);
        store(x + j, cosine * a - sine * b);
        store(y + j, sine * a + cosine * b);
    }
    for (; j < n; j++) {
        double a = x[j], b = y[j];
        x[j] = cosine * a - sine * b;
        y[j] = sine * a + cosine * b;
    }
}

const dlz_dense_kernel DLZ_VARIANT(dlz_dense) = {dots, combine, symmetric, rotate};
