/* network/snapshot.h - a copy of all states of a network: an average of them, or the best so far. */
#ifndef DLZ_NETWORK_SNAPSHOT_H
#define DLZ_NETWORK_SNAPSHOT_H

#include "network/network.h"

/* Laid out as the network's own. All zero: there is none. */
typedef struct dlz_snapshot {
    float *parameters;
    char *buffers;
} dlz_snapshot;

/* Room for one, where there is none yet. */
dlviz_status dlz_snapshot_create(dlz_snapshot *snapshot, const dlviz_network *network);
void dlz_snapshot_release(dlz_snapshot *snapshot);

void dlz_snapshot_take(dlz_snapshot *snapshot, const dlviz_network *network);
/* Takes another one of the same network. */
void dlz_snapshot_copy(dlz_snapshot *snapshot, const dlz_snapshot *from,
                       const dlviz_network *network);
/* Puts it in the place of the network's states. The gradients are then those of other parameters. */
void dlz_snapshot_put(const dlz_snapshot *snapshot, dlviz_network *network);
void dlz_snapshot_exchange(dlz_snapshot *snapshot, dlviz_network *network);
/* Moves each number by (1 − decay) of the way to the network's; counters are copied. With all
 * threads. */
void dlz_snapshot_approach(dlz_snapshot *snapshot, const dlviz_network *network, double decay);

/* -- In files: a tensor for each state, "<prefix><state>" ---------------------------------------
 */

dlviz_status dlz_snapshot_add(const dlz_snapshot *snapshot, const dlviz_network *network,
                              const char *prefix, struct dlviz_safetensors *set);
/* Whether a tensor of this name can be one of those. */
bool dlz_snapshot_owns(const dlviz_network *network, const char *prefix, const char *name);
/* Reads and checks one as states are. On failure there is none. */
dlviz_status dlz_snapshot_read(dlz_snapshot *snapshot, const dlviz_network *network,
                               const char *prefix, const struct dlviz_safetensors *set);

/* A block of numbers that is laid out as the network's parameters, as a tensor for each of them. */
dlviz_status dlz_network_add_block(const dlviz_network *network, float *block, const char *prefix,
                                   struct dlviz_safetensors *set);
/* Reads such a block, which is to be freed; all of it finite. *block is NULL on failure. */
dlviz_status dlz_network_read_block(const dlviz_network *network, const char *prefix,
                                    const struct dlviz_safetensors *set, float **block);

#endif
