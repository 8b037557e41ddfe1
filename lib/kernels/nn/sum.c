#include "kernels/nn/sum.h"
#include "isa/isa.h"

/* One vector of an addend, from channel c on. */
DLZ_INLINE dlz_v value_of(const dlz_addend *addend, const bool pending, int64_t at, int64_t c,
                          int64_t left) {
    dlz_v value = dlz_load_up_to(addend->data + at, left);
    if (pending && addend->scale) {
        value = dlz_fma(value, dlz_load_up_to(addend->scale + c, left),
                        dlz_load_up_to(addend->shift + c, left));
        if (addend->relu)
            value = dlz_gated(value, value);
    }
    return value;
}

/* `count` is 2, which most are, or any. */
DLZ_INLINE void add_up(const dlz_addend *addends, const int count, const bool pending,
                       const bool relu, int64_t channels, int64_t first, int64_t end, float *to) {
    for (int64_t at = first; at < end; at += channels)
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c;
            dlz_v sum = value_of(addends, pending, at + c, c, left);
            for (int k = 1; k < count; k++)
                sum += value_of(addends + k, pending, at + c, c, left);
            dlz_store_up_to(to + at + c, relu ? dlz_rectify(sum) : sum, left);
        }
}

static void values(const dlz_addend *addends, int count, int64_t channels, bool relu, int64_t first,
                   int64_t pixels, float *to) {
    bool pending = false;
    for (int k = 0; k < count; k++)
        pending |= addends[k].scale != NULL;
    int64_t at = first * channels, end = at + pixels * channels;
    if (!pending) /* then it matters to nobody where a pixel ends */
        channels = pixels * channels;
    if (count == 2 && pending)
        add_up(addends, 2, true, relu, channels, at, end, to);
    else if (count == 2)
        add_up(addends, 2, false, relu, channels, at, end, to);
    else
        add_up(addends, count, true, relu, channels, at, end, to);
}

DLZ_INLINE void add_gradients(const float *const *from, const int parts, const float *gate,
                              int64_t first, int64_t end, float *to) {
    for (int64_t i = first; i < end; i += DLZ_LANES) {
        int64_t left = end - i;
        dlz_v sum = dlz_load_up_to(from[0] + i, left);
        for (int part = 1; part < parts; part++)
            sum += dlz_load_up_to(from[part] + i, left);
        if (gate)
            sum = dlz_gated(sum, dlz_load_up_to(gate + i, left));
        dlz_store_up_to(to + i, sum, left);
    }
}

static void gradients(const float *const *from, int parts, const float *gate, int64_t first,
                      int64_t count, float *to) {
    if (parts == 2)
        add_gradients(from, 2, gate, first, first + count, to);
    else
        add_gradients(from, parts, gate, first, first + count, to);
}

const dlz_sum_table DLZ_VARIANT(dlz_sum_kernels) = {values, gradients};
