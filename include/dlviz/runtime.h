/* dlviz/runtime.h - the process-wide settings: threads, memory, log, instruction set. */
#ifndef DLVIZ_RUNTIME_H
#define DLVIZ_RUNTIME_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Sets how many threads the library computes with, the calling one included: 1 to 256, or 0 for
 *  the default. The default is the value of the environment variable DLVIZ_NUM_THREADS, or else one
 *  thread for each processor that this process may use: those that its affinity allows, but no more
 *  than the CPU quota of its control group and of the groups above it comes to, rounded up
 *  (cpu.max, or cpu.cfs_quota_us of version 1), which is how a container's limit is set. It is
 *  found out at the first computation or by this call; a later change of affinity or quota needs
 *  the call again. Results do not depend on the number. Any thread may call; work under way goes on
 *  with the number it started with. Where the system refuses a thread, the work is done with those
 *  there are, and the log receives a warning.
 *
 *  A process may fork at any time, also while other threads compute, and both processes go on.
 *  In the child:
 *  - settings are the same, and threads are started when they are needed;
 *  - what the thread that forked could use is there to be used;
 *  - a handle that another thread was using at that moment stays in use forever: calls are
 *    refused with DLVIZ_ERROR_STATE, and the memory of that work is lost. It may be destroyed, and
 *    a predictor shared (dlviz_predictor_share), to go on with.
 *
 *  Three things to know:
 *  - A function that a call of the library calls back may fork as well, but the child must not
 *    return from it into the call: the tiles that other threads had are missing there. Callbacks
 *    between batches and epochs of a training are excepted.
 *  - Fonts and figures come from libraries that do not provide for a fork amid the drawing of
 *    another thread; functions of dlviz_set_allocator have to survive a fork themselves.
 *  - OpenBLAS ends its own threads at each fork and starts them anew in parent and child: that is
 *    harmless to the library, which does not use them, but not to a thread of the program that is
 *    in a call of BLAS at that moment.
 *
 *  A thread that pthread_cancel is to end does not end within a call, also where the call waits for
 *  the writer of a pipe; unless it has asked to be ended asynchronously, which no call bears.
 *
 *  Calls need at most 64 KiB of the calling thread's stack, and those that draw figures 256 KiB,
 *  for cairo and Pango; threads that the library starts have 1 MiB. What the program's own
 *  functions and layers need comes on top, and so does what the C library takes from every stack
 *  for thread-local data: 60 KiB are OpenBLAS's, also in threads that never call the library.
 *
 *  A program that unloads the library (dlclose) keeps it, with its threads and memory, until it
 *  ends: Pango and GLib, which figures are drawn with, cannot be loaded a second time. So it is
 *  with a module that has the static library in it if that is linked with -Wl,-z,nodelete.
 *
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT for a number out of range. */
DLVIZ_CHECKED dlviz_status dlviz_set_num_threads(int64_t num_threads);

/** How many threads the next computation uses. */
DLVIZ_API int64_t dlviz_num_threads(void);

/** Replaces malloc and free for everything the library allocates from now on.
 *  @param allocate  returns at least `size` bytes aligned as malloc aligns, or NULL
 *  @param release   frees what `allocate` returned; never called with NULL
 *  @param user      handed to both
 *  Both NULL puts malloc and free back; one NULL is DLVIZ_ERROR_INVALID_ARGUMENT. Call it before
 *  the library holds any memory: a block is released by the function in force when it is freed.
 *  Both functions may be called from several threads at once. Memory that zlib, libjpeg, cairo,
 *  Pango, fontconfig, jansson and BLAS use internally is not covered. */
DLVIZ_CHECKED dlviz_status dlviz_set_allocator(void *(*allocate)(size_t size, void *user),
                                               void (*release)(void *block, void *user),
                                               void *user);

/** Frees what a function of the library has allocated for the caller where its description says so:
 *  the bytes of files that are written to memory. NULL is allowed. */
DLVIZ_API void dlviz_free(void *block);

/** Writes bytes to a file as the library writes its own: under a hidden name beside it, flushed to
 *  the disk, and then renamed, so that readers see the earlier file or the whole new one, and a
 *  failure changes nothing. The file keeps the permissions, owner and access list of the one that
 *  it replaces, as far as that is permitted. What writers that were killed have left behind for the
 *  same path is removed.
 *  @param bytes  may be NULL if `size` is 0
 *  May be called from several threads. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, also
 *  where `path` is anything but a regular file, a link to one, or free, or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_file_write(const char *path, const void *bytes, size_t size);

/** Sets how much memory, in bytes, a call may hold at one time while it reads a file, so that a
 *  file of somebody else's cannot take all there is: 1 or more, or 0 (the default) for no limit. It
 *  holds for every function that reads or opens a file, or the bytes of one in memory, or takes
 *  something out of a handle made of one. What counts is the file's bytes, what is unpacked or
 *  decoded from them, and what is made of them, such as tensors, a dataset's samples, a network and
 *  what dlviz_network_build will take for it: 8 bytes a parameter, half of them for its gradient,
 *  and what it needs to plan a training step; on the library's threads too, and also what zlib,
 *  libpng, libjpeg and jansson take, for the last two as an estimate from above. The bytes that the
 *  caller hands over do not count, nor do the pages of mapped files, which the system takes back
 *  when it needs them. A folder counts as one file; images that are decoded while batches are
 *  loaded count one by one. Saving has no limit, also where a checkpoint is saved in the place of
 *  an earlier one, which is looked at.
 *
 *  What would go beyond the limit fails as where memory has ended, with DLVIZ_ERROR_OUT_OF_MEMORY;
 *  dlviz_last_error() names the file, or the folder that is read as a whole, the limit, this
 *  function, what was asked for, and what was in use then; and what was taken out of the file, such
 *  as an array. An image of a folder that would go beyond the limit alone is one that cannot be
 *  read: dlviz_image_reader_set_skip_unreadable lets the others pass. A folder whose images go
 *  beyond it together is an error in any case, and does not depend on how many threads read it.
 *
 *  The limit is the process's, not a thread's, so that no thread of a server is without it because
 *  it forgot to set it: a program reads the large files that are its own, sets the limit, and then
 *  reads what others send. Each call has it for itself, so several threads may hold several times
 *  as much; a call goes by the limit there was when it began. Any thread may call. Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT for a negative number. */
DLVIZ_CHECKED dlviz_status dlviz_set_file_limit(int64_t num_bytes);

/** That limit; 0 where there is none. */
DLVIZ_API int64_t dlviz_file_limit(void);

/** Makes a text one line that a terminal or a log only shows, and returns `buffer`. It is for names
 *  that come out of somebody else's files, such as those of a network's layers and classes:
 *
 *      char shown[200];
 *      printf("%s\n", dlviz_printable(shown, sizeof shown, dlviz_network_class_name(net, 0)));
 *
 *  What dlviz_last_error() never gives, such as control characters, becomes '?'.
 *  @param buffer  receives the text, with a final zero; it may be `text` itself
 *  @param size    the bytes there are in `buffer`; what has no room is cut off between characters,
 *                 and from 4 bytes on "…" stands in its place
 *  @param text    NULL counts as an empty text
 *  May be called from several threads. Returns "" where `buffer` is NULL or `size` is 0. */
DLVIZ_API const char *dlviz_printable(char *buffer, size_t size, const char *text);

typedef enum dlviz_log_level {
    DLVIZ_LOG_LEVEL_DEBUG = 0,
    DLVIZ_LOG_LEVEL_INFO = 1,
    DLVIZ_LOG_LEVEL_WARNING = 2
} dlviz_log_level;

/** Receives one line of the library's log, without a newline, in the characters that
 *  dlviz_last_error() may have; may be called from any thread, and may call getters. */
typedef void (*dlviz_log_fn)(dlviz_log_level level, const char *message, void *user);

/** Sets who receives log lines; NULL (the default) drops them. The library itself never prints. A
 *  line that another thread is handing over at this moment may still reach who received them
 *  before. */
DLVIZ_API void dlviz_set_log(dlviz_log_fn log, void *user);

/** A dlviz_log_fn that writes each line, and a newline, to a stream:
 *  dlviz_set_log(dlviz_log_to_stream, stderr).
 *  @param user  a FILE *, which stays open as long as the library may log */
DLVIZ_API void dlviz_log_to_stream(dlviz_log_level level, const char *message, void *user);

/** What a progress function is told of. */
typedef struct dlviz_progress_event dlviz_progress_event;
/** What the call is at, such as "neighbors", "trustworthiness" or "t-SNE". A static string. */
DLVIZ_API const char *dlviz_progress_event_task(const dlviz_progress_event *event);
/** How much of the call's work is done, 0 to 1; an estimate that does not fall. */
DLVIZ_API double dlviz_progress_event_share(const dlviz_progress_event *event);
/** Told what a long call is at; returns true to go on, false to cancel the call. */
typedef bool (*dlviz_progress_fn)(const dlviz_progress_event *event, void *user);

/** Sets who is told of the calling thread's long calls: those that search for neighbors, measure
 *  maps, fit a PCA, a t-SNE or a film, or run a network over samples in evaluation, but not
 *  predictors, whose calls are short; NULL (the default) for nobody. The function runs on the
 *  thread that made the call, when the call begins and then about every 100 ms, as often as the
 *  work allows. When it returns false, the call ends
 *  within a second as a rule with DLVIZ_CANCELLED and has changed nothing, but for what its
 *  description says of cancelling: a fit of t-SNE whose descent has begun gives the map as it is. A
 *  decomposition of a large matrix is waited for. Functions that handles have for their own
 *  progress are called as well. It may call getters, and no function that computes or returns a
 *  status. A training is followed by the trainer's own functions. */
DLVIZ_API void dlviz_set_progress(dlviz_progress_fn progress, void *user);

/** The instruction set the kernels use: "generic", "avx2", "avx512" or "neon". The best one the
 *  machine has, unless the environment variable DLVIZ_ISA names another; a name that is unknown or
 *  that the machine lacks is reported to the log and ignored. A static string. */
DLVIZ_API const char *dlviz_isa(void);

/** The BLAS in use, e.g. "OpenBLAS 0.3.21 Haswell (pthreads)". A static string. Of it the library
 *  uses LAPACK's routines for tridiagonal matrices, on the thread that calls: neither BLAS's
 *  threads nor its settings are used or changed, and results do not depend on them. OpenBLAS
 *  starts its threads all the same, as it is loaded, and cannot do without what they take: where
 *  address space or threads are limited (ulimit -v, -u), start the program with
 *  OPENBLAS_NUM_THREADS=1 in its environment. */
DLVIZ_API const char *dlviz_blas(void);

#ifdef __cplusplus
}
#endif
#endif
