// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire
// Any bytes as a name's text and as a name's wire form; what is accepted must survive the way back.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[STEER_NAME_TEXT_MAX];
    struct steer_name name;
    struct steer_name again;
    if (steer_name_from_wire(data, size, &name)) {
        steer_name_format(name.octets, text);
        enum steer_err err = steer_name_parse(text, NULL, &again, NULL);
        assert(err == STEER_OK);
        assert(again.len == name.len && memcmp(again.octets, name.octets, name.len) == 0);
    }
    char *input = malloc(size + 1);
    if (!input)
        abort();
    if (size)
        memcpy(input, data, size);
    input[size] = '\0';
    static const struct steer_name origin = {9, 1, "\7example"};
    if (steer_name_parse(input, &origin, &name, NULL) == STEER_OK) {
        steer_name_format(name.octets, text);
        assert(steer_name_parse(text, NULL, &again, NULL) == STEER_OK);
        assert(again.len == name.len && memcmp(again.octets, name.octets, name.len) == 0);
        assert(steer_name_compare(name.octets, again.octets) == 0);
    }
    free(input);
    return 0;
}
