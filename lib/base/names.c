/* A table with open addressing. Names come from files, whose authors must not be able to choose names that
 * all land in one place: so the hash is SipHash-1-3 (Aumasson and Bernstein, 2012) with a key of each
 * table's own. */
#include "base/names.h"
#include "base/base.h"
#include "base/entropy.h"

#include <string.h>

enum { FEWEST_SLOTS = 16 };

typedef struct slot {
    const char *name; /* NULL: free */
    int64_t number;
} slot;

struct dlz_names {
    uint64_t key[2], count,
        num_slots; /* slots: a power of two, at most three quarters of them in use */
    slot *slots;
};

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash(const uint64_t key[2], const char *name) {
    size_t length = strlen(name);
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    uint64_t word, rest = (uint64_t)length << 56;
    for (; length >= sizeof word; length -= sizeof word, name += sizeof word) {
        memcpy(&word, name, sizeof word);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < length; i++)
        rest |= (uint64_t)(unsigned char)name[i] << 8 * i;
    v[3] ^= rest;
    mix(v);
    v[0] ^= rest;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot of a name, or the free one in which it would be. */
static slot *place_of(const dlz_names *names, const char *name) {
    uint64_t last = names->num_slots - 1, at = hash(names->key, name) & last;
    while (names->slots[at].name && strcmp(names->slots[at].name, name) != 0)
        at = (at + 1) & last;
    return &names->slots[at];
}

static bool resize(dlz_names *names, uint64_t num_slots) {
    slot *before = names->slots, *slots = dlz_alloc_array_zero(num_slots, sizeof *slots);
    if (!slots)
        return false;
    uint64_t num_before = names->num_slots;
    names->slots = slots;
    names->num_slots = num_slots;
    for (uint64_t i = 0; i < num_before; i++)
        if (before[i].name)
            *place_of(names, before[i].name) = before[i];
    dlz_free(before);
    return true;
}

static bool is_full(uint64_t count, uint64_t num_slots) {
    return count > num_slots / 4 * 3;
}

bool dlz_names_expect(dlz_names **names, uint64_t count) {
    if (!*names) {
        dlz_names *made = dlz_alloc_zero(sizeof *made);
        if (!made)
            return false;
        made->key[0] = dlz_entropy();
        made->key[1] = dlz_entropy();
        *names = made;
    }
    uint64_t num_slots = FEWEST_SLOTS;
    while (is_full(count, num_slots) && num_slots < UINT64_MAX / 4)
        num_slots *= 2;
    return num_slots <= (*names)->num_slots || resize(*names, num_slots);
}

bool dlz_names_add(dlz_names **names, const char *name, int64_t number) {
    if (!dlz_names_expect(names, *names ? (*names)->count + 1 : 1))
        return false;
    slot *place = place_of(*names, name);
    (*names)->count += !place->name;
    *place = (slot){place->name ? place->name : name, number};
    return true;
}

int64_t dlz_names_find(const dlz_names *names, const char *name) {
    const slot *found = names && name && names->count > 0 ? place_of(names, name) : NULL;
    return found && found->name ? found->number : -1;
}

void dlz_names_clear(dlz_names *names) {
    if (!names)
        return;
    memset(names->slots, 0, (size_t)names->num_slots * sizeof *names->slots);
    names->count = 0;
}

void dlz_names_free(dlz_names *names) {
    if (names)
        dlz_free(names->slots);
    dlz_free(names);
}
