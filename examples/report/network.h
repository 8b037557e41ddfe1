/* network.h - the ConvNet of the report. */
#ifndef REPORT_NETWORK_H
#define REPORT_NETWORK_H

#include <dlviz.h>

/* Two blocks of two 3 x 3 convolutions, each with batch norm and relu, then pool and dropout; then
 * a hidden layer of 512 and ten outputs. 2,169,194 parameters for images of 32 x 32. */
dlviz_status report_network_create(dlviz_network **network, int64_t image_size, uint64_t seed);

#endif
