/* terminal.h - what the report programs print while they work. */
#ifndef REPORT_TERMINAL_H
#define REPORT_TERMINAL_H

#include "options.h"
#include <dlviz.h>

/* Results go to stdout. On a terminal stderr has one line of progress besides, rewritten at most
 * ten times a second. */
struct terminal {
    bool quiet, live; /* live: stderr is a terminal that can rewrite a line */
    double drawn;     /* when the line of progress was last drawn */
    bool dirty;       /* there is one to be wiped */
};

void terminal_start(struct terminal *terminal, bool quiet);
double seconds_now(void);

/* A plain line on stdout, unless quiet. */
void say(struct terminal *terminal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The batches of an epoch; iterations of t-SNE; wiped by the next plain line. */
void show_batches(struct terminal *terminal, const dlviz_trainer *trainer, int epochs);
void show_iterations(struct terminal *terminal, int64_t done, int64_t all, double kl_divergence,
                     double started);
/* The line of the epoch that has just ended. */
void say_epoch(struct terminal *terminal, const dlviz_trainer *trainer, int epochs);
void wipe(struct terminal *terminal);

#endif
