/* terminal.h - what the programs print while they work. */
#ifndef RUN_TERMINAL_H
#define RUN_TERMINAL_H

#include <dlviz.h>

#include <stdbool.h>

/* Results go to stdout. On a terminal stderr has one line of progress besides, rewritten at most
 * ten times a second. */
struct terminal {
    bool quiet, live; /* live: stderr is a terminal that can rewrite a line */
    double drawn;     /* when the line of progress was last drawn */
    bool dirty;       /* there is one to be wiped */
    double later;     /* seconds that what comes after the stage under way will take, about */
};

void terminal_start(struct terminal *terminal, bool quiet);
double seconds_now(void);

/* A plain line on stdout, unless quiet. */
void say(struct terminal *terminal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How far a stage is: a share of 0 to 1, figures or NULL, and the seconds that it will still take, or
 * NaN. The time that is shown is that of all there is to do, and the last to be cut where the
 * terminal is narrow. Wiped by the next plain line. */
void show(struct terminal *terminal, const char *what, double share, const char *figures,
          double seconds);
/* The same of a stage that began at `started` and goes on as it has so far. */
void show_share(struct terminal *terminal, const char *what, double share, double started);
/* The batches of an epoch; the line of the epoch that has just ended. */
void show_batches(struct terminal *terminal, const dlviz_trainer *trainer, int64_t epochs);
void say_epoch(struct terminal *terminal, const dlviz_trainer *trainer, int64_t epochs);
void wipe(struct terminal *terminal);

/* "0:23", "12:05" or "1:02:05". */
enum { CLOCK_SIZE = 36 };
const char *clock_text(char text[CLOCK_SIZE], double seconds);

#endif
