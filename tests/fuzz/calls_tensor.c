/* Calls of dlviz/tensor.h. */
#include "calls.h"

#include <stdlib.h>

static int num_wrapped;
static int64_t wrapped_numbers[4][64];

static void unwrap(void *data, void *user) {
    require(data == user, "a release gets what was wrapped");
    num_wrapped--;
}

static void make_tensor(void) {
    int ndim = one_in(12) ? (int)an_index() : 1 + (int)below(4);
    int64_t dims[DLVIZ_MAX_DIMS + 1];
    for (int d = 0; d <= DLVIZ_MAX_DIMS; d++)
        dims[d] = ndim > 4 && !one_in(30) ? 1 + below(2) : a_size();
    if (one_in(8)) {
        dlviz_dtype dtype = (dlviz_dtype)an_enum(3);
        MAKE(tensor, dlviz_tensor_create(out, dtype, ndim, one_in(40) ? NULL : dims));
        return;
    }
    dlviz_dtype dtype = (dlviz_dtype)below(3);
    filling fill = (filling)below(6);
    if (ndim >= 1 && ndim <= 4) {
        dlviz_tensor *made = new_tensor(dtype, ndim, dims, fill);
        if (made)
            keep_tensor(made);
    }
}

/* Samples as datasets want them. */
static void make_samples(void) {
    int64_t dims[4] = {few_rows(), 1 + below(3), 3 + below(8), 3 + below(8)};
    int ndim = (int[]){2, 3, 4, 4}[below(4)];
    dlviz_tensor *made = new_tensor(a_bool() ? DLVIZ_UINT8 : DLVIZ_FLOAT32, ndim, dims,
                                    one_in(20) ? FILL_HOSTILE : FILL_SHARES);
    if (made)
        keep_tensor(made);
}

static void wrap(void) {
    const int64_t dims[] = {2 + below(4), 2, 2};
    int64_t *data = wrapped_numbers[below(4)];
    dlviz_dtype dtype = (dlviz_dtype)an_enum(3);
    void *at = one_in(16) ? (char *)data + 1 : (char *)data;
    dlviz_tensor *made = NOT_MADE;
    dlviz_status status = CALL(dlviz_tensor_wrap(&made, dtype, 1 + (int)below(3), dims,
                                                 one_in(30) ? NULL : at, unwrap, at));
    if (was_made(status, true, made)) {
        num_wrapped++;
        keep_tensor(made);
    }
}

static void copy_data(void) {
    static const float data[64] = {1, 2, 3};
    const int64_t dims[] = {below(5), below(5), 2};
    dlviz_dtype dtype = (dlviz_dtype)an_enum(2);
    MAKE(tensor, dlviz_tensor_from_data(out, dtype, (int)below(4), one_in(20) ? NULL : dims,
                                        one_in(20) ? NULL : data));
}

static void reshape(void) {
    dlviz_tensor *tensor = a_tensor();
    int64_t count = dlviz_tensor_num_elements(tensor);
    int64_t dims[DLVIZ_MAX_DIMS + 1] = {count, 1, 1, 1, 1, 1, 1, 1, 1};
    if (a_bool())
        dims[below(9)] = a_bool() ? -1 : a_size();
    if (one_in(4) && count % 2 == 0) {
        dims[0] = 2;
        dims[1] = count / 2;
    }
    int ndim = (int)below(11) - 1;
    MAKE(tensor, dlviz_tensor_reshape(tensor, ndim, one_in(40) ? NULL : dims, out));
}

static void resize(void) {
    int64_t height = a_size(), width = a_size();
    const dlviz_tensor *images = a_tensor();
    if (dlviz_tensor_num_elements(images) > 4096 || (height > 256 && width > 256))
        return;
    MAKE(tensor, dlviz_tensor_resize(images, height, width, out));
}

static void see_any_tensor(void) {
    dlviz_tensor *tensor = a_tensor();
    see_tensor(tensor);
    require(!tensor == !dlviz_tensor_data(tensor) || dlviz_tensor_num_elements(tensor) == 0,
            "data of a tensor");
    require((dlviz_tensor_float(tensor) != NULL) == (dlviz_tensor_const_float(tensor) != NULL),
            "both say whether it is float32");
    int axis = (int)an_int();
    require(dlviz_tensor_dim(tensor, axis) >= 0, "a size");
    dlviz_dtype dtype = (dlviz_dtype)an_enum(3);
    see_text(dlviz_dtype_name(dtype));
    require(dlviz_dtype_size(dtype) <= 8, "the size of an element");
}

/* With or without offsets; both are given, or none. */
static void read_shifted(void) {
    dlviz_tensor *made = NOT_MADE, *offsets = NOT_MADE;
    bool with_offsets = a_bool();
    dlviz_status status;
    if (a_bool()) {
        const char *path = a_path();
        status = CALL(dlviz_tensor_read_npy_shifted(&made, path, with_offsets ? &offsets : NULL));
    } else {
        blob file = a_blob();
        status = CALL(dlviz_tensor_read_npy_shifted_memory(&made, file.bytes, file.size,
                                                           with_offsets ? &offsets : NULL));
    }
    if (with_offsets && was_made(status, true, offsets))
        keep_tensor(offsets);
    if (was_made(status, true, made))
        keep_tensor(made);
}

void call_tensor(void) {
    dlviz_tensor *tensor;
    blob file;
    const char *path;
    switch (below(20)) {
    case 0:
    case 1:
        make_tensor();
        break;
    case 2:
    case 3:
    case 4:
        make_samples();
        break;
    case 5:
        wrap();
        break;
    case 6:
        copy_data();
        break;
    case 7:
        reshape();
        break;
    case 8: {
        tensor = a_tensor();
        int64_t first = an_index(), count = a_size();
        MAKE(tensor, dlviz_tensor_slice(tensor, first, count, out));
        break;
    }
    case 9:
        tensor = a_tensor();
        MAKE(tensor, dlviz_tensor_copy(tensor, out));
        break;
    case 10: {
        tensor = a_tensor();
        dlviz_dtype dtype = (dlviz_dtype)an_enum(3);
        MAKE(tensor, dlviz_tensor_convert(tensor, dtype, out));
        break;
    }
    case 11:
        resize();
        break;
    case 12:
        see_any_tensor();
        break;
    case 13:
        read_shifted();
        break;
    case 14:
        path = a_path();
        if (a_bool())
            MAKE(tensor, dlviz_tensor_read_npy(out, path));
        else
            MAKE(tensor, dlviz_tensor_map_npy(out, path));
        break;
    case 15:
        file = a_blob();
        MAKE(tensor, dlviz_tensor_read_npy_memory(out, file.bytes, file.size));
        break;
    case 16:
        tensor = a_tensor();
        path = a_path();
        (void)CALL(dlviz_tensor_write_npy(tensor, path));
        break;
    case 17:
        tensor = a_tensor();
        WRITE(dlviz_tensor_write_npy_memory(tensor, bytes, size));
        break;
    case 18:
        tensor = a_tensor();
        MAKE(tensor, dlviz_tensor_argmax(tensor, out));
        break;
    default:
        drop_tensor();
    }
}
