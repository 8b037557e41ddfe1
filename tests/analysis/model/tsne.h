/* analysis/model/tsne.h - ranks do not agree on success where one of them has failed. */
#include "tsne/tsne_internal.h"
#include "model.h"

#define dlz_tsne_agree(comm, own) DLZ_MODEL_AGREED(own, dlz_tsne_agree(comm, own_))
#define dlz_tsne_enter(comm, who, own) DLZ_MODEL_AGREED(own, dlz_tsne_enter(comm, who, own_))
