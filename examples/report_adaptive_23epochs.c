/* The report's experiment with an adaptive learning rate. */
#include "run/run.h"

int main(int argc, char **argv) {
    static const struct experiment experiment = {"adaptive_23epochs", "adaptive learning rate",
                                                 1e-3, true, 23};
    return report_main(argc, argv, &experiment);
}
