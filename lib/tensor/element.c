#include "tensor/element.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    size_t size;
    dlviz_dtype dtype;
} kinds[DLZ_ELEMENT_COUNT] = {
    [DLZ_ELEMENT_F64] = {8, DLVIZ_FLOAT32}, [DLZ_ELEMENT_F32] = {4, DLVIZ_FLOAT32},
    [DLZ_ELEMENT_F16] = {2, DLVIZ_FLOAT32}, [DLZ_ELEMENT_BF16] = {2, DLVIZ_FLOAT32},
    [DLZ_ELEMENT_BOOL] = {1, DLVIZ_UINT8},  [DLZ_ELEMENT_U8] = {1, DLVIZ_UINT8},
    [DLZ_ELEMENT_I8] = {1, DLVIZ_INT64},    [DLZ_ELEMENT_U16] = {2, DLVIZ_INT64},
    [DLZ_ELEMENT_I16] = {2, DLVIZ_INT64},   [DLZ_ELEMENT_U32] = {4, DLVIZ_INT64},
    [DLZ_ELEMENT_I32] = {4, DLVIZ_INT64},   [DLZ_ELEMENT_U64] = {8, DLVIZ_INT64},
    [DLZ_ELEMENT_I64] = {8, DLVIZ_INT64},
};

size_t dlz_element_size(dlz_element element) {
    return kinds[element].size;
}
dlviz_dtype dlz_element_dtype(dlz_element element) {
    return kinds[element].dtype;
}

dlz_element dlz_element_of_dtype(dlviz_dtype dtype) {
    return dtype == DLVIZ_FLOAT32 ? DLZ_ELEMENT_F32
           : dtype == DLVIZ_UINT8 ? DLZ_ELEMENT_U8
                                  : DLZ_ELEMENT_I64;
}

static uint64_t load_bits(const unsigned char *from, size_t size, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | from[big_endian ? i : size - 1 - i];
    return bits;
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double dlz_element_double(bool big_endian, const void *from) {
    if (big_endian == DLZ_HOST_IS_BIG_ENDIAN) {
        double value;
        memcpy(&value, from, sizeof value);
        return value;
    }
    return double_of_bits(load_bits(from, sizeof(double), big_endian));
}

/* IEEE binary16: 1 sign, 5 exponent, 10 fraction bits. Exact. */
static float float_of_half(uint32_t half) {
    uint32_t sign = half << 16 & 0x80000000u, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;
        return sign ? -small : small;
    }
    uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return float_of_bits(sign | wide << 23 | fraction << 13);
}

static int64_t sign_extend(uint64_t bits, size_t size) {
    assert(size >= 1 && size <= sizeof bits);
    int unused = 64 - 8 * (int)size;
    return (int64_t)(bits << unused) >> unused;
}

static dlviz_status decode_double(uint64_t bits, int64_t index, float *to) {
    double value = double_of_bits(bits);
    *to = (float)value;
    if (isinf(*to) && !isinf(value)) {
        char text[DLZ_NUMBER_SIZE];
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is %s, beyond the range of float32",
                        (long long)index, dlz_number(text, value, 6));
    }
    return DLVIZ_OK;
}

static dlviz_status decode_one(dlz_element element, uint64_t bits, int64_t index, void *to) {
    float *real = to;
    int64_t *whole = to;
    switch (element) {
    case DLZ_ELEMENT_F64:
        return decode_double(bits, index, real + index);
    case DLZ_ELEMENT_F32:
        real[index] = float_of_bits((uint32_t)bits);
        return DLVIZ_OK;
    case DLZ_ELEMENT_F16:
        real[index] = float_of_half((uint32_t)bits);
        return DLVIZ_OK;
    case DLZ_ELEMENT_BF16:
        real[index] = float_of_bits((uint32_t)bits << 16);
        return DLVIZ_OK;
    case DLZ_ELEMENT_BOOL:
        if (bits > 1)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "element %lld is %d; a bool is 0 or 1",
                            (long long)index, (int)bits);
        ((uint8_t *)to)[index] = (uint8_t)bits;
        return DLVIZ_OK;
    case DLZ_ELEMENT_U64:
        if (bits > INT64_MAX)
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "element %lld is %llu, beyond the range of int64",
                            (long long)index, (unsigned long long)bits);
        whole[index] = (int64_t)bits;
        return DLVIZ_OK;
    case DLZ_ELEMENT_U16:
    case DLZ_ELEMENT_U32:
        whole[index] = (int64_t)bits;
        return DLVIZ_OK;
    default:
        whole[index] = sign_extend(bits, kinds[element].size);
        return DLVIZ_OK;
    }
}

dlviz_status dlz_element_decode(dlz_element element, bool big_endian, const void *from,
                                int64_t count, void *to) {
    size_t size = kinds[element].size;
    bool same_bits = element == dlz_element_of_dtype(kinds[element].dtype);
    if (same_bits && (size == 1 || big_endian == DLZ_HOST_IS_BIG_ENDIAN)) {
        memcpy(to, from, (size_t)count * size);
        return DLVIZ_OK;
    }
    const unsigned char *bytes = from;
    for (int64_t i = 0; i < count; i++, bytes += size)
        DLZ_TRY(decode_one(element, load_bits(bytes, size, big_endian), i, to));
    return DLVIZ_OK;
}

void dlz_element_encode(dlviz_dtype dtype, const void *from, int64_t count, void *to) {
    size_t size = kinds[dlz_element_of_dtype(dtype)].size, bytes = (size_t)count * size;
    const unsigned char *source = from;
    unsigned char *target = to;
    if (!DLZ_HOST_IS_BIG_ENDIAN)
        memcpy(target, source, bytes);
    else
        for (size_t i = 0; i < bytes; i++)
            target[i] = source[i / size * size + size - 1 - i % size];
}
