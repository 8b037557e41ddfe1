#include "interrupt.h"
#include "command.h"

#include <string.h>
#include <sys/time.h>
#include <unistd.h>

volatile sig_atomic_t interrupted;
static const char *volatile last_words;
static volatile bool on_terminal;
static const char wipes[] = "\r\033[K";

/* Some of what the library calls cannot be asked to stop, as the compression of a figure. */
static void end_now(int number) {
    const char *line = last_words;
    (void)number;
    if (!line)
        return;
    if (*line) {
        ssize_t written = on_terminal ? write(STDERR_FILENO, wipes, sizeof wipes - 1) : 0;
        written += write(STDERR_FILENO, line, strlen(line));
        written += write(STDERR_FILENO, "\n", 1);
        (void)written;
    }
    _exit(EXIT_INTERRUPTED);
}

/* Seven tenths of a second, and never again; 0 takes it back. */
static void set_timer(bool runs) {
    struct itimerval time = {.it_value = {.tv_usec = runs ? 700000 : 0}};
    setitimer(ITIMER_REAL, &time, NULL);
}

static void on_interrupt(int number) {
    static const char stopping[] = "\r\033[Kstopping ...";
    interrupted = 1;
    signal(number, SIG_DFL);
    if (on_terminal) {
        ssize_t written = write(STDERR_FILENO, stopping, sizeof stopping - 1);
        (void)written;
    }
    if (last_words)
        set_timer(true);
}

void watch_interrupts(bool live) {
    on_terminal = live;
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup */
        sigaction(SIGHUP, &action, NULL);
    action.sa_handler = end_now;
    sigaction(SIGALRM, &action, NULL);
    /* Whoever reads the output may stop reading, and a file may grow too large: writing then fails,
     * which is told, and what does not depend on it goes on. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void end_soon_with(const char *line) {
    last_words = line;
    if (interrupted)
        set_timer(line != NULL);
}
