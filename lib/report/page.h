/* report/page.h - the page's template, in parts; page.py makes them of page.html. */
#ifndef DLZ_REPORT_PAGE_H
#define DLZ_REPORT_PAGE_H

#include <stddef.h>

/* What is written behind a part. */
typedef enum dlz_page_mark {
    DLZ_PAGE_TITLE,
    DLZ_PAGE_NOSCRIPT,
    DLZ_PAGE_DATA,
    DLZ_PAGE_SPRITE,
    DLZ_PAGE_END,
} dlz_page_mark;

typedef struct dlz_page_part {
    const unsigned char *bytes;
    size_t size;
    dlz_page_mark mark;
} dlz_page_part;

/* The last one ends with DLZ_PAGE_END. */
extern const dlz_page_part dlz_page[];

/* What stands before the data and the sprite in the page, and behind each of them. */
#define DLZ_PAGE_DATA_BEGINS "<script type=\"application/json\" id=\"data\">"
#define DLZ_PAGE_SPRITE_BEGINS "<script type=\"text/plain\" id=\"sprite\">"
#define DLZ_PAGE_ENDS "</script>"

#endif
