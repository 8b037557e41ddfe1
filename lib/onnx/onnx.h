/* onnx/onnx.h - an ONNX model being made: how a layer (its type's `onnx`, graph/layer.h) says in ONNX's
 * operators what it computes in evaluation.
 *
 * Values have names, which the model owns. A layer asks for those of its inputs and its states, and
 * makes nodes; the one that it makes without a name of its part is its output and has the layer's
 * name. Images are in ONNX's and PyTorch's order: n × channels × height × width.
 *
 * The first failure is kept, and nothing is done after it: a layer need check nothing. */
#ifndef DLZ_ONNX_ONNX_H
#define DLZ_ONNX_ONNX_H

#include "base/base.h"
#include "graph/layer.h"

/* The operators are those of this set; all that layers are made of are in it. */
#define DLZ_ONNX_OPSET 17

/* -- What the layer is ----------------------------------------------------------------------------
 */

/* The shapes of its first input, or of any, and of its output, each of one sample. */
const dlz_shape *dlz_onnx_in(const dlz_onnx *to);
const dlz_shape *dlz_onnx_in_of(const dlz_onnx *to, int input);
const dlz_shape *dlz_onnx_out(const dlz_onnx *to);
int dlz_onnx_num_inputs(const dlz_onnx *to);

/* -- Values ---------------------------------------------------------------------------------------
 */

/* The layer's first input, or any of them. */
const char *dlz_onnx_input(const dlz_onnx *to);
const char *dlz_onnx_input_of(const dlz_onnx *to, int input);
/* A state of the layer by its number (of float32), in its own shape or another of as many numbers. */
const char *dlz_onnx_state(dlz_onnx *to, int index);
const char *dlz_onnx_state_as(dlz_onnx *to, int index, int ndim, const int64_t *dims);
/* The same for a factor of each channel: channels, or channels × 1 × 1 where the input is an image. */
const char *dlz_onnx_channel_state(dlz_onnx *to, int index);
/* Constants, under the layer's name and that of the part: numbers, which are copied, one number
 * alone, one number everywhere, and whole numbers. */
const char *dlz_onnx_numbers(dlz_onnx *to, const char *part, int ndim, const int64_t *dims,
                             const float *values);
const char *dlz_onnx_number(dlz_onnx *to, const char *part, double value);
const char *dlz_onnx_filled(dlz_onnx *to, const char *part, int ndim, const int64_t *dims,
                            float value);
const char *dlz_onnx_integers(dlz_onnx *to, const char *part, int64_t count, const int64_t *values);
/* Whether a model has room for a constant of such elements, to be asked before one that may be large
 * is made; refuses the layer otherwise. */
bool dlz_onnx_can_hold(dlz_onnx *to, int ndim, const int64_t *dims, size_t size);

/* -- Nodes ----------------------------------------------------------------------------------------
 */

/* Attributes of the node that is made next. Pairs are vertical, horizontal. */
void dlz_onnx_set_integer(dlz_onnx *to, const char *name, int64_t value);
void dlz_onnx_set_integers(dlz_onnx *to, const char *name, int64_t count, const int64_t *values);
void dlz_onnx_set_real(dlz_onnx *to, const char *name, double value);
void dlz_onnx_set_text(dlz_onnx *to, const char *name, const char *value);
/* "epsilon", which must not round to 0. */
void dlz_onnx_set_epsilon(dlz_onnx *to, double eps);
/* "pads": rows above, columns to the left; rows below, columns to the right. */
void dlz_onnx_set_pads(dlz_onnx *to, const int64_t before[2], const int64_t after[2]);

/* A node of one output, which is returned. `part` names it inside the layer; NULL: it is the
 * layer's output. */
const char *dlz_onnx_node(dlz_onnx *to, const char *op, const char *part, int num_inputs,
                          const char *const *inputs);
/* The same with the inputs one by one. */
#define DLZ_ONNX_NODE(to, op, part, ...)                                                           \
    dlz_onnx_node(to, op, part,                                                                    \
                  (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)),             \
                  (const char *[]){__VA_ARGS__})
/* The value in another shape of one sample, given in full. */
const char *dlz_onnx_reshape(dlz_onnx *to, const char *part, const char *value, int ndim,
                             const int64_t *dims);
/* Images with rows and columns of a constant (NULL: 0) added before and after, or taken away where the
 * numbers are below 0; the images are of this size. The mode is an attribute; without it, "constant". */
const char *dlz_onnx_pad(dlz_onnx *to, const char *part, const char *images, const int64_t size[2],
                         const int64_t rows[2], const int64_t columns[2], const char *value);
/* In place of a node: the layer's output is its input. */
void dlz_onnx_pass_on(dlz_onnx *to);

/* Instead of all that: why the layer cannot be exported. A message starts after "<type> '<name>': ".
 */
void dlz_onnx_refuse(dlz_onnx *to, const char *format, ...) DLZ_PRINTF(2, 3);
/* The layer got no memory for so many bytes. */
void dlz_onnx_lack_memory(dlz_onnx *to, uint64_t bytes);

/* For `onnx`: a node of the operator, without attributes, of all inputs. */
void dlz_onnx_plain(dlz_onnx *to, const char *op);

#endif
