// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a fuzz target over every file of the folders given: the corpora as ordinary tests, in builds
// without libFuzzer. Exit status 0 means that the target came back from each.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t used = 0;
    size_t cap = 1 << 16;
    uint8_t *data = malloc(cap);
    while (data) {
        used += fread(data + used, 1, cap - used, file);
        if (used < cap)
            break;
        data = realloc(data, cap *= 2);
    }
    fclose(file);
    if (!data)
        abort();
    // An exact copy, so that the address sanitizer sees a read past the end.
    uint8_t *exact = malloc(used ? used : 1);
    if (!exact)
        abort();
    memcpy(exact, data, used);
    LLVMFuzzerTestOneInput(exact, used);
    free(exact);
    free(data);
}

int main(int argc, char **argv)
{
    unsigned replayed = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            perror(argv[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            replay_file(path);
            replayed++;
        }
        closedir(dir);
    }
    printf("%u inputs replayed\n", replayed);
    return replayed ? 0 : 1;
}
