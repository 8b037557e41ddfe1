/* analysis/model/comm.h - ranks do not agree on success where one of them has failed. */
#include "comm/comm.h"
#include "comm/enter.h"
#include "model.h"

#define dlz_comm_agree(comm, own) DLZ_MODEL_AGREED(own, dlz_comm_agree(comm, own_))
#define dlz_comm_enter(comm, who, own) DLZ_MODEL_AGREED(own, dlz_comm_enter(comm, who, own_))
