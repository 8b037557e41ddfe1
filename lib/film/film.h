/* film/film.h - the inside of a film. */
#ifndef DLZ_FILM_H
#define DLZ_FILM_H

#include "base/busy.h"

#include <dlviz/film.h>

#define DLZ_FILM_FRAMES 12     /* that a training is shown in, at most */
#define DLZ_FILM_COMPONENTS 50 /* of the features that are kept, at most */

typedef struct dlz_film_maps {
    dlviz_tensor *pca, *tsne; /* n x dimensions; NULL before a fit */
    double divergence;
} dlz_film_maps;

typedef struct dlz_frame {
    int64_t epoch;
    dlviz_tensor *components; /* n x k */
    dlviz_tensor *outputs;    /* n x C, or NULL */
    dlz_film_maps maps;
} dlz_frame;

struct dlviz_film {
    dlz_busy busy;
    int64_t later_iterations; /* 0: as many as for the first frame */
    int64_t count, room;
    dlz_frame *frames;
};

/* The epochs of such a training that a film shows, rising; returns how many. */
int64_t dlz_film_epochs(int64_t num_epochs, int64_t epochs[DLZ_FILM_FRAMES]);
void dlz_film_forget_maps(dlz_film_maps *maps);
void dlz_film_clear_frame(dlz_frame *frame);
/* Room for one frame more than there are. */
dlviz_status dlz_film_grow(dlviz_film *film);

#endif
