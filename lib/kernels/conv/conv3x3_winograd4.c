/* F(4 × 4, 3 × 3). */
#define DLZ_TILE 4
#include "kernels/conv/conv3x3_winograd.h"

const dlz_conv3x3_kernels DLZ_VARIANT(dlz_conv3x3_winograd4) = {DLZ_LANES, prepare, forward,
                                                                backward, finish};
