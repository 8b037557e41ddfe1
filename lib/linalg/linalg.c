#include "linalg/linalg.h"
#include "base/base.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>

/* Present in OpenBLAS only: weak, so that another BLAS can take its place. */
extern int openblas_get_parallel(void) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));

static char description[160];

static void describe(void) {
    static const char *const kinds[] = {"serial", "pthreads", "OpenMP"};
    if (!openblas_get_config || !openblas_get_corename) {
        snprintf(description, sizeof description, "BLAS of unknown make");
        return;
    }
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …": the first two words are its name. */
    char name[64];
    snprintf(name, sizeof name, "%s", openblas_get_config());
    int spaces = 0;
    for (char *p = name; *p; p++)
        if (*p == ' ' && ++spaces == 2)
            *p = '\0';
    int kind = openblas_get_parallel ? openblas_get_parallel() : 0;
    snprintf(description, sizeof description, "%s %s (%s)", name, openblas_get_corename(),
             kind >= 0 && kind <= 2 ? kinds[kind] : "unknown threading");
}

const char *dlviz_blas(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, describe);
    return description;
}

static CBLAS_TRANSPOSE flag(bool transpose) {
    return transpose ? CblasTrans : CblasNoTrans;
}

void dlz_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
               const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
               int64_t ldc) {
    cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), (int)m, (int)n, (int)k, alpha,
                a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
