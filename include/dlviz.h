/* dlviz.h - train small ConvNets and look at what they learned: the one header to include.
 *
 * Every type is opaque. These rules hold for every function:
 *
 * - Names: dlviz_<noun>_<verb>. The first argument is the handle that the function is named after,
 *   also where the handle is being made; results come last. A family whose kinds have settings of
 *   their own (layers, optimizers, schedules) names a function after the kind: dlviz_adam_create,
 *   dlviz_adam_set_eps. `create` makes a handle from nothing, `open` from a file; `load` fills one
 *   that exists; `save` writes what `open` or `load` takes back, `export` what only other programs
 *   read. `read` and `write` are for data and pictures, which other programs read and write too.
 *   A function that takes a path to a file has a twin that ends in _memory and takes the file's
 *   bytes, or gives them, to be freed by dlviz_free; the one-line plots have none, as
 *   dlviz_figure_write_memory serves them.
 * - Failure: a call that can fail returns a dlviz_status (0 is success) and gives its result
 *   through an out parameter, which is NULL after a failure; dlviz_last_error() then says in a
 *   sentence what was wrong. Compilers warn where a status is ignored (DLVIZ_CHECKED), but for
 *   layers, losses, schedules and augmentations, which remember their first error.
 * - NULL: a missing handle is never a crash. A call that returns a status fails with
 *   DLVIZ_ERROR_INVALID_ARGUMENT, `destroy` does nothing, and a getter gives 0, NaN or NULL.
 * - Settings are checked when they are set. Every set_<x> has a getter <x>, and so has every
 *   argument that a handle is made with. A getter of one value returns it; a getter of several has
 *   an out parameter for each, any of which may be NULL; an array has num_<things> and a getter of
 *   all or of the element at an index. Functions and their user pointers have no getter. Where a
 *   run may use another value than the one that was set, <x>_used tells which it was.
 * - Numbers: counts are num_<things> and int64_t, and come before the array that they count (ndim,
 *   of 8 at most, is an int, as in NumPy). Sizes are (height, width), in pixels and everywhere.
 * - Enumerations: the values begin with the type's name, less a final _kind. The two that every
 *   program spells out are shorter: dlviz_status and dlviz_dtype.
 * - Callbacks are set by set_progress and the like, receive an event to ask for what they want to
 *   know, and run on the thread whose call they belong to. An event is valid during the call only.
 *   A callback must return: one that throws or leaves by longjmp is outside this contract.
 * - Threads: different handles may be used by different threads at the same time, one handle by one
 *   thread at a time unless its type says otherwise. A handle that computes notices a second
 *   thread that uses it meanwhile, whose call fails with DLVIZ_ERROR_STATE and changes nothing.
 *   pthread_cancel does not end a call that computes: the thread ends at a point of cancellation
 *   after it. To end a call early, its callback says so. */
#ifndef DLVIZ_H
#define DLVIZ_H

#include <dlviz/version.h>
#include <dlviz/status.h>
#include <dlviz/runtime.h>
#include <dlviz/tensor.h>
#include <dlviz/safetensors.h>
#include <dlviz/npz.h>
#include <dlviz/comm.h>
#include <dlviz/dataset.h>
#include <dlviz/dataset_files.h>
#include <dlviz/augmentation.h>
#include <dlviz/loader.h>
#include <dlviz/layer.h>
#include <dlviz/custom_layer.h>
#include <dlviz/loss.h>
#include <dlviz/network.h>
#include <dlviz/predictor.h>
#include <dlviz/optimizer.h>
#include <dlviz/schedule.h>
#include <dlviz/trainer.h>
#include <dlviz/pca.h>
#include <dlviz/neighbors.h>
#include <dlviz/tsne.h>
#include <dlviz/film.h>
#include <dlviz/metrics.h>
#include <dlviz/attribution.h>
#include <dlviz/plot.h>
#include <dlviz/report.h>

#endif
