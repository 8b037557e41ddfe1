/* compare.c - one page of several: the runs of pages about the same points, side by side. */
#include "run/again.h"
#include "run/blas.h"
#include "run/command.h"
#include "run/print.h"
#include "run/text.h"

#include <dlviz.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_PAGES = 64 };

static void print_help(const struct command_line *line) {
    print("Usage: %s OUT.html PAGE.html [PAGE.html ...] [options]\n\n"
          "Writes a page with the runs of all these, which must be about the same samples:\n"
          "pages that the report programs, dlviz-train and dlviz-embed wrote.\n\n",
          line->program);
    print_options(line, "");
    print("  -h, --help, --version\n\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

static bool are_one_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    return AGAIN(stat(a, &of_a)) == 0 && AGAIN(stat(b, &of_b)) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static bool is_there(const char *path) {
    struct stat info;
    return AGAIN(stat(path, &info)) == 0 && S_ISREG(info.st_mode);
}

static dlviz_status merge(const char *title, int count, const char **pages, const char *out) {
    dlviz_report *report;
    dlviz_status status = dlviz_report_create(&report, title, 0);
    if (status != DLVIZ_OK)
        return status;
    for (int i = 0; status == DLVIZ_OK && i < count; i++)
        status = dlviz_report_merge(report, pages[i]);
    if (status == DLVIZ_OK)
        status = dlviz_report_write(report, out);
    dlviz_report_destroy(report);
    return status;
}

int main(int argc, char **argv) {
    do_without_blas_threads(argv);
    const char *title = NULL, *words[MOST_PAGES + 1];
    bool quiet = false, force = false;
    const struct option_line options[] = {
        {"title", "TEXT", "of the page (default: that of the first)", TEXT, &title, 0, 0, NULL,
         NULL},
        {"force", NULL, "replace OUT.html where it is there", FLAG, &force, 0, 0, NULL, NULL},
        {"quiet", NULL, "errors only", FLAG, &quiet, 0, 0, NULL, NULL}};
    const struct command_line line = {.program = program_name(argc, argv, "dlviz-compare"),
                                      .options = options,
                                      .num_options = 3,
                                      .help = print_help};
    int count = read_command_line(&line, argc, argv, 1, words, MOST_PAGES + 1);
    if (count < 2)
        wrong_usage(&line, "needs OUT.html and one page or more");
    for (int i = 1; i < count; i++)
        if (are_one_file(words[0], words[i])) {
            complain("%s: OUT.html and a page to be read are one file, '%s': two are needed\n",
                     line.program, words[i]);
            return EXIT_USAGE;
        }
    if (!force && is_there(words[0])) { /* it may be a page to be read, OUT.html forgotten */
        complain("%s: '%s' is there already: the first file is the one to be written; --force "
                 "replaces it\n",
                 line.program, words[0]);
        return EXIT_USAGE;
    }
    if (merge(title, count - 1, words + 1, words[0]) != DLVIZ_OK) {
        complain("%s: %s\n", line.program, plain_error());
        return EXIT_FAILED;
    }
    if (!quiet)
        print("%d page%s compared in %s\n", count - 1, count == 2 ? "" : "s", words[0]);
    return all_printed(line.program) ? EXIT_DONE : EXIT_FAILED;
}
