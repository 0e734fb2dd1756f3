/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Prints the cost of a bare verification in nanoseconds of CPU time per token.
 * Verifies each token once, and repeats that until SECONDS have passed.
 *
 *     verify DIR [SECONDS]
 */

#include "verify.h"

#include <time.h>


int
main(int argc, char **argv)
{
    int              i, n, rounds;
    double           ns, least;
    struct timespec  start, end;

    if (argc != 2 && argc != 3) {
        die("usage: verify DIR [SECONDS]");
    }

    n = prepare(argv[1]);
    least = argc == 3 ? atof(argv[2]) * 1e9 : 0;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);

    rounds = 0;

    do {
        for (i = 0; i < n; i++) {
            verify(&tokens[i]);
        }

        rounds++;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);

        ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);

    } while (ns < least);

    printf("%.0f\n", ns / n / rounds);

    return 0;
}
