/* data_checks.h - what is wrong with data that were read, or not to be done with them. */
#ifndef RUN_DATA_CHECKS_H
#define RUN_DATA_CHECKS_H

#include "data.h"

/* There are labels from 0 on, of two classes or more. */
dlviz_status check_classes(const struct data *data);
/* The images have as many channels as were asked for. */
dlviz_status check_channels(const struct data *data, const struct options *options);
/* Parts of their own may be of different things. */
dlviz_status check_shapes(const struct data *data);
/* A map can be made of those to test on; `own`: they have not been split off. */
dlviz_status check_test(const struct data *data, bool own);
/* There are two samples or more to train on: of one no batch is made. */
dlviz_status check_train(const struct data *data);

/* Says which shares are not taken: there are parts of their own. */
void say_unused(const struct data *data, const struct options *options, struct terminal *terminal);

#endif
