/* run.h - a run: from samples to the page that shows what a network learned of them. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "data.h"
#include "options.h"
#include "terminal.h"
#include <dlviz.h>

enum stage {
    LOAD,
    TRAIN,
    EVALUATE,
    PCA,
    TSNE,
    PIXELS,
    QUALITY,
    NEIGHBORS,
    FIGURES,
    PAGE,
    NUM_STAGES
};
extern const char *const stage_names[NUM_STAGES];

/* How faithful a map is to what it is of, and how well classes separate in it. */
struct quality {
    double trustworthiness, continuity, preservation, neighbor_accuracy, silhouette, correlation;
    double kl_divergence;
};
#define QUALITY_NEIGHBORS 10

/* Everything that a run holds; released by release_run. */
struct run {
    const struct experiment *experiment; /* of the report; NULL for train */
    struct options options;
    struct terminal terminal;

    dlviz_comm *comm; /* of the processes that run this together; NULL: there is one */
    bool writes;      /* this one keeps the results, and prints what there is to say */

    const char *advice;          /* what to do about the failure of the step under way, or NULL */
    bool has_checkpoint;         /* there is one of this run */
    dlviz_status trouble_status; /* of what ended the training; `trouble` says it */
    char trouble[1024];          /* that, or why the last checkpoint is not written */
    bool unsaved;                /* it is not */
    bool replaces;               /* the folder still has what an earlier run left */
    bool outdated;               /* its results are those of fewer epochs, or of such a run */
    int lock;                    /* on the folder, or -1 */
    bool has_figures;            /* they are drawn */
    char title[160];   /* what was really run: "learning rate 1e-3, 20 epochs, 5500 images" */
    const char *layer; /* where features are taken */

    struct data data;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_film *film;
    int64_t shown_epoch; /* how many epochs the network has had that is looked at */

    double perplexity; /* that t-SNE has used: lower than asked where there are few points */
    double test_loss, test_accuracy, untrained_accuracy;
    dlviz_tensor *logits, *features, *confusion;
    dlviz_pca *pca;
    dlviz_tensor *components; /* the features' first 50 principal components, n x 50 or fewer */
    dlviz_tensor *pca_map;    /* n x 2 */
    dlviz_tensor *tsne_map;   /* n x 2: the film's last */
    dlviz_tensor *neighbors;  /* n x 10 int64: nearest in the features */
    dlviz_tensor *pixel_components, *pixel_map;
    struct quality learned, untrained, pixels;
    char noted[256];     /* what the library has said last */
    double started;      /* the stage under way */
    double pass_seconds; /* what one pass over the test set took; 0: not known yet */
    double seconds[NUM_STAGES];
};

/* A line on stderr, also of a quiet run. */
void warn(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Main functions of the programs. */
int report_main(int argc, char **argv, const struct experiment *experiment);
int train_main(int argc, char **argv);

/* Called again and again in whatever takes long: the line of progress; false to stop. */
bool go_on(struct run *run, const char *what, double share);

/* -- train.c: builds what is trained, and trains it -- */
dlviz_status build(struct run *run);
dlviz_status train(struct run *run);

/* -- settings.c: what a run that goes on must have in common with itself -- */
dlviz_status write_settings(const struct run *run);
dlviz_status compare_settings(struct run *run);

/* -- look.c: what it learned -- */
dlviz_status evaluate(struct run *run);
dlviz_status project(struct run *run);
dlviz_status make_film(struct run *run);
dlviz_status map_pixels(struct run *run);
dlviz_status judge(struct run *run);
dlviz_status find_neighbors(struct run *run);

/* -- figures.c, page.c, summary.c: results written from a finished run -- */
dlviz_status write_figures(struct run *run);
dlviz_status write_page(struct run *run);
dlviz_status write_summary(const struct run *run);

/* About what the stages from `first` on will take, in seconds. */
double seconds_from(const struct run *run, enum stage first);

#endif
