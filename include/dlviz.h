/* dlviz.h - train small ConvNets and look at what they learned: the one header to include.
 *
 * Every type is opaque. Every call that can fail returns a dlviz_status (0 is success) and gives
 * its result through an out parameter, which is NULL after a failure; dlviz_last_error() then says
 * in a sentence what was wrong. A function that creates or reads a handle has its out parameter
 * first; one that makes something of a handle has it last. Functions that return a value instead of
 * a status need a handle that is not NULL. Different handles may be used from different threads at
 * the same time; one handle by one thread at a time, unless its function says otherwise. */
#ifndef DLVIZ_H
#define DLVIZ_H

#include <dlviz/version.h>
#include <dlviz/status.h>
#include <dlviz/runtime.h>
#include <dlviz/tensor.h>
#include <dlviz/safetensors.h>
#include <dlviz/dataset.h>
#include <dlviz/loader.h>
#include <dlviz/layer.h>
#include <dlviz/custom_layer.h>
#include <dlviz/network.h>
#include <dlviz/optimizer.h>
#include <dlviz/schedule.h>
#include <dlviz/trainer.h>
#include <dlviz/pca.h>
#include <dlviz/tsne.h>
#include <dlviz/metrics.h>
#include <dlviz/plot.h>

#endif
