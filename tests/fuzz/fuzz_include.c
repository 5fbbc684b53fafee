// SPDX-License-Identifier: GPL-3.0-or-later
// links: cli rr
// Any bytes as a zone of up to four files, apart by the octet 0x1e; files 1 to 3 are called so. A text that is made of
// them must have no directive left that the reader of master files sees, and each of its lines is one of a file.
#include <assert.h>
#include <string.h>

#include "cli/cli_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/zonefile.h"

enum { FILES = 4, TEXT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
    const char *text;
    size_t len;
};

static void set_file(struct cli_zone_file *file, const char *name, const struct part *part)
{
    file->shown = steer_strdup(name);
    file->real = steer_strdup(name);
    steer_buf_add(&file->text, part->text, part->len);
}

static enum steer_err read_part(void *ctx, const char *including, const char *name,
                                struct cli_zone_file *file, struct steer_diag *diag)
{
    const struct part *parts = ctx;
    assert(*including);
    if (*name < '1' || *name >= '0' + FILES || name[1])
        return steer_diag_set(diag, STEER_EIO, "no such file");
    set_file(file, name, &parts[*name - '0']);
    return STEER_OK;
}

static uint32_t count_lines(const char *text, size_t len)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    return lines;
}

static void check_places(const struct cli_zone_text *zone)
{
    uint32_t lines = count_lines(zone->text.data, zone->text.len);
    for (size_t i = 1; i < zone->span_count; i++)
        assert(zone->spans[i - 1].line <= zone->spans[i].line);
    for (uint32_t line = 1; line < lines; line++) {
        struct cli_zone_place place;
        assert(cli_zone_text_place(zone, line, 1, &place));
        const struct cli_zone_file *file = zone->files;
        while (file->shown != place.file)
            file++;
        assert(place.line && place.line <= count_lines(file->text.data, file->text.len));
    }
}

static int take(void *ctx, const struct steer_rr *rr)
{
    (void)ctx;
    (void)rr;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct steer_name origin = {3, 1, "\1z"};
    struct part parts[FILES] = {{.text = (const char *)data}};
    unsigned count = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0x1e && count + 1 < FILES)
            parts[++count].text = (const char *)data + i + 1;
        else
            parts[count].len++;
    }
    for (unsigned i = count + 1; i < FILES; i++)
        parts[i].text = "";
    const struct cli_zone_reader reader = {read_part, parts, TEXT_MAX, true};
    struct cli_zone_file top = {0};
    struct cli_zone_text zone = {0};
    struct steer_diag diag = {0};
    set_file(&top, "0", &parts[0]);
    if (cli_zone_expand(&top, "z", &reader, &zone, &diag) == STEER_OK) {
        enum steer_err err =
            steer_zonefile_read(zone.text.data ? zone.text.data : "", zone.text.len, "fuzz",
                                &origin, 300, NULL, take, NULL, &diag);
        // A byte order mark is passed over where it comes to stand first, and hides a directive elsewhere.
        bool marked = zone.text.len && *zone.text.data == '\xef';
        assert(err == STEER_OK || marked || strncmp(diag.message, "$INCLUDE ", 9) != 0);
        if (zone.span_count)
            check_places(&zone);
    } else {
        assert(diag.line && diag.file[0] && diag.message[0]);
    }
    cli_zone_text_fini(&zone);
    return 0;
}
