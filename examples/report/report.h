/* report.h - one experiment of the report, from the images to the figures. */
#ifndef REPORT_H
#define REPORT_H

#include "options.h"
#include "terminal.h"
#include <dlviz.h>

enum stage { LOAD, TRAIN, EVALUATE, FEATURES, PCA, TSNE, QUALITY, FIGURES, NUM_STAGES };

/* How faithful the t-SNE map is, and how well its classes separate. */
struct quality {
    double trustworthiness, continuity, preservation, neighbor_accuracy, silhouette, correlation;
};
#define QUALITY_NEIGHBORS 10

/* Everything that a run holds; released by report_release. */
struct report {
    const struct experiment *experiment;
    struct options options;
    struct terminal terminal;

    const char *advice;  /* what to do about the failure of the step under way, or NULL */
    bool has_checkpoint; /* this run has written one */
    const char *dataset_name;
    char title[128]; /* what was really run: "learning rate 1e-3, 2 of 20 epochs, 5500 images" */
    dlviz_dataset *all, *train, *validation, *test;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;

    double test_loss, test_accuracy;
    dlviz_tensor *logits, *features, *confusion;
    dlviz_pca *pca;
    dlviz_tensor *components; /* the features' first 50 principal components, n x 50 or fewer */
    dlviz_tensor *pca_map;    /* n x 2 */
    dlviz_tensor *tsne_map;   /* n x 2 */
    dlviz_tsne *tsne;
    struct quality quality;
    double seconds[NUM_STAGES];
};

/* Runs the experiment that the program stands for; main returns what it returns. */
int report_main(int argc, char **argv, const struct experiment *experiment);

/* The path of a result in --out; valid until the call after the next three. */
const char *result_path(const struct report *report, const char *name);

/* -- figures.c, summary.c: results written from a finished report -- */
dlviz_status write_figures(const struct report *report);
/* 0, or -1 with the reason on stderr. */
int write_summary(const struct report *report);

#endif
