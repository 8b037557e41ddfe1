#include "base/entropy.h"
#include "base/cancel.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t dlz_entropy(void) {
    static atomic_uint_fast64_t calls;
    uint64_t number;
    DLZ_NOT_CANCELLED; /* getrandom may be where a thread ends */
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number)
        return number;
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec * 1000003u + (uint64_t)getpid() * 65537u +
           atomic_fetch_add(&calls, 1);
}
