/* A build without cairo: everything links, and says why it draws nothing. */
#include "support/support.h"

#include <string.h>

START_TEST(figures_are_refused_with_a_reason) {
    dlviz_figure *figure = (dlviz_figure *)&figure;
    dlviz_tensor *map;
    ck_ok(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){3, 2}));
    ck_assert(!dlviz_plot_supported());
    ck_fails(dlviz_figure_create_scatter(&figure, map, NULL), DLVIZ_ERROR_UNSUPPORTED, "cairo");
    ck_assert_ptr_null(figure);
    ck_fails(dlviz_figure_create_curves(&figure), DLVIZ_ERROR_UNSUPPORTED, "cairo");
    ck_fails(dlviz_plot_scatter(map, NULL, 0, NULL, "title", "map.png"), DLVIZ_ERROR_UNSUPPORTED,
             "cairo");
    dlviz_tensor_destroy(map);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {figures_are_refused_with_a_reason, NULL};
    return run_tests("plot_unsupported", tests);
}
