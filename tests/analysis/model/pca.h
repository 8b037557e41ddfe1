/* analysis/model/pca.h - ranks do not agree on success where one of them has failed. */
#include "pca/pca.h"
#include "model.h"

#define dlz_pca_agree(input, own) DLZ_MODEL_AGREED(own, dlz_pca_agree(input, own_))
