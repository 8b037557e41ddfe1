/* metrics/predictions.h - what the measures of predictions share. */
#ifndef DLZ_METRICS_PREDICTIONS_H
#define DLZ_METRICS_PREDICTIONS_H

#include "tensor/tensor.h"

#include <dlviz/metrics.h>

/* Fails unless the predictions are n x C scores or n labels, n being 1 or more, with a label each. */
dlviz_status dlz_require_predictions(const char *who, const dlviz_tensor *predictions,
                                     const dlviz_tensor *labels);
/* The same, where they have to be scores. */
dlviz_status dlz_require_class_scores(const char *who, const char *name, const dlviz_tensor *scores,
                                      const dlviz_tensor *labels);
/* The class that was predicted: of the largest score, the first one of equal ones. */
int64_t dlz_predicted(const dlviz_tensor *predictions, int64_t i);
/* Fails unless all labels and predictions are below *num_classes, and none below 0; a 0 becomes the
 * fewest classes that hold all of them. */
dlviz_status dlz_require_classes(const char *who, const dlviz_tensor *predictions,
                                 const dlviz_tensor *labels, int64_t *num_classes);
dlviz_status dlz_require_average(const char *who, dlviz_average average);
/* Fails with DLVIZ_ERROR_NUMERIC, naming the place, unless all numbers of a float32 tensor are
 * finite. */
dlviz_status dlz_require_finite(const char *who, const char *name, const dlviz_tensor *tensor);

#endif
