/* The report's experiment with a learning rate of 1e-6, 1 epoch. */
#include "run/run.h"

int main(int argc, char **argv) {
    static const struct experiment experiment = {"lr1e-6_1epoch", "learning rate 1e-6", 1e-6, false,
                                                 1};
    return report_main(argc, argv, &experiment);
}
