/* The report's experiment with a learning rate of 1e-3, 20 epochs. */
#include "run/run.h"

int main(int argc, char **argv) {
    static const struct experiment experiment = {"lr1e-3_20epochs", "learning rate 1e-3", 1e-3,
                                                 false, 20};
    return report_main(argc, argv, &experiment);
}
