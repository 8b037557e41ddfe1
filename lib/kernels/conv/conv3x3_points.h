/* kernels/conv/conv3x3_points.h - Winograd's one-dimensional transforms for F(m, 3), m = DLZ_TILE.
 *
 * With data d (m + 2 numbers), weights g (3) and outputs y (m): y = A((G g) ∘ (B d)). Gradients go
 * through the transposes. Points come in pairs ±p, so each pair shares its even and odd part. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_POINTS_H
#define DLZ_KERNELS_CONV_CONV3X3_POINTS_H

#include "kernels/conv/conv3x3_load.h"

#define DLZ_SPAN (DLZ_TILE + 2)

#if DLZ_TILE == 4

/* The points: 0, ±P, ±Q, infinity. All coefficients below are exact in float32. */
#define P 0.625f
#define Q 1.5f
#define PP (P * P)
#define QQ (Q * Q)

DLZ_INLINE void transform_data(const dlz_v d[6], dlz_v out[6]) {
    dlz_v even_p = d[4] - QQ * d[2], odd_p = d[3] - QQ * d[1];
    dlz_v even_q = d[4] - PP * d[2], odd_q = d[3] - PP * d[1];
    out[0] = (PP * QQ) * d[0] + (d[4] - (PP + QQ) * d[2]);
    out[1] = even_p + P * odd_p;
    out[2] = even_p - P * odd_p;
    out[3] = even_q + Q * odd_q;
    out[4] = even_q - Q * odd_q;
    out[5] = (PP * QQ) * d[1] + (d[5] - (PP + QQ) * d[3]);
}

DLZ_INLINE void transform_data_back(const dlz_v v[6], dlz_v out[6]) {
    dlz_v sum_p = v[1] + v[2], difference_p = v[1] - v[2];
    dlz_v sum_q = v[3] + v[4], difference_q = v[3] - v[4];
    out[0] = (PP * QQ) * v[0];
    out[1] = (PP * QQ) * v[5] - ((P * QQ) * difference_p + (Q * PP) * difference_q);
    out[2] = -((PP + QQ) * v[0] + (QQ * sum_p + PP * sum_q));
    out[3] = P * difference_p + (Q * difference_q - (PP + QQ) * v[5]);
    out[4] = v[0] + (sum_p + sum_q);
    out[5] = v[5];
}

DLZ_INLINE void transform_outputs(const dlz_v m[6], dlz_v out[4]) {
    dlz_v sum_p = m[1] + m[2], difference_p = m[1] - m[2];
    dlz_v sum_q = m[3] + m[4], difference_q = m[3] - m[4];
    out[0] = m[0] + (sum_p + sum_q);
    out[1] = P * difference_p + Q * difference_q;
    out[2] = PP * sum_p + QQ * sum_q;
    out[3] = (P * PP) * difference_p + ((Q * QQ) * difference_q + m[5]);
}

DLZ_INLINE void transform_outputs_back(const dlz_v g[4], dlz_v out[6]) {
    dlz_v even_p = g[0] + PP * g[2], odd_p = g[1] + PP * g[3];
    dlz_v even_q = g[0] + QQ * g[2], odd_q = g[1] + QQ * g[3];
    out[0] = g[0];
    out[1] = even_p + P * odd_p;
    out[2] = even_p - P * odd_p;
    out[3] = even_q + Q * odd_q;
    out[4] = even_q - Q * odd_q;
    out[5] = g[3];
}

/* In float64, so that transformed weights are rounded once. */
#define POINT_P (1.0 / (2 * PP * (PP - QQ)))
#define POINT_Q (1.0 / (2 * QQ * (QQ - PP)))

DLZ_INLINE void transform_weights(const dlz_vd g[3], dlz_vd out[6]) {
    dlz_vd even_p = POINT_P * g[0] + (POINT_P * PP) * g[2], odd_p = (POINT_P * P) * g[1];
    dlz_vd even_q = POINT_Q * g[0] + (POINT_Q * QQ) * g[2], odd_q = (POINT_Q * Q) * g[1];
    out[0] = (1.0 / (PP * QQ)) * g[0];
    out[1] = even_p + odd_p;
    out[2] = even_p - odd_p;
    out[3] = even_q + odd_q;
    out[4] = even_q - odd_q;
    out[5] = g[2];
}

DLZ_INLINE void transform_weights_back(const dlz_vd u[6], dlz_vd out[3]) {
    dlz_vd sum_p = POINT_P * (u[1] + u[2]), difference_p = POINT_P * (u[1] - u[2]);
    dlz_vd sum_q = POINT_Q * (u[3] + u[4]), difference_q = POINT_Q * (u[3] - u[4]);
    out[0] = (1.0 / (PP * QQ)) * u[0] + (sum_p + sum_q);
    out[1] = P * difference_p + Q * difference_q;
    out[2] = PP * sum_p + (QQ * sum_q + u[5]);
}

#elif DLZ_TILE == 2

/* The points: 0, ±1, infinity. */
DLZ_INLINE void transform_data(const dlz_v d[4], dlz_v out[4]) {
    out[0] = d[0] - d[2];
    out[1] = d[1] + d[2];
    out[2] = d[2] - d[1];
    out[3] = d[3] - d[1];
}

DLZ_INLINE void transform_data_back(const dlz_v v[4], dlz_v out[4]) {
    out[0] = v[0];
    out[1] = (v[1] - v[2]) - v[3];
    out[2] = (v[1] + v[2]) - v[0];
    out[3] = v[3];
}

DLZ_INLINE void transform_outputs(const dlz_v m[4], dlz_v out[2]) {
    out[0] = m[0] + (m[1] + m[2]);
    out[1] = m[3] + (m[1] - m[2]);
}

DLZ_INLINE void transform_outputs_back(const dlz_v g[2], dlz_v out[4]) {
    out[0] = g[0];
    out[1] = g[0] + g[1];
    out[2] = g[0] - g[1];
    out[3] = g[1];
}

DLZ_INLINE void transform_weights(const dlz_vd g[3], dlz_vd out[4]) {
    dlz_vd even = 0.5 * (g[0] + g[2]), odd = 0.5 * g[1];
    out[0] = g[0];
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = g[2];
}

DLZ_INLINE void transform_weights_back(const dlz_vd u[4], dlz_vd out[3]) {
    dlz_vd sum = 0.5 * (u[1] + u[2]);
    out[0] = u[0] + sum;
    out[1] = 0.5 * (u[1] - u[2]);
    out[2] = sum + u[3];
}

#endif
#endif
