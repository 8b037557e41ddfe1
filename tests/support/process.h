/* support/process.h - everything that a process which trains has, so that tests can stop one and go
 * on in another. */
#ifndef DLZ_TESTS_PROCESS_H
#define DLZ_TESTS_PROCESS_H

#include "support/netspec.h"

#define PROCESS_NET                                                                                \
    "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "                 \
    "fc1:linear,out=12 "                                                                           \
    "b2:bn r2:relu d2:dropout,p=0.5 fc2:linear,out=4"

/* PLAIN: SGD without momentum; CENTERED: RMSprop with all its moments; AMSGRAD: Adam with all its
 * moments; GROUPED: AdamW with factors for some of the parameters, in nets with an "fc…". */
typedef enum {
    ADAM,
    ADAMW,
    SGD,
    RMSPROP,
    PLAIN,
    CENTERED,
    AMSGRAD,
    LION,
    NADAM,
    RADAM,
    GROUPED,
    NUM_RULES
} rule;

/* Everything that a process which trains has. */
typedef struct process {
    net_spec spec;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *train, *validation;
    int stop_after; /* batches; 0: never */
    int batches;
} process;

/* A run over batches of 8 of 45 images, seed 3, of a net for 1 x 8 x 8 with 4 outputs, and a
 * schedule that is quick to lose patience. */
void begin_process(process *p, const char *net, rule kind, bool scheduled);

/* Settings of dlviz_plateau; those of a process are {0.5, 0, 0.3, 1, 0}. */
typedef struct plateau_settings {
    double factor;
    int64_t patience;
    double threshold;
    int64_t cooldown;
    double minimum;
} plateau_settings;

dlviz_schedule *make_plateau(plateau_settings settings);
void end_process(process *p);

/* The same figures of an epoch, to the bit, but for its duration. */
void assert_same_figures(const dlviz_trainer *a, const dlviz_trainer *b, int epoch);
/* The same parameters, history, rate and steps, to the bit. */
void assert_same_run(const process *a, const process *b);

/* The reader refuses the checkpoint with DLVIZ_ERROR_FORMAT and these words, and is as it was. */
void refuses_checkpoint(process *reader, const char *path, const char *words);
/* Destroys the reader too. */
void refuses(process *reader, const char *path, const char *words);

/* A file's bytes; free them with free(). Asserts that it can be read. */
unsigned char *file_bytes(const char *path, size_t *size);

#endif
