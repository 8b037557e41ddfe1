/* analysis/model.h - what static analyzers cannot see across files: a failure is never DLVIZ_OK, and ranks do not
 * agree on success where one of them has failed. Included before every file of lib/ that has failures. */
#ifndef DLZ_ANALYSIS_MODEL_H
#define DLZ_ANALYSIS_MODEL_H

#include "base/base.h"
#include "comm/comm.h"
#include "comm/enter.h"

static inline dlviz_status dlz_model_failed(dlviz_status status) {
    if (status == DLVIZ_OK)
        __builtin_unreachable();
    return status;
}

static inline dlviz_status dlz_model_agreed(dlviz_status own, dlviz_status all) {
    if (own != DLVIZ_OK && all == DLVIZ_OK)
        __builtin_unreachable();
    return all;
}

static inline dlviz_status dlz_model_agree(dlviz_comm *comm, dlviz_status own) {
    return dlz_model_agreed(own, dlz_comm_agree(comm, own));
}

static inline dlviz_status dlz_model_enter(dlviz_comm *comm, const char *who, dlviz_status own) {
    return dlz_model_agreed(own, dlz_comm_enter(comm, who, own));
}

#define dlz_fail(...) dlz_model_failed(dlz_fail(__VA_ARGS__))
#define dlz_fail_within(...) dlz_model_failed(dlz_fail_within(__VA_ARGS__))
#define dlz_fail_memory(...) dlz_model_failed(dlz_fail_memory(__VA_ARGS__))
#define dlz_fail_io(...) dlz_model_failed(dlz_fail_io(__VA_ARGS__))
#define dlz_comm_agree(...) dlz_model_agree(__VA_ARGS__)
#define dlz_comm_enter(...) dlz_model_enter(__VA_ARGS__)

#endif
