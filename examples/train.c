/* train.c - trains a network on a folder of images, or other data, and shows what it learned. */
#include "run/run.h"

int main(int argc, char **argv) {
    return train_main(argc, argv);
}
