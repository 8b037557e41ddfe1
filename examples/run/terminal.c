#include "terminal.h"
#include "print.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
enum { BAR_WIDTH = 24, PLAIN_COLUMNS = 79 };

double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Where a program is started without them, the next file to be opened would get the lines that are meant
 * for people. These get something that cannot be written to, so that it is noticed. */
static void keep_standard_streams(void) {
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY) != i)
            return;
}

void terminal_start(struct terminal *terminal, bool quiet) {
    const char *kind = getenv("TERM");
    keep_standard_streams();
    *terminal = (struct terminal){.quiet = quiet};
    terminal->live = !quiet && isatty(STDERR_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void wipe(struct terminal *terminal) {
    if (terminal->dirty)
        complain("\r\033[K");
    terminal->dirty = false;
}

void say(struct terminal *terminal, const char *format, ...) {
    wipe(terminal);
    if (terminal->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

const char *clock_text(char text[CLOCK_SIZE], double seconds) {
    unsigned all = seconds > 0 ? (unsigned)(fmin(seconds, 4e9) + 0.5) : 0; /* 0: NaN, too */
    if (all >= 3600)
        snprintf(text, CLOCK_SIZE, "%u:%02u:%02u", all / 3600, all / 60 % 60, all % 60);
    else
        snprintf(text, CLOCK_SIZE, "%u:%02u", all / 60, all % 60);
    return text;
}

/* -- The line of progress ------------------------------------------------------------------------
 */

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
    return known ? size.ws_col - 1 : PLAIN_COLUMNS;
}

/* A bar of so many columns with its brackets; nothing where these are too few. */
static void fill_bar(char bar[BAR_WIDTH + 4], int room, double share) {
    int width = room - 3 < BAR_WIDTH ? room - 3 : BAR_WIDTH;
    bar[0] = '\0';
    if (width < BAR_WIDTH / 4)
        return;
    int filled = (int)(share * width + 0.5);
    bar[0] = ' ';
    bar[1] = '[';
    memset(bar + 2, '.', (size_t)width);
    memset(bar + 2, '#', (size_t)(filled < 0 ? 0 : filled > width ? width : filled));
    memcpy(bar + 2 + width, "]", 2);
}

/* Figures go at a comma, the last ones first, until the line fits. */
static void shorten(char *figures, int room) {
    while ((int)strlen(figures) > room) {
        char *comma = strrchr(figures, ',');
        if (!comma) {
            *figures = '\0';
            return;
        }
        *comma = '\0';
    }
}

static void draw(struct terminal *terminal, const char *what, double share, const char *figures,
                 const char *left) {
    char bar[BAR_WIDTH + 4], some[128] = "", line[320];
    int room = columns() - (int)(strlen(what) + strlen(left));
    if (figures && *figures)
        snprintf(some, sizeof some, "  %s", figures);
    shorten(some, room);
    fill_bar(bar, room - (int)strlen(some), share);
    snprintf(line, sizeof line, "%s%s%s%s", what, bar, some, left);
    complain("\r%.*s\033[K", columns(), line);
    terminal->dirty = true;
}

void show(struct terminal *terminal, const char *what, double share, const char *figures,
          double seconds) {
    if (!due(terminal))
        return;
    char left[48] = "", clock[CLOCK_SIZE];
    if (isfinite(seconds))
        snprintf(left, sizeof left, "  %s left", clock_text(clock, seconds + terminal->later));
    draw(terminal, what, share, figures, left);
}

/* A first guess, of a share that is next to nothing, would be wild. */
void show_share(struct terminal *terminal, const char *what, double share, double started) {
    double so_far = seconds_now() - started;
    bool known = share > 0.02 || (share > 0 && so_far > 1);
    show(terminal, what, share, NULL, known ? so_far * (1 - share) / share : NAN);
}

void show_batches(struct terminal *terminal, const dlviz_trainer *trainer, int64_t epochs) {
    double share =
        (double)dlviz_trainer_batches_done(trainer) / (double)dlviz_trainer_num_batches(trainer);
    int64_t done = dlviz_trainer_num_epochs(trainer);
    double epoch_seconds = dlviz_trainer_current(trainer, "seconds") / share;
    if (done > 0) /* with validation */
        epoch_seconds = dlviz_trainer_history(trainer, done - 1, "seconds");
    char what[48], figures[96];
    snprintf(what, sizeof what, "epoch %2lld/%lld", (long long)done + 1, (long long)epochs);
    snprintf(figures, sizeof figures, "loss %.4f, accuracy %.2f %%, %.0f images/s",
             dlviz_trainer_current(trainer, "train_loss"),
             100 * dlviz_trainer_current(trainer, "train_accuracy"),
             dlviz_trainer_current(trainer, "samples_per_second"));
    show(terminal, what, share, figures, epoch_seconds * ((double)(epochs - done) - share));
}

/* -- The line of an epoch: 79 columns at most ----------------------------------------------------
 */

/* Adds a part, and leaves out what has no room. */
static void append(char *line, const char *part) {
    size_t length = strlen(line);
    if (length + strlen(part) <= PLAIN_COLUMNS)
        memcpy(line + length, part, strlen(part) + 1);
}

/* Five characters at most and in one way, whatever the rate: "1e-3"; history.csv has all digits. */
static const char *rate_text(char text[16], double rate) {
    snprintf(text, 16, "%.0e", rate);
    char *digits = strpbrk(text, "+-"), *from = digits;
    if (!digits)
        return text;
    digits += *digits == '-';
    while (*++from == '0' && from[1] != '\0')
        ;
    memmove(digits, from, strlen(from) + 1);
    return text;
}

static void append_result(char *line, const char *label, double loss, double accuracy) {
    char part[64];
    snprintf(part, sizeof part, "  %sloss %.*f acc %.*f%%", label, loss < 10 ? 4 : 2, loss,
             accuracy >= 0.99995 ? 0 : 2, 100 * accuracy);
    append(line, part);
}

void say_epoch(struct terminal *terminal, const dlviz_trainer *trainer, int64_t epochs) {
    int64_t last = dlviz_trainer_num_epochs(trainer) - 1;
    char line[128], part[64], text[CLOCK_SIZE], rate[16];
    snprintf(line, sizeof line, "epoch %2lld/%lld", (long long)last + 1, (long long)epochs);
    append_result(line, "", dlviz_trainer_history(trainer, last, "train_loss"),
                  dlviz_trainer_history(trainer, last, "train_accuracy"));
    double loss = dlviz_trainer_history(trainer, last, "validation_loss");
    if (!isnan(loss))
        append_result(line, "val ", loss,
                      dlviz_trainer_history(trainer, last, "validation_accuracy"));
    const char *clock = clock_text(text, dlviz_trainer_history(trainer, last, "seconds"));
    rate_text(rate, dlviz_trainer_history(trainer, last, "learning_rate"));
    snprintf(part, sizeof part, "  lr %s", rate);
    if (strlen(line) + strlen(part) + 2 + strlen(clock) <= PLAIN_COLUMNS)
        append(line, part);
    snprintf(part, sizeof part, "  %s", clock);
    append(line, part);
    say(terminal, "%s", line);
}
