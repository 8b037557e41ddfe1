/* Tables of the handles that are live. */
#include "calls.h"

#include <stdlib.h>

#define DEFINE_TABLE(noun, count)                                                                  \
    static dlviz_##noun *noun##_table[count];                                                      \
    dlviz_##noun *a_##noun(void) {                                                                 \
        uint8_t byte = a_byte();                                                                   \
        int at = byte % (count);                                                                   \
        for (int i = 0; i < (count) && byte < 248 && !noun##_table[at]; i++)                       \
            at = (at + 1) % (count);                                                               \
        return byte >= 254 ? NULL : noun##_table[at];                                              \
    }                                                                                              \
    void keep_##noun(dlviz_##noun *made) {                                                         \
        int64_t at = below(count);                                                                 \
        for (int i = 0; i < (count) && noun##_table[at]; i++)                                      \
            at = (at + 1) % (count);                                                               \
        dlviz_##noun##_destroy(noun##_table[at]);                                                  \
        noun##_table[at] = made;                                                                   \
    }                                                                                              \
    dlviz_##noun *take_##noun(void) {                                                              \
        uint8_t byte = a_byte();                                                                   \
        int at = byte % (count);                                                                   \
        for (int i = 0; i < (count) && byte < 248 && !noun##_table[at]; i++)                       \
            at = (at + 1) % (count);                                                               \
        dlviz_##noun *taken = noun##_table[at];                                                    \
        noun##_table[at] = NULL;                                                                   \
        return taken;                                                                              \
    }                                                                                              \
    void drop_##noun(void) {                                                                       \
        dlviz_##noun##_destroy(take_##noun());                                                     \
    }                                                                                              \
    bool is_live_##noun(const dlviz_##noun *handle) {                                              \
        for (int i = 0; i < (count); i++)                                                          \
            if (handle && noun##_table[i] == handle)                                               \
                return true;                                                                       \
        return false;                                                                              \
    }                                                                                              \
    void drop_every_##noun(void) {                                                                 \
        for (int i = 0; i < (count); i++) {                                                        \
            dlviz_##noun##_destroy(noun##_table[i]);                                               \
            noun##_table[i] = NULL;                                                                \
        }                                                                                          \
    }
TABLES(DEFINE_TABLE)

enum { NUM_BLOBS = 6 };
static blob blobs[NUM_BLOBS];

void keep_blob(void *bytes, size_t size) {
    int64_t at = below(NUM_BLOBS);
    require(size > 0, "bytes that are none");
    dlviz_free((void *)blobs[at].bytes);
    blobs[at] = (blob){bytes, size};
}

blob a_blob(void) {
    int64_t at = below(NUM_BLOBS);
    for (int i = 0; i < NUM_BLOBS && !blobs[at].bytes; i++)
        at = (at + 1) % NUM_BLOBS;
    blob some = blobs[at];
    uint8_t harm = a_byte();
    if (harm >= 240) {
        some.size = some.size * (size_t)a_byte() / 256;
    } else if (harm >= 220 && some.size > 0) {
        size_t place = some.size * (size_t)a_byte() / 256;
        ((uint8_t *)some.bytes)[place] ^= (uint8_t)(1 + a_byte());
    }
    return some;
}

void drop_blobs(void) {
    for (int i = 0; i < NUM_BLOBS; i++) {
        dlviz_free((void *)blobs[i].bytes);
        blobs[i] = (blob){NULL, 0};
    }
}

void drop_all(void) {
#define DROP(noun, count) drop_every_##noun();
    TABLES(DROP)
#undef DROP
    drop_blobs();
}
