/* fuzz/calls.h - random sequences of calls: the bytes that decide, hostile values, tables of live handles,
 * and calls that are judged by what the headers promise.
 *
 * A sequence is a string of bytes. Each operation takes one that says which it is, and as many more as
 * it has decisions to make; where none are left, all are 0. What a sequence does depends on its
 * bytes alone. Work is bounded by what is made: tiny samples and networks, few epochs and iterations.
 *
 * The contract of the headers is kept: nothing is used after it was destroyed, what is shared does
 * not change, arrays have as many entries as is said. All else is fair: NULL, handles that do not
 * fit, numbers that are none, names that are no text, memory that runs out, callbacks that fail. */
#ifndef DLZ_FUZZ_CALLS_H
#define DLZ_FUZZ_CALLS_H

#include <dlviz.h>

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

/* -- Bytes (calls_values.c) -------------------------------------------------------------------- */

void read_bytes_from(const uint8_t *bytes, size_t size);
bool bytes_left(void);
/* 0 when none are left. */
uint8_t a_byte(void);
/* 0 … limit − 1, limit <= 256. */
int64_t below(int64_t limit);
/* False when no bytes are left. */
bool one_in(int n);
bool a_bool(void);

/* -- Values ------------------------------------------------------------------------------------ */

/* Any integer, and a small count with a hostile one now and then. */
int64_t an_int(void);
int64_t a_size(void);
/* The same, but 0 is as good as any; and one that is below 0 as often. */
int64_t a_count(void);
int64_t an_amount(void);
/* A small index, now and then below 0 or beyond anything. */
int64_t an_index(void);
/* One of `count` values of an enumeration, or none of them. */
int an_enum(int count);
/* Any number, mostly a hostile one; and one of 0 to 1 with a hostile one now and then. */
double a_number(void);
double a_share(void);
uint64_t a_seed(void);
/* Text: plain, long, no UTF-8, with line breaks, empty, NULL. */
const char *a_text(void);
/* A name that layers and states of these sequences have, or another text. */
const char *a_name(void);
const char *a_pattern(void);
/* NUM_NAMES texts, in a static array. */
enum { NUM_NAMES = 12 };
const char *const *some_names(void);
/* The path of a file in a folder of the program's own, or one that cannot be. */
const char *a_path(void);
/* Removes the files of the last sequence, so that none sees what another wrote. */
void forget_files(void);

/* -- Judging calls (calls_check.c) ------------------------------------------------------------- */

/* Ends the program, and says which call it was, where what must hold does not. */
void require(bool holds, const char *what);

void call_begins(const char *file, int line, const char *text);
dlviz_status call_ended(dlviz_status status);
/* Makes a call and judges its status: it is one that there is; a failure has a sentence of its own, a
 * success leaves the last one alone; and where memory ran out meanwhile, that is what is said. */
#define CALL(call) (call_begins(__FILE__, __LINE__, #call), call_ended(call))

/* What an out parameter holds before a call; `out` is NULL now and then. */
#define NOT_MADE ((void *)(uintptr_t)8)
/* Judges an out parameter after a call. */
bool was_made(dlviz_status status, bool wanted, const void *made);

/* Makes a handle with a call that gets `out`, and keeps it in its table. */
#define MAKE(noun, call)                                                                           \
    do {                                                                                           \
        dlviz_##noun *made_handle = (dlviz_##noun *)NOT_MADE;                                      \
        dlviz_##noun **out = one_in(100) ? NULL : &made_handle;                                    \
        dlviz_status made_status = CALL(call);                                                     \
        if (was_made(made_status, out != NULL, made_handle))                                       \
            keep_##noun(made_handle);                                                              \
    } while (0)

/* Makes bytes with a call that gets `bytes` and `size`, and keeps them. */
#define WRITE(call)                                                                                \
    do {                                                                                           \
        void *written = NOT_MADE;                                                                  \
        size_t length = 0;                                                                         \
        void **bytes = one_in(100) ? NULL : &written;                                              \
        size_t *size = one_in(100) ? NULL : &length;                                               \
        dlviz_status made_status = CALL(call);                                                     \
        if (bytes && !size)                                                                        \
            require(made_status != DLVIZ_OK && written == NULL, "bytes without their number");     \
        else if (was_made(made_status, bytes != NULL, written))                                    \
            keep_blob(written, length);                                                            \
    } while (0)

/* Of the library's memory: the Nth request from now on fails, and so many after it. */
void fail_an_allocation(int64_t n, int64_t how_many);
/* Requests of the target's own, which do not fail. Calls of it nest. */
void spare_allocations(bool spare);
int64_t live_blocks(void);
int64_t refused_requests(void);
/* Says that the call under way runs functions that may fail or fill the last error themselves. */
void disturb(void);
/* How many calls are under way: 0 outside of callbacks. */
int call_depth(void);
void count_sequence(void);
void print_counts(void);
/* With DLVIZ_FUZZ_TRACE set, each call and what it gives goes to stderr. */
void begin_checks(void);
void set_allocator(void);

/* -- Looking at results ------------------------------------------------------------------------ */

void see_text(const char *text);
void see_number(double number);
void see_count(int64_t count);
void see_dims(int ndim, const int64_t *dims);
/* All of its elements; its shape must be one. */
void see_tensor(const dlviz_tensor *tensor);
bool is_finite_tensor(const dlviz_tensor *tensor);
/* A number of all its elements, which another number goes into. */
uint64_t mark_of(const dlviz_tensor *tensor, uint64_t before);
/* A share of 0 to 1, of a call that succeeded. */
void require_between(dlviz_status status, double low, double value, double high);

/* -- Settings ---------------------------------------------------------------------------------- */

/* Setters, each with its getter: sets a value, and requires that the getter gives it, or after a failure
 * what it gave before. Numbers have limits, beyond which none is accepted. */
#define DECLARE_SETTINGS(noun)                                                                     \
    typedef struct noun##_number {                                                                 \
        dlviz_status (*set)(dlviz_##noun *, double);                                               \
        double (*get)(const dlviz_##noun *);                                                       \
        double low, high;                                                                          \
    } noun##_number;                                                                               \
    typedef struct noun##_count {                                                                  \
        dlviz_status (*set)(dlviz_##noun *, int64_t);                                              \
        int64_t (*get)(const dlviz_##noun *);                                                      \
    } noun##_count;                                                                                \
    typedef struct noun##_flag {                                                                   \
        dlviz_status (*set)(dlviz_##noun *, bool);                                                 \
        bool (*get)(const dlviz_##noun *);                                                         \
    } noun##_flag;

/* `value` is computed before; each of these is one call. */
#define SET_NUMBER(noun, setting, handle, value)                                                   \
    do {                                                                                           \
        const noun##_number *chosen = &(setting);                                                  \
        double former = chosen->get(handle), asked = (value);                                      \
        dlviz_status set_status = CALL(chosen->set(handle, asked));                                \
        settled_number(set_status, former, asked, chosen->get(handle), chosen->low, chosen->high); \
    } while (0)
#define SET_COUNT(noun, setting, handle, value)                                                    \
    do {                                                                                           \
        const noun##_count *chosen = &(setting);                                                   \
        int64_t former = chosen->get(handle), asked = (value);                                     \
        dlviz_status set_status = CALL(chosen->set(handle, asked));                                \
        require(chosen->get(handle) == (set_status == DLVIZ_OK ? asked : former), "a setting");    \
    } while (0)
#define SET_FLAG(noun, setting, handle, value)                                                     \
    do {                                                                                           \
        const noun##_flag *chosen = &(setting);                                                    \
        bool former = chosen->get(handle), asked = (value);                                        \
        dlviz_status set_status = CALL(chosen->set(handle, asked));                                \
        require(chosen->get(handle) == (set_status == DLVIZ_OK ? asked : former), "a setting");    \
    } while (0)
void settled_number(dlviz_status status, double before, double wanted, double after, double low,
                    double high);
/* The limits of what has to be above 0, or below 1, and of what the headers give no other limit. */
#define ABOVE_0 4.9406564584124654e-324
#define BELOW_1 0.99999999999999989
#define UP_TO 1e30

/* -- Handles (calls_handles.c) ----------------------------------------------------------------- */

/* Each noun has a table of so many handles, any of which may be NULL. */
#define TABLES(X)                                                                                  \
    X(tensor, 10)                                                                                  \
    X(dataset, 6)                                                                                  \
    X(augmentation, 3)                                                                             \
    X(loader, 2)                                                                                   \
    X(layer, 6)                                                                                    \
    X(loss, 3)                                                                                     \
    X(network, 3)                                                                                  \
    X(predictor, 2)                                                                                \
    X(optimizer, 3)                                                                                \
    X(schedule, 3)                                                                                 \
    X(trainer, 2)                                                                                  \
    X(pca, 2)                                                                                      \
    X(tsne, 2)                                                                                     \
    X(film, 2)                                                                                     \
    X(figure, 2)                                                                                   \
    X(report, 2)                                                                                   \
    X(safetensors, 2)                                                                              \
    X(npz, 2)                                                                                      \
    X(csv_reader, 2)                                                                               \
    X(image_reader, 2)                                                                             \
    X(comm, 2)

/* a_tensor(): one of the table, or NULL. keep_tensor(t): in some place of it, and what was there is
 * destroyed. take_tensor(): one of the table, whose place is then empty, for who gives it away.
 * drop_tensor(): destroys one. drop_tensors(): all. */
#define DECLARE_TABLE(noun, count)                                                                 \
    dlviz_##noun *a_##noun(void);                                                                  \
    void keep_##noun(dlviz_##noun *made);                                                          \
    dlviz_##noun *take_##noun(void);                                                               \
    void drop_##noun(void);                                                                        \
    bool is_live_##noun(const dlviz_##noun *handle);                                               \
    void drop_every_##noun(void);
TABLES(DECLARE_TABLE)
#undef DECLARE_TABLE

/* Bytes that the library wrote, or that are the start of such, or damaged. */
typedef struct blob {
    const void *bytes;
    size_t size;
} blob;
void keep_blob(void *bytes, size_t size);
blob a_blob(void);
void drop_blobs(void);
void drop_all(void);

/* -- Tensors that fit what is wanted of them (calls_fitting.c); they last as long as the operation */

typedef enum filling {
    FILL_SMALL,
    FILL_LABELS,
    FILL_BITS,
    FILL_SHARES,
    FILL_CONSTANT,
    FILL_HOSTILE
} filling;
/* A tensor that the caller keeps; NULL where there is no such shape. */
dlviz_tensor *new_tensor(dlviz_dtype dtype, int ndim, const int64_t *dims, filling fill);
/* One of the shape, or, now and then, any that there is. */
const dlviz_tensor *fitting(dlviz_dtype dtype, int ndim, const int64_t *dims, filling fill);
const dlviz_tensor *floats(int64_t rows, int64_t columns);
const dlviz_tensor *labels_of(int64_t count);
/* A batch of inputs for a network, of so many samples. */
const dlviz_tensor *inputs_of(const dlviz_network *network, int64_t count);
const dlviz_tensor *batch_of(const dlviz_network *network, const char *layer, int64_t count);
const dlviz_tensor *targets_of(const dlviz_network *network, int64_t count);
/* A tensor that ends with the operation. */
dlviz_tensor *borrow(dlviz_tensor *tensor);
int num_borrowed(void);
void give_back_borrowed(int down_to);
/* Whether it is small enough to compute with. */
bool is_small_network(const dlviz_network *network);
bool is_small_dataset(const dlviz_dataset *dataset);
/* How many rows the tensor has, at least 1. */
int64_t rows_of(const dlviz_tensor *tensor);
int64_t few_rows(void);

/* -- Functions of the program's own (calls_custom.c) ------------------------------------------- */

dlviz_layer *custom_layer(void);
dlviz_loss *custom_loss(void);
dlviz_schedule *custom_schedule(void);
void call_comm(void);
bool trainer_function(const dlviz_trainer_event *event, void *user);
bool progress_function(const dlviz_progress_event *event, void *user);
/* How many user pointers the library has and has not given back by `destroy`. */
int64_t users_left(void);

/* -- Looking at handles: all getters ----------------------------------------------------------- */

void see_dataset(const dlviz_dataset *dataset);
void see_layer(const dlviz_layer *layer);
void see_loss(const dlviz_loss *loss);
void see_schedule(const dlviz_schedule *schedule);
void see_augmentation(const dlviz_augmentation *augmentation);
void see_network(const dlviz_network *network);
void see_trainer(const dlviz_trainer *trainer);
void see_optimizer(const dlviz_optimizer *optimizer);
/* A number of all states; another where one has changed. */
uint64_t states_of(const dlviz_network *network);

/* -- Operations -------------------------------------------------------------------------------- */

void call_tensor(void);
void call_files(void);
void call_dataset(void);
void call_augmentation(void);
void call_layer(void);
void call_loss(void);
void call_network(void);
void call_network_files(void);
void call_gradients(void);
void call_predictor(void);
void call_optimizer(void);
void call_schedule(void);
void call_trainer(void);
void call_pca(void);
void call_tsne(void);
void call_film(void);
void call_metrics(void);
void call_figure(void);
void call_report(void);
void call_runtime(void);
/* Any of them. */
void call_something(void);
/* Small samples, a network that fits them, an optimizer and a trainer, to be used by what follows. */
void make_a_training(void);
dlviz_layer *sensible_layer(bool images, bool *vectors_after);
/* The layer is made before the call, and may be NULL. */
void add_to(dlviz_network *network, const char *name, dlviz_layer *layer);

#endif
