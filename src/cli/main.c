// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli_internal.h"

int main(int argc, char **argv)
{
    return cli_run(argc - 1, argv + 1);
}
