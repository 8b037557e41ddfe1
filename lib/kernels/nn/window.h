/* kernels/nn/window.h - which of a 2 × 2 max pool's four numbers wins, the same wherever it is
 * decided.
 *
 * After a batch norm the winner is decided on the numbers before it, by the sign of its weight
 * alone: where it is negative the smallest wins, where it is 0 all are equal and the first wins. So
 * equal numbers stay equal however the batch norm's own arithmetic is compiled, and it need not be
 * done four times. */
#ifndef DLZ_KERNELS_NN_WINDOW_H
#define DLZ_KERNELS_NN_WINDOW_H

#include "isa/isa.h"

typedef struct dlz_winner {
    dlz_vi flip;  /* the sign bit where the smallest wins */
    dlz_vi equal; /* all ones where the numbers count as equal */
} dlz_winner;

/* All 0 stands for a pool without a batch norm before it. */
DLZ_INLINE dlz_winner dlz_winner_after(dlz_v weight) {
    dlz_v zero = {0};
    return (dlz_winner){(dlz_vi)(weight < zero) & INT32_MIN, (dlz_vi)(weight == zero)};
}

/* The winner and its place, 0 … 3: the first among equals. NaN wins, as does an infinity that a
 * weight of 0 will make NaN. */
DLZ_INLINE dlz_v dlz_window_winner(const dlz_v window[4], dlz_winner winner, dlz_vi *place) {
    dlz_v best = (dlz_v)((dlz_vi)window[0] ^ winner.flip);
    *place = (dlz_vi){0};
    for (int i = 1; i < 4; i++) {
        dlz_v value = (dlz_v)((dlz_vi)window[i] ^ winner.flip);
        dlz_v none = value - value; /* NaN for an infinity too */
        dlz_vi wins = ((dlz_vi)(value > best) & ~winner.equal) | (dlz_vi)(value != value) |
                      ((dlz_vi)(none != none) & winner.equal);
        best = dlz_select(wins, value, best);
        *place = (wins & (i - (dlz_vi){0})) | (~wins & *place);
    }
    return (dlz_v)((dlz_vi)best ^ winner.flip);
}

#endif
