#include "linalg/linalg.h"
#include "base/base.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

/* Present in OpenBLAS only: weak, so that another BLAS can take its place. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern int openblas_get_parallel(void) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int depth, threads_before;

void dlz_blas_serial_begin(void) {
    pthread_mutex_lock(&lock);
    if (depth++ == 0 && openblas_get_num_threads && openblas_set_num_threads) {
        threads_before = openblas_get_num_threads();
        if (threads_before != 1)
            openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&lock);
}

void dlz_blas_serial_end(void) {
    pthread_mutex_lock(&lock);
    if (--depth == 0 && openblas_set_num_threads && threads_before != 1)
        openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&lock);
}

static pthread_mutex_t one_caller = PTHREAD_MUTEX_INITIALIZER;

static bool many_callers(void) {
    return !openblas_get_parallel || openblas_get_parallel() == 1;
}

/* OpenMP keeps a number of threads for each thread that asks: openblas_set_num_threads reaches only
 * the one that calls it, not those of our pool. There with the OpenMP flavour only. */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int threads) __attribute__((weak));
static int openmp_threads; /* of the thread that holds one_caller */

void dlz_blas_enter(void) {
    if (many_callers())
        return;
    pthread_mutex_lock(&one_caller);
    if (openblas_get_parallel() == 2 && omp_get_max_threads && omp_set_num_threads) {
        openmp_threads = omp_get_max_threads();
        omp_set_num_threads(1);
    }
}

void dlz_blas_leave(void) {
    if (many_callers())
        return;
    if (openblas_get_parallel() == 2 && omp_get_max_threads && omp_set_num_threads)
        omp_set_num_threads(openmp_threads);
    pthread_mutex_unlock(&one_caller);
}

/* OpenBLAS takes a buffer of address space for each call that runs at a time, keeps it for later
 * calls, and tries for ever when there is none. */
extern void *blas_memory_alloc(int procedure) __attribute__((weak));
extern void blas_memory_free(void *buffer) __attribute__((weak));

enum { MOST_BUFFERS = 64 };
#define BUFFER_BYTES ((size_t)(sizeof(void *) == 8 ? 136 : 40) << 20)

static dlviz_status take_buffers(int wanted) {
    void *buffers[MOST_BUFFERS];
    int taken = 0;
    bool room = true;
    for (; taken < wanted && room; taken += room) {
        void *trial =
            mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        room = trial != MAP_FAILED;
        if (room) {
            munmap(trial, BUFFER_BYTES);
            buffers[taken] = blas_memory_alloc(0);
        }
    }
    for (int i = 0; i < taken; i++)
        blas_memory_free(buffers[i]);
    if (room)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                    "out of memory: BLAS needs %d MiB of address space for each of %d threads; "
                    "there is enough for %d",
                    (int)(BUFFER_BYTES >> 20), wanted, taken);
}

dlviz_status dlz_blas_require_memory(int threads) {
    static pthread_mutex_t taking = PTHREAD_MUTEX_INITIALIZER;
    static int ready;
    if (!blas_memory_alloc || !blas_memory_free)
        return DLVIZ_OK;
    int wanted = many_callers() ? threads : 1;
    wanted = wanted < MOST_BUFFERS ? wanted : MOST_BUFFERS;
    pthread_mutex_lock(&taking);
    dlviz_status status = wanted > ready ? take_buffers(wanted) : DLVIZ_OK;
    if (status == DLVIZ_OK && wanted > ready)
        ready = wanted;
    pthread_mutex_unlock(&taking);
    return status;
}

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
    dlz_blas_enter();
    cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), (int)m, (int)n, (int)k, alpha,
                a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    dlz_blas_leave();
}

void dlz_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
               int64_t ldc) {
    dlz_blas_enter();
    cblas_dgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), (int)m, (int)n, (int)k, alpha,
                a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
    dlz_blas_leave();
}

/* Row-major lower is column-major upper, and cblas takes care of that itself. */
void dlz_dsyrk(bool transpose_a, int64_t n, int64_t k, const double *a, int64_t lda, double *c,
               int64_t ldc) {
    dlz_blas_enter();
    cblas_dsyrk(CblasRowMajor, CblasLower, flag(transpose_a), (int)n, (int)k, 1.0, a, (int)lda, 1.0,
                c, (int)ldc);
    dlz_blas_leave();
}
