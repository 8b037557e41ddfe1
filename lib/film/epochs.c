/* Which epochs of a training a film shows. */
#include "base/base.h"
#include "film/film.h"

#include <math.h>

/* 0, 1, 2, 3, 5, 8 … as long as these and the last one are no more than a film has. */
#define LONGEST_BY_SUMS 144

static int64_t list_sums(int64_t num_epochs, int64_t *epochs) {
    int64_t count = 1, before = 1, next = 1;
    for (epochs[0] = 0; next < num_epochs; count++) {
        int64_t sum = before + next;
        epochs[count] = next;
        before = next;
        next = sum;
    }
    if (num_epochs > 0)
        epochs[count++] = num_epochs;
    return count;
}

int64_t dlz_film_epochs(int64_t num_epochs, int64_t epochs[DLZ_FILM_FRAMES]) {
    if (num_epochs <= LONGEST_BY_SUMS)
        return list_sums(num_epochs, epochs);
    enum { STEPS = DLZ_FILM_FRAMES - 2 };
    epochs[0] = 0;
    for (int k = 0; k < STEPS; k++)
        epochs[k + 1] = (int64_t)llround(pow((double)num_epochs, (double)k / STEPS));
    epochs[STEPS + 1] = num_epochs;
    return DLZ_FILM_FRAMES;
}

bool dlviz_film_wants(int64_t epoch, int64_t num_epochs) {
    int64_t epochs[DLZ_FILM_FRAMES];
    int64_t count = num_epochs < 0 ? 0 : dlz_film_epochs(num_epochs, epochs);
    for (int64_t i = 0; i < count; i++)
        if (epochs[i] == epoch)
            return true;
    return false;
}
