/* blas.h - OpenBLAS's threads, which the programs have no use for. */
#ifndef RUN_BLAS_H
#define RUN_BLAS_H

/* To be called first: may begin the program once more, with the same arguments.
 *
 * OpenBLAS starts threads as it is loaded, before main. Each asks for 32 MB of address space, without
 * end where a limit (ulimit -v) leaves none, and the process then waits for it when it should end. So
 * under a limit the program begins again with OpenBLAS told to start none. */
void do_without_blas_threads(char **argv);

#endif
