// SPDX-License-Identifier: GPL-3.0-or-later
// links: base wire rr geo health policy
// Any text gives a document or one error; what was accepted comes back from its JSON as it was.
#include <stdlib.h>
#include <string.h>

#include "steerd/policy/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store_and_load(const struct steer_object *object)
{
    const struct steer_name *zone = object->kind == STEER_STEERED ? &object->steered.zone : NULL;
    struct steer_object *copy;
    struct steer_diag diag;
    if (steer_object_from_json(object->kind, object->name, object->document, object->json, zone,
                               &copy, &diag))
        abort();
    if (copy->hash != object->hash || strcmp(copy->json, object->json) != 0)
        abort();
    steer_object_unref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steer_document *document;
    struct steer_diag diag;
    if (steer_document_parse((const char *)data, size, "fuzz", "fuzz.yaml", &document, &diag))
        return 0;
    for (uint32_t i = 0; i < document->object_count; i++)
        store_and_load(document->objects[i]);
    for (uint32_t z = 0; z < document->zone_count; z++)
        for (uint32_t i = 0; i < document->zones[z].steered_count; i++)
            store_and_load(document->zones[z].steered[i]);
    steer_document_destroy(document);
    return 0;
}
