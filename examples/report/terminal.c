#include "terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define BAR_WIDTH 24

double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void terminal_start(struct terminal *terminal, bool quiet) {
    const char *kind = getenv("TERM");
    *terminal = (struct terminal){.quiet = quiet};
    terminal->live = !quiet && isatty(STDERR_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void wipe(struct terminal *terminal) {
    if (terminal->dirty)
        fputs("\r\033[K", stderr);
    terminal->dirty = false;
}

void say(struct terminal *terminal, const char *format, ...) {
    wipe(terminal);
    if (terminal->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* Whether it is time to draw again. */
static bool due(struct terminal *terminal) {
    double now = seconds_now();
    if (!terminal->live || now - terminal->drawn < REDRAW_SECONDS)
        return false;
    terminal->drawn = now;
    return true;
}

/* The columns of the terminal that a line may use without reaching the last one, where it would
 * wrap and could not be rewritten. */
static int columns(void) {
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col - 1 : 79;
}

/* The bar takes the room that the words leave; without enough of it there is none. */
static void draw(struct terminal *terminal, const char *what, double share, const char *figures) {
    char bar[BAR_WIDTH + 5] = " ";
    int room = columns(), left = room - (int)(strlen(what) + strlen(figures)) - 4;
    int width = left < BAR_WIDTH ? left : BAR_WIDTH;
    if (width >= BAR_WIDTH / 4) {
        int filled = (int)(share * width + 0.5);
        memset(bar + 2, '.', (size_t)width);
        memset(bar + 2, '#', (size_t)filled);
        bar[1] = '[';
        memcpy(bar + 2 + width, "] ", 2);
    }
    char line[256];
    snprintf(line, sizeof line, "%s%s%s", what, bar, figures);
    fprintf(stderr, "\r%.*s\033[K", room, line);
    terminal->dirty = true;
}

static void time_left(char *text, size_t size, double seconds) {
    if (!isfinite(seconds))
        snprintf(text, size, "-");
    else if (seconds < 100)
        snprintf(text, size, "%.0f s", seconds);
    else
        snprintf(text, size, "%.0f min", seconds / 60);
}

void show_batches(struct terminal *terminal, const dlviz_trainer *trainer, int epochs) {
    if (!due(terminal))
        return;
    double share =
        (double)dlviz_trainer_batches_done(trainer) / (double)dlviz_trainer_num_batches(trainer);
    int done = (int)dlviz_trainer_num_epochs(trainer);
    double epoch_seconds = dlviz_trainer_current(trainer, "seconds") / share;
    char what[32], left[32], figures[128];
    time_left(left, sizeof left, epoch_seconds * (epochs - done - share));
    snprintf(what, sizeof what, "epoch %2d/%d", done + 1, epochs);
    snprintf(figures, sizeof figures, "loss %.4f  accuracy %.2f %%  %.0f images/s  %s left",
             dlviz_trainer_current(trainer, "train_loss"),
             100 * dlviz_trainer_current(trainer, "train_accuracy"),
             dlviz_trainer_current(trainer, "samples_per_second"), left);
    draw(terminal, what, share, figures);
}

void show_iterations(struct terminal *terminal, int64_t done, int64_t all, double kl_divergence,
                     double started) {
    if (!due(terminal))
        return;
    double share = (double)done / (double)all;
    char left[32], figures[96];
    time_left(left, sizeof left, (seconds_now() - started) * (1 - share) / share);
    snprintf(figures, sizeof figures, "iteration %lld/%lld  KL %.4f  %s left", (long long)done,
             (long long)all, kl_divergence, left);
    draw(terminal, "t-SNE", share, figures);
}

void say_epoch(struct terminal *terminal, const dlviz_trainer *trainer, int epochs) {
    int last = (int)dlviz_trainer_num_epochs(trainer) - 1;
    say(terminal,
        "epoch %2d/%d  lr %-7.3g loss %.4f  accuracy %6.2f %%  validation %.4f  %6.2f %%  %6.1f s  "
        "%5.0f images/s",
        last + 1, epochs, dlviz_trainer_history(trainer, last, "learning_rate"),
        dlviz_trainer_history(trainer, last, "train_loss"),
        100 * dlviz_trainer_history(trainer, last, "train_accuracy"),
        dlviz_trainer_history(trainer, last, "validation_loss"),
        100 * dlviz_trainer_history(trainer, last, "validation_accuracy"),
        dlviz_trainer_history(trainer, last, "seconds"),
        dlviz_trainer_history(trainer, last, "samples_per_second"));
}
