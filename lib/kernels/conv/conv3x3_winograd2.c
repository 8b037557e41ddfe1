/* F(2 × 2, 3 × 3). */
#define DLZ_TILE 2
#include "kernels/conv/conv3x3_winograd.h"

const dlz_conv3x3_kernels DLZ_VARIANT(dlz_conv3x3_winograd2) = {DLZ_LANES, prepare, forward,
                                                                backward, finish};
