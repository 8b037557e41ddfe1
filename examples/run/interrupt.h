/* interrupt.h - Ctrl-C, what kill sends, and a terminal that closes: the first one asks the program to
 * stop. */
#ifndef RUN_INTERRUPT_H
#define RUN_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t interrupted;

/* From now on SIGINT and SIGTERM set `interrupted`, and so does SIGHUP unless it is ignored, as under
 * nohup; a second one ends the program as usual. A terminal whose lines can be rewritten is told at
 * once. Writing to a pipe that nobody reads, or past the largest size of a file, fails and ends
 * nothing. */
void watch_interrupts(bool live);

/* Whether the program may simply end, soon after it was asked to, with this line on stderr, or none
 * where it is empty, and the status of an interruption: where nothing is at work that would be
 * lost, as files are written whole or not at all. NULL: it may not. The text must live on. */
void end_soon_with(const char *line);

#endif
