/* JPEG, through libjpeg (libjpeg-turbo). */
#include "base/reading.h"
#include "data/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum {
    MOST_SCANS = 100,         /* of a progressive file; programs write about ten */
    MOST_PIXELS_A_BYTE = 512, /* at least a bit for each block of 8 x 8 */
    CMYK = 4,
    STRIP = 64,             /* rows that libjpeg holds of each channel, at most */
    LIBRARY_BYTES = 1 << 18 /* what it takes besides, rounded up */
};

static bool is_jpeg(const dlz_image_bytes *file) {
    return file->size >= 3 && memcmp(file->bytes, "\xFF\xD8\xFF", 3) == 0;
}

/* -- Header --------------------------------------------------------------------------------------
 */

enum { SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, APP1 = 0xE1, DHT = 0xC4, JPG = 0xC8, DAC = 0xCC };

/* Those of frames, SOF0 to SOF15, share their numbers with three others. */
static bool begins_frame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != DHT && marker != JPG && marker != DAC;
}

/* RST0 to RST7, TEM. */
static bool stands_alone(int marker) {
    return (marker >= 0xD0 && marker <= 0xD7) || marker == 0x01;
}

static bool is_arithmetic(int marker) {
    return marker >= 0xC9;
}

static int pair_at(const unsigned char *bytes) {
    return bytes[0] << 8 | bytes[1];
}

/* A segment: its marker, and what follows its length. */
typedef struct segment {
    int marker;
    const unsigned char *bytes;
    size_t size;
} segment;

/* The next segment from *at on; false where the bytes end before it does. Whatever is no marker is passed
 * over, as libjpeg does. */
static bool next_segment(const dlz_image_bytes *file, size_t *at, segment *next) {
    for (;;) {
        const unsigned char *bytes = file->bytes;
        while (*at < file->size && bytes[*at] != 0xFF)
            ++*at;
        while (*at < file->size && bytes[*at] == 0xFF)
            ++*at;
        if (*at >= file->size)
            return false;
        next->marker = bytes[(*at)++];
        if (next->marker == 0 || next->marker == SOI || stands_alone(next->marker))
            continue;
        next->size = 0;
        if (next->marker == EOI)
            return true;
        if (file->size - *at < 2)
            return false;
        size_t length = (size_t)pair_at(bytes + *at);
        if (length < 2 || length > file->size - *at)
            return false;
        next->bytes = bytes + *at + 2;
        next->size = length - 2;
        *at += length;
        return true;
    }
}

static void note_orientation(const segment *app1, dlz_image_header *header) {
    if (app1->size > 6 && memcmp(app1->bytes, "Exif\0", 6) == 0)
        header->orientation = dlz_exif_orientation(app1->bytes + 6, app1->size - 6);
}

static dlviz_status read_frame(const dlz_image_bytes *file, const segment *frame,
                               dlz_image_header *header) {
    if (frame->size < 6)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: its frame has %zu bytes", file->name,
                        frame->size);
    if (is_arithmetic(frame->marker))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' is a JPEG with arithmetic coding; Huffman coding is accepted",
                        file->name);
    header->height = pair_at(frame->bytes + 1);
    header->width = pair_at(frame->bytes + 3);
    header->channels = frame->bytes[5] == 1 ? 1 : 3;
    return DLVIZ_OK;
}

static dlviz_status read_header(const dlz_image_bytes *file, dlz_image_header *header) {
    *header = (dlz_image_header){.orientation = 1};
    segment next;
    for (size_t at = 2; next_segment(file, &at, &next);) {
        if (next.marker == APP1 && header->orientation == 1)
            note_orientation(&next, header);
        if (begins_frame(next.marker))
            return read_frame(file, &next, header);
        if (next.marker == SOS || next.marker == EOI)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: it has no frame", file->name);
    }
    return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is cut short within its header", file->name);
}

static int64_t most_pixels(const dlz_image_bytes *file) {
    return (int64_t)file->size * MOST_PIXELS_A_BYTE;
}

/* -- libjpeg -------------------------------------------------------------------------------------
 */

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    const dlz_image_bytes *file;
    dlviz_status status;
    uint8_t *row; /* CMYK before it is converted; NULL where rows are read into the image */
    uint64_t charged;
} decoder;

static decoder *decoder_of(j_common_ptr jpeg) {
    return jpeg->client_data;
}

static void fail(j_common_ptr jpeg) {
    decoder *d = decoder_of(jpeg);
    char reason[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, reason);
    d->status = jpeg->err->msg_code == JERR_OUT_OF_MEMORY
                    ? dlz_fail_memory("reading a JPEG", 0)
                    : dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is damaged: libjpeg says '%s'",
                               d->file->name, reason);
    longjmp(d->back, 1);
}

/* libjpeg only warns where it makes pixels up. Bytes between segments, or a version that it does not know,
 * are no damage. */
static void look_at_warning(j_common_ptr jpeg, int level) {
    if (level >= 0)
        return;
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
        fail(jpeg);
        break;
    default:
        break;
    }
}

static void print_nothing(j_common_ptr jpeg) {
    (void)jpeg;
}

/* A file may ask for any number of passes over all its pixels. */
static void watch_scans(j_common_ptr jpeg) {
    decoder *d = decoder_of(jpeg);
    if (d->jpeg.input_scan_number <= MOST_SCANS)
        return;
    d->status =
        dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has more than %d scans", d->file->name, MOST_SCANS);
    longjmp(d->back, 1);
}

static void begin(decoder *d, const dlz_image_bytes *file) {
    d->file = file;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = fail;
    d->errors.emit_message = look_at_warning;
    d->errors.output_message = print_nothing;
    d->jpeg.client_data = d;
}

/* Adobe's programs, and after them all others, keep CMYK as 255 less what there is of an ink. */
static void convert_cmyk(const uint8_t *from, bool inverted, int64_t width, uint8_t *to) {
    for (int64_t x = 0; x < width; x++, from += CMYK, to += 3) {
        int black = inverted ? from[3] : 255 - from[3];
        for (int c = 0; c < 3; c++) {
            int ink = inverted ? from[c] : 255 - from[c];
            to[c] = (uint8_t)((ink * black + 127) / 255);
        }
    }
}

static void read_rows(decoder *d, const dlz_image *image) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to =
            image->pixels + (int64_t)jpeg->output_scanline * image->width * image->channels;
        JSAMPROW row = d->row ? d->row : to;
        if (jpeg_read_scanlines(jpeg, &row, 1) == 1 && d->row)
            convert_cmyk(d->row, jpeg->saw_Adobe_marker, image->width, to);
    }
}

static J_COLOR_SPACE space_of(const struct jpeg_decompress_struct *jpeg) {
    return jpeg->num_components == 1   ? JCS_GRAYSCALE
           : jpeg->num_components == 4 ? JCS_CMYK
                                       : JCS_RGB;
}

static uint64_t rounded_up(JDIMENSION blocks, int factor) {
    uint64_t f = (uint64_t)factor;
    return f > 0 ? (blocks + f - 1) / f * f : blocks;
}

/* libjpeg takes its memory from malloc: some rows of each channel, and where there are several scans, all
 * coefficients. */
static void charge(decoder *d) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    uint64_t bytes = LIBRARY_BYTES;
    for (int c = 0; c < jpeg->num_components; c++) {
        const jpeg_component_info *component = &jpeg->comp_info[c];
        uint64_t width = rounded_up(component->width_in_blocks, component->h_samp_factor),
                 height = rounded_up(component->height_in_blocks, component->v_samp_factor);
        bytes += (uint64_t)jpeg->image_width * STRIP;
        if (jpeg_has_multiple_scans(jpeg))
            bytes += width * height * sizeof(JBLOCK);
    }
    if (!dlz_reading_charge(bytes))
        ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
    d->charged = bytes;
}

/* All that may jump, and nothing that a jump could leave undone. */
static void decode_pixels(decoder *d, const dlz_image *image) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    if (setjmp(d->back))
        return;
    jpeg_create_decompress(jpeg);
    d->progress.progress_monitor = watch_scans;
    jpeg->progress = &d->progress;
    jpeg_mem_src(jpeg, (unsigned char *)d->file->bytes, (unsigned long)d->file->size);
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = space_of(jpeg);
    jpeg->dct_method = JDCT_ISLOW;
    charge(d);
    jpeg_start_decompress(jpeg);
    bool cmyk = jpeg->out_color_space == JCS_CMYK;
    if (jpeg->output_width != image->width || jpeg->output_height != image->height ||
        jpeg->output_components != (cmyk ? CMYK : (int)image->channels))
        ERREXIT(jpeg, JERR_CONVERSION_NOTIMPL);
    if (cmyk && !(d->row = dlz_alloc_array((uint64_t)image->width, CMYK)))
        ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
    read_rows(d, image);
    jpeg_finish_decompress(jpeg);
}

static dlviz_status decode(const dlz_image_bytes *file, int background, dlz_image *image) {
    (void)background;
    decoder d = {.status = DLVIZ_OK};
    begin(&d, file);
    decode_pixels(&d, image);
    jpeg_destroy_decompress(&d.jpeg);
    dlz_reading_discharge(d.charged);
    dlz_free(d.row);
    return d.status;
}

const dlz_image_format dlz_image_jpeg = {.name = "JPEG",
                                         .library = "libjpeg",
                                         .number = DLVIZ_IMAGE_FORMAT_JPEG,
                                         .is = is_jpeg,
                                         .read_header = read_header,
                                         .most_pixels = most_pixels,
                                         .decode = decode};
