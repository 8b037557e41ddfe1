/* Networks, their descriptions and checkpoints. */
#include "support/loaders.h"
#include "support/process.h"

#include <stdlib.h>
#include <string.h>

/* -- What is made of a file is used --------------------------------------------------------------
 */

/* Whether a network is small enough to compute with. */
static bool is_small(const dlviz_network *network) {
    double total = 0;
    for (int64_t i = -1; i < dlviz_network_num_layers(network); i++) {
        const char *layer = i < 0 ? "input" : dlviz_network_layer_name(network, i);
        double size = 1;
        for (int d = 0; d < dlviz_network_layer_ndim(network, layer); d++)
            size *= (double)dlviz_network_layer_dims(network, layer)[d];
        total += size;
    }
    return total < 3e4;
}

static dlviz_tensor *zeros(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *made;
    must(dlviz_tensor_create(&made, dtype, ndim, dims), "a tensor");
    return made;
}

static void step_back(dlviz_network *network, const dlviz_tensor *x, const dlviz_tensor *targets) {
    dlviz_status status = dlviz_network_backward(network, x, targets, 1, 0, NULL);
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_SHAPE ||
                status == DLVIZ_ERROR_INVALID_ARGUMENT || status == DLVIZ_ERROR_NUMERIC ||
                status == DLVIZ_ERROR_STATE,
            "a step gives '%s'", dlviz_status_name(status));
}

/* Forward must do; backward may want other targets, or a loss, or say that numbers run away. */
static void compute(dlviz_network *network) {
    int ndim = dlviz_network_layer_ndim(network, "input");
    int64_t dims[1 + DLVIZ_MAX_DIMS] = {2};
    memcpy(dims + 1, dlviz_network_layer_dims(network, "input"), (size_t)ndim * sizeof *dims);
    dlviz_tensor *x = zeros(DLVIZ_FLOAT32, 1 + ndim, dims), *y, *labels;
    must(dlviz_network_forward(network, x, &y), "what was opened does not compute");
    labels = zeros(DLVIZ_INT64, 1, dims);
    step_back(network, x, labels);
    step_back(network, x, y);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
}

static void use_network(dlviz_network *network) {
    void *bytes;
    size_t size;
    dlviz_network *again;
    require(dlviz_network_summary(network)[0] != 0, "no summary");
    for (int64_t i = 0; i < dlviz_network_num_class_names(network); i++)
        require(dlviz_network_class_name(network, i) != NULL, "no name");
    must(dlviz_network_save_memory(network, &bytes, &size), "what was opened is not saved");
    must(dlviz_network_open_memory(&again, bytes, size), "what was saved is not opened");
    dlviz_network_destroy(again);
    dlviz_free(bytes);
    if (is_small(network))
        compute(network);
}

/* What a network has, and knows of its data. */
static void *all_there_is(const dlviz_network *network, size_t *size) {
    void *bytes;
    must(dlviz_network_save_memory(network, &bytes, size), "a network is not saved");
    return bytes;
}

static void is_as_before(const dlviz_network *network, const void *before, size_t before_size) {
    size_t size;
    void *after = all_there_is(network, &size);
    require(size == before_size && memcmp(before, after, size) == 0, "it changed the network");
    dlviz_free(after);
}

/* -- Loaders -------------------------------------------------------------------------------------
 */

void try_open(const mutant *file) {
    dlviz_network *network;
    if (JUDGED(dlviz_network_open_memory(&network, file->bytes, file->size), network))
        use_network(network);
    dlviz_network_destroy(network);
}

/* A network to load into, and all there is of it. Whoever changes it makes it anew. */
static struct {
    dlviz_network *network;
    void *before;
    size_t size;
} reader;

static void renew_reader(void) {
    dlviz_free(reader.before);
    dlviz_network_destroy(reader.network);
    reader.network = small_network(5);
    reader.before = all_there_is(reader.network, &reader.size);
}

void try_load(const mutant *file) {
    if (!reader.network)
        renew_reader();
    if (JUDGED_STATUS(dlviz_network_load_memory(reader.network, file->bytes, file->size))) {
        use_network(reader.network);
        renew_reader();
    } else {
        is_as_before(reader.network, reader.before, reader.size);
    }
}

/* What it says that it took is what was there. */
static void compare_names(const dlviz_network *network, const dlviz_safetensors *contents) {
    require(dlviz_network_num_unused(network) < dlviz_safetensors_num_tensors(contents) &&
                dlviz_network_num_missing(network) < dlviz_network_num_states(network),
            "it says that it took nothing");
    for (int64_t i = 0; i < dlviz_network_num_missing(network); i++)
        require(!dlviz_safetensors_has(contents, dlviz_network_missing_name(network, i)),
                "it says that a tensor is missing that is there");
    for (int64_t i = 0; i < dlviz_network_num_unused(network); i++)
        require(dlviz_safetensors_has(contents, dlviz_network_unused_name(network, i)),
                "it says that a tensor is unused that is not there");
}

void try_partial(const mutant *file) {
    dlviz_safetensors *contents;
    if (!reader.network)
        renew_reader();
    if (!JUDGED(dlviz_safetensors_open_memory(&contents, file->bytes, file->size), contents))
        return;
    if (JUDGED_STATUS(dlviz_network_load_tensors(reader.network, contents, false))) {
        compare_names(reader.network, contents);
        compute(reader.network);
        renew_reader();
    } else {
        is_as_before(reader.network, reader.before, reader.size);
    }
    dlviz_safetensors_destroy(contents);
}

/* What is built may be too large to compute with, and is then not built. */
void try_architecture(const mutant *file) {
    dlviz_network *network, *again;
    if (JUDGED(dlviz_network_open_architecture_memory(&network, file->bytes, file->size),
               network) &&
        file->size < 4096 && dlviz_network_build(network, 1) == DLVIZ_OK) {
        void *bytes;
        size_t size;
        must(dlviz_network_save_architecture_memory(network, &bytes, &size),
             "what was opened is not saved");
        must(dlviz_network_open_architecture_memory(&again, bytes, size),
             "what was saved is not opened");
        dlviz_network_destroy(again);
        dlviz_free(bytes);
        if (is_small(network))
            compute(network);
    }
    dlviz_network_destroy(network);
}

/* -- Checkpoints ---------------------------------------------------------------------------------
 */

#define RUN "c:conv,out=2,k=3 b:bn r:relu f:flatten fc:linear,out=4"

void make_checkpoints(samples *to) {
    process run;
    begin_process(&run, RUN, ADAM, true);
    must(dlviz_trainer_set_epoch_callback(run.trainer, NULL, NULL), "no callback");
    for (int epochs = 0; epochs < 3; epochs += 2) {
        must(dlviz_trainer_fit(run.trainer, run.train, epochs), "a fit");
        void *bytes;
        size_t size;
        must(dlviz_trainer_save_checkpoint_memory(run.trainer, &bytes, &size),
             "a checkpoint is not saved");
        keep_sample(to, bytes, size);
    }
    end_process(&run);
}

/* The loaded run is saved, loaded again and gone on with. */
static void go_on(process *run) {
    void *again;
    size_t size;
    must(dlviz_trainer_save_checkpoint_memory(run->trainer, &again, &size),
         "what was loaded is not saved");
    must(dlviz_trainer_load_checkpoint_memory(run->trainer, again, size),
         "what was saved is not loaded");
    dlviz_free(again);
    int64_t epochs = dlviz_trainer_num_epochs(run->trainer);
    dlviz_status status = dlviz_trainer_fit(run->trainer, run->train, 1);
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC || status == DLVIZ_ERROR_STATE ||
                status == DLVIZ_ERROR_SHAPE || status == DLVIZ_ERROR_INVALID_ARGUMENT,
            "an epoch gives '%s'", dlviz_status_name(status));
    require(status != DLVIZ_OK || dlviz_trainer_num_epochs(run->trainer) >= epochs,
            "epochs are lost");
    status = dlviz_trainer_write_history_memory(run->trainer, &again, &size);
    must(status, "the history is not written");
    dlviz_free(again);
}

/* A run to load into, and all there is of its network. */
static struct {
    process run;
    void *before;
    size_t size;
} beginner;

static void renew_beginner(void) {
    if (beginner.run.trainer)
        end_process(&beginner.run);
    dlviz_free(beginner.before);
    begin_process(&beginner.run, RUN, ADAM, true);
    must(dlviz_trainer_set_epoch_callback(beginner.run.trainer, NULL, NULL), "no callback");
    beginner.before = all_there_is(beginner.run.network, &beginner.size);
}

void try_checkpoint(const mutant *file) {
    if (!beginner.run.trainer)
        renew_beginner();
    dlviz_trainer *trainer = beginner.run.trainer;
    if (JUDGED_STATUS(dlviz_trainer_load_checkpoint_memory(trainer, file->bytes, file->size))) {
        go_on(&beginner.run);
        renew_beginner();
    } else {
        is_as_before(beginner.run.network, beginner.before, beginner.size);
        require(dlviz_trainer_num_epochs(trainer) == 0, "it changed the run");
    }
}
