/* Threads may have locales of their own, and localeconv answers all of them in one place: what it says may be for
 * another thread's. Numbers that go into files and come from them do not hang on it. */
#include "support/support.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* As if a thread with another locale had asked, just before; all libraries of the process find this one. */
static const char *last_point = ".";

struct lconv *localeconv(void) {
    static struct lconv answer;
    static char nothing[] = "", points[2];
    points[0] = last_point[0];
    answer = (struct lconv){.decimal_point = points, .thousands_sep = nothing, .grouping = nothing};
    return &answer;
}

typedef struct file {
    void *bytes;
    size_t size;
} file;

enum { NETWORK, ARCHITECTURE, SVG, PDF, KINDS };

static dlviz_network *make_network(void) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 1, (int64_t[]){6}));
    ck_ok(dlviz_network_add(net, "fc1", dlviz_linear(4)));
    ck_ok(dlviz_network_add(net, "relu", dlviz_leaky_relu(0.1)));
    ck_ok(dlviz_network_add(net, "drop", dlviz_dropout(0.3)));
    ck_ok(dlviz_network_add(net, "fc2", dlviz_linear(2)));
    ck_ok(dlviz_network_build(net, 1));
    return net;
}

static dlviz_figure *make_figure(void) {
    const double x[] = {0.5, 1.25, 2.75}, y[] = {0.125, 1.5, 0.75};
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "training", 3, x, y));
    return figure;
}

static file make_file(int kind) {
    file made = {0};
    if (kind == NETWORK || kind == ARCHITECTURE) {
        dlviz_network *net = make_network();
        ck_ok(kind == NETWORK
                  ? dlviz_network_save_memory(net, &made.bytes, &made.size)
                  : dlviz_network_save_architecture_memory(net, &made.bytes, &made.size));
        dlviz_network_destroy(net);
    } else if (dlviz_plot_supported()) {
        dlviz_figure *figure = make_figure();
        ck_ok(dlviz_figure_write_memory(
            figure, kind == SVG ? DLVIZ_FIGURE_FORMAT_SVG : DLVIZ_FIGURE_FORMAT_PDF, &made.bytes,
            &made.size));
        dlviz_figure_destroy(figure);
    }
    return made;
}

static void take_back(int kind, file from) {
    dlviz_network *net = NULL;
    if (kind == NETWORK)
        ck_ok(dlviz_network_open_memory(&net, from.bytes, from.size));
    else if (kind == ARCHITECTURE)
        ck_ok(dlviz_network_open_architecture_memory(&net, from.bytes, from.size));
    dlviz_network_destroy(net);
}

START_TEST(files_are_the_same_for_all_threads) {
    file plain[KINDS];
    for (int kind = 0; kind < KINDS; kind++)
        plain[kind] = make_file(kind);
    locale_t comma = comma_locale();
    for (int own = 0; own < 2; own++) {
        if (own && !comma)
            break;
        uselocale(own ? comma : LC_GLOBAL_LOCALE);
        for (int answer = 0; answer < 2; answer++) {
            last_point = answer ? "," : ".";
            /* With another point than there is, cairo leaves zeros behind its numbers. */
            for (int kind = 0; kind < (answer ? SVG : KINDS); kind++) {
                file again = make_file(kind);
                ck_assert_msg(again.size == plain[kind].size &&
                                  (again.size == 0 ||
                                   memcmp(again.bytes, plain[kind].bytes, again.size) == 0),
                              "kind %d, own locale %d, answer '%s': other bytes", kind, own,
                              last_point);
                take_back(kind, plain[kind]);
                dlviz_free(again.bytes);
            }
        }
    }
    uselocale(LC_GLOBAL_LOCALE);
    for (int kind = 0; kind < KINDS; kind++)
        dlviz_free(plain[kind].bytes);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {files_are_the_same_for_all_threads, NULL};
    return run_tests("locales of threads", tests);
}
