/* dlviz/custom_layer.h - a layer of your own, made of functions: shapes and state, forward,
 * backward.
 *
 * examples/custom_layer.c is one that is complete.
 *
 * The functions are called on the thread that called the library, one at a time, and the library
 * holds no lock meanwhile: they may use any other handles of the library, but not the network that
 * they run in, nor what trains it. They must return: no exception and no longjmp may leave them.
 * A status other than DLVIZ_OK ends the call that they run in, which returns it; they say why with
 * dlviz_fail, and the sentence names the layer and the function. */
#ifndef DLVIZ_CUSTOM_LAYER_H
#define DLVIZ_CUSTOM_LAYER_H

#include <dlviz/layer.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a layer's `setup` learns of its inputs, and where it says what the layer is. Valid during
 *  that call alone. */
typedef struct dlviz_layer_setup dlviz_layer_setup;

/** What `forward` and `backward` work on: one batch. Valid, with all its tensors, during that call
 *  alone. */
typedef struct dlviz_layer_pass dlviz_layer_pass;

/** What a layer of your own does. Write it with designated initializers, so that what a later
 *  version adds is 0, which stands for what the library does today. */
typedef struct dlviz_layer_functions {
    /** sizeof(dlviz_layer_functions): tells the library which version of the table it is. */
    size_t struct_size;
    /** What kind of layer it is: UTF-8, not empty; copied. Summaries, messages and files call it
     *  that. Files know nothing else of what the layer does: let settings that a network must share
     *  with its file be part of the name ("power-3") or of the state. */
    const char *name;
    /** How many layers it reads. Both 0: one. max_inputs 0: as min_inputs; INT_MAX: any number. */
    int min_inputs, max_inputs;
    /** Optional: called once, when the network is built, to say what the output's shape is and what
     *  state the layer has. Without it, the output has the first input's shape, and there is
     *  none. */
    dlviz_status (*setup)(dlviz_layer_setup *setup, void *user);
    /** Computes the output of a batch from the inputs and the state: a function of these, the seed,
     *  the step and the mode alone, or results will not repeat. Evaluation comes in batches of 64
     *  samples at most, but for dlviz_network_input_gradient, whose inputs are one batch; training
     *  in those that the caller chose. */
    dlviz_status (*forward)(const dlviz_layer_pass *pass, void *user);
    /** Optional: computes from the gradient of the loss with respect to the output those with
     *  respect to the inputs and the parameters. It comes after `forward` on the same batch, with
     *  no other batch between. Without it, a backward pass that reaches the layer is
     *  DLVIZ_ERROR_UNSUPPORTED. */
    dlviz_status (*backward)(const dlviz_layer_pass *pass, void *user);
    /** Optional: called once when the layer is destroyed, from dlviz_network_destroy, say. */
    void (*destroy)(void *user);
} dlviz_layer_functions;

/** A layer that computes what `functions` do.
 *  @param functions copied. A table that is smaller than this version's is one of an earlier
 *                   version; one that is larger is refused unless all that this version does not
 *                   know is 0.
 *  @param user      handed to all functions. It belongs to the layer from now on, also when this
 *                   fails, unless `functions` cannot be read (NULL, or an impossible struct_size).
 *                   What is wrong with the table the layer remembers, as other layers do
 *                   (DLVIZ_ERROR_INVALID_ARGUMENT at dlviz_network_add). Returns NULL when out of
 *                   memory.
 *
 *  A network file holds the name and the state of the layer: dlviz_network_load compares them.
 *  dlviz_network_open cannot make it: it is DLVIZ_ERROR_FORMAT there. */
DLVIZ_API dlviz_layer *dlviz_layer_custom(const dlviz_layer_functions *functions, void *user);

/* -- In `setup` --------------------------------------------------------------------------------
 *
 * The first failure of these calls ends the build with its sentence, whatever `setup` returns. */

/** The number of inputs, 1 or more; 0 for NULL. */
DLVIZ_API int64_t dlviz_layer_setup_num_inputs(const dlviz_layer_setup *setup);
/** The shape of one sample of input 0 … num_inputs − 1: 3 dimensions (channels, height, width) or
 *  1. 0 and NULL for an input that there is not. */
DLVIZ_API int dlviz_layer_setup_input_ndim(const dlviz_layer_setup *setup, int64_t input);
DLVIZ_API const int64_t *dlviz_layer_setup_input_dims(const dlviz_layer_setup *setup,
                                                      int64_t input);

/** Sets the shape of one sample of the output, which is the first input's otherwise.
 *  @param ndim 3 (channels, height, width) or 1
 *  @param dims ndim sizes, each 1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_API dlviz_status dlviz_layer_setup_set_output(dlviz_layer_setup *setup, int ndim,
                                                    const int64_t *dims);

/** Adds a parameter, which is trained: "<layer>.<name>" among the network's states.
 *  @param name   UTF-8, not empty, without '.', unique in the layer; copied
 *  @param ndim   0 to 4
 *  @param dims   ndim sizes, each 1 or more
 *  @param value  what its numbers start around: each is drawn from U(value − bound, value + bound)
 *  @param bound  0 or more; 0: all are `value`
 *  A layer has 8 parameters and buffers at most. Returns DLVIZ_ERROR_INVALID_ARGUMENT or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_layer_setup_add_parameter(dlviz_layer_setup *setup, const char *name,
                                                       int ndim, const int64_t *dims, double value,
                                                       double bound);
/** Adds a buffer, as running statistics are: state that is kept in files, not trained, and written
 *  by `forward` itself (dlviz_layer_pass_buffer). All its numbers start at `value`; otherwise as
 *  dlviz_layer_setup_add_parameter. */
DLVIZ_API dlviz_status dlviz_layer_setup_add_buffer(dlviz_layer_setup *setup, const char *name,
                                                    int ndim, const int64_t *dims, double value);

/* -- In `forward` and `backward` ----------------------------------------------------------------
 *
 * All tensors are float32, those of a batch in PyTorch's order: n × channels × height × width, or
 * n × d. They belong to the library. Those to be written are all 0 when a function is called.
 * Getters give NULL, 0 or false for what there is not, also for a NULL pass. */

/** The samples of the batch: the first dimension of inputs and output. */
DLVIZ_API int64_t dlviz_layer_pass_num_samples(const dlviz_layer_pass *pass);
/** The number of inputs. */
DLVIZ_API int64_t dlviz_layer_pass_num_inputs(const dlviz_layer_pass *pass);
/** Input 0 … num_inputs − 1. */
DLVIZ_API const dlviz_tensor *dlviz_layer_pass_input(const dlviz_layer_pass *pass, int64_t input);
/** The output: forward, to be written; backward, what forward wrote, to be left as it is. */
DLVIZ_API dlviz_tensor *dlviz_layer_pass_output(const dlviz_layer_pass *pass);
/** Backward: the gradient with respect to the output. */
DLVIZ_API const dlviz_tensor *dlviz_layer_pass_output_gradient(const dlviz_layer_pass *pass);
/** Backward: the gradient with respect to an input, to be written; NULL when none is wanted, as
 *  that of the network's input. */
DLVIZ_API dlviz_tensor *dlviz_layer_pass_input_gradient(const dlviz_layer_pass *pass,
                                                        int64_t input);

/** A parameter or buffer, by the name that `setup` gave it. */
DLVIZ_API const dlviz_tensor *dlviz_layer_pass_state(const dlviz_layer_pass *pass,
                                                     const char *name);
/** Forward in training: a buffer, to be written, with the numbers it has. When the step fails later
 *  on, the library puts the earlier ones back. */
DLVIZ_API dlviz_tensor *dlviz_layer_pass_buffer(const dlviz_layer_pass *pass, const char *name);
/** Backward: the gradient with respect to a parameter, summed over the batch, to be written; NULL
 *  when none is wanted. */
DLVIZ_API dlviz_tensor *dlviz_layer_pass_state_gradient(const dlviz_layer_pass *pass,
                                                        const char *name);

/** Whether the network trains: batch norm uses the batch's statistics and dropout drops. */
DLVIZ_API bool dlviz_layer_pass_is_training(const dlviz_layer_pass *pass);
/** In training: what random numbers are to depend on, beside the place in the batch. */
DLVIZ_API uint64_t dlviz_layer_pass_seed(const dlviz_layer_pass *pass);
DLVIZ_API uint64_t dlviz_layer_pass_step(const dlviz_layer_pass *pass);

#ifdef __cplusplus
}
#endif
#endif
