/* faults/pipeline.h - the stages of a small pipeline, each of which can be tried again after a failure. */
#ifndef DLZ_TESTS_PIPELINE_H
#define DLZ_TESTS_PIPELINE_H

#include <dlviz.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where one attempt is. What is done is not done again by the next one. */
typedef struct attempt {
    int at, done;
} attempt;

/* A call that returns a status, on handles that the next attempt has again. */
#define STEP(a, call)                                                                              \
    do {                                                                                           \
        if ((a)->at == (a)->done) {                                                                \
            dlviz_status step_status = (call);                                                     \
            if (step_status != DLVIZ_OK)                                                           \
                return step_status;                                                                \
            (a)->done++;                                                                           \
        }                                                                                          \
        (a)->at++;                                                                                 \
    } while (0)

/* A stage of the pipeline. All but `run` is called without faults. */
typedef struct stage {
    const char *name;
    /* Makes what `run` works on; ends the process where it cannot. */
    void (*prepare)(void);
    /* The calls that may fail. Called once more after a failure, with what `a` has noted. */
    dlviz_status (*run)(attempt *a);
    /* What has come of it: passes all results to note_…. */
    void (*note)(void);
    void (*release)(void);
    /* The files it writes, in the folder `output`; NULL behind the last. */
    const char *const *files;
} stage;

extern const stage tables_stage, folder_stage, dataset_stage, network_stage, training_stage,
    checkpoint_stage, early_stopping_stage, files_stage, inference_stage, attribution_stage,
    pca_stage, batches_stage, neighbors_stage, tsne_stage, film_stage, page_stage, figures_stage,
    first_figure_stage, letters_stage, threads_stage;

/* -- What stages share (pipeline_common.c) -- */

/* The folders with the inputs, and for what is written. */
void set_folders(const char *input, const char *output);
/* A path in either, in one of a few buffers that are used in turn. */
const char *input_path(const char *name);
const char *output_path(const char *name);

/* Ends the process unless the status is DLVIZ_OK: for what must not fail. */
void must(dlviz_status status);

/* Images of three classes with one channel, and their labels; equal for equal seeds. */
dlviz_tensor *make_images(int64_t n, int64_t size, uint64_t seed);
dlviz_tensor *make_labels(int64_t n, int64_t classes);
dlviz_tensor *make_points(int64_t n, int64_t d, uint64_t seed);
dlviz_dataset *make_dataset(int64_t n, uint64_t seed);
/* Of such images, built. */
dlviz_network *make_network(uint64_t seed);
dlviz_status add_layers(dlviz_network *network, uint64_t seed);

/* What is noted goes into one number. */
uint64_t noted(void);
void begin_notes(void);
void note_bytes(const void *bytes, size_t size);
void note_number(double value);
void note_text(const char *text);
/* NULL is noted too, as that. */
void note_tensor(const dlviz_tensor *tensor);
void note_network(const dlviz_network *network);
/* The contents of a file, without what clocks have put into it: 0 for one that there is not. */
uint64_t file_digest(const char *path);

#endif
