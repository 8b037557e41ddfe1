/* tensor/keys.h - which keys an object in a file may have. People edit these files: a key that is
 * misspelled would otherwise leave what it was to change as it is, and nobody would know. */
#ifndef DLZ_KEYS_H
#define DLZ_KEYS_H

#include "tensor/settings.h"

/* Fails with DLVIZ_ERROR_FORMAT at the first key that neither the table nor the list has, naming
 * those that are accepted; both may be NULL, and the list ends with NULL. What is no object fails
 * too, but for NULL, which has no keys. The caller says whose keys they are, with dlz_fail_within.
 * */
dlviz_status dlz_check_keys(const json_t *object, const dlz_setting *settings,
                            const char *const *others);

#endif
