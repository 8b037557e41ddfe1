/* analysis/model/base.h - what fails never gives DLVIZ_OK. */
#include "base/base.h"
#include "model.h"

#define dlz_fail(...) DLZ_MODEL_FAILED(dlz_fail(__VA_ARGS__))
#define dlz_fail_within(...) DLZ_MODEL_FAILED(dlz_fail_within(__VA_ARGS__))
#define dlz_fail_memory(...) DLZ_MODEL_FAILED(dlz_fail_memory(__VA_ARGS__))
#define dlz_fail_io(...) DLZ_MODEL_FAILED(dlz_fail_io(__VA_ARGS__))
