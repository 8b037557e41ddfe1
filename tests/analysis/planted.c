/* analysis/planted.c - a fault that each tool has to find, and what it may only take for one without model/. */
#include "base/base.h"

int dlz_planted_fault(void);
dlviz_status dlz_planted_text(size_t size);

int dlz_planted_fault(void) {
    const int *number = NULL;
    return *number; /* found */
}

static dlviz_status make(size_t size, char **text) {
    if (size == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "a text has a byte or more");
    *text = dlz_alloc(size);
    return *text ? DLVIZ_OK : dlz_fail_memory("a text", size);
}

dlviz_status dlz_planted_text(size_t size) {
    char *text = NULL;
    DLZ_TRY(make(size, &text));
    *text = '\0';
    dlz_free(text);
    return DLVIZ_OK;
}
