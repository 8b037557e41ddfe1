/* The report's experiment with an adaptive learning rate, 23 epochs. */
#include "report/report.h"

int main(int argc, char **argv) {
    static const struct experiment experiment = {
        "adaptive_23epochs", "adaptive learning rate, 23 epochs", 1e-3, true, 23};
    return report_main(argc, argv, &experiment);
}
