/* analysis/model.h - what static analyzers cannot see across files: a failure is never DLVIZ_OK. Included before every
 * file of lib/ that they read. */
#ifndef DLZ_ANALYSIS_MODEL_H
#define DLZ_ANALYSIS_MODEL_H

#include "base/base.h"

static inline dlviz_status dlz_model_failed(dlviz_status status) {
    if (status == DLVIZ_OK)
        __builtin_unreachable();
    return status;
}

#define dlz_fail(...) dlz_model_failed(dlz_fail(__VA_ARGS__))
#define dlz_fail_within(...) dlz_model_failed(dlz_fail_within(__VA_ARGS__))
#define dlz_fail_memory(...) dlz_model_failed(dlz_fail_memory(__VA_ARGS__))
#define dlz_fail_io(...) dlz_model_failed(dlz_fail_io(__VA_ARGS__))

#endif
