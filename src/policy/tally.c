// SPDX-License-Identifier: GPL-3.0-or-later
#include "tally.h"

#include <stdio.h>

static const uint64_t ROUNDED = UINT64_C(1) << 62;

static tally_wide gcd(tally_wide a, tally_wide b)
{
    while (b) {
        if (a <= UINT64_MAX && b <= UINT64_MAX) {
            uint64_t x = (uint64_t)a, y = (uint64_t)b;
            while (y) {
                const uint64_t rest = x % y;
                x = y;
                y = rest;
            }
            return x;
        }
        const tally_wide rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// num/den in parts of ROUNDED. The whole is less than 2^64, so that nothing overflows.
static tally_wide in_rounded(tally_wide num, uint64_t den)
{
    const tally_wide whole = num / den, rest = num % den;
    return (whole << 62) + ((rest << 62) + den / 2) / den;
}

void tally_add(struct tally *t, uint64_t clients, struct steer_share share)
{
    uint64_t common;
    if (!clients || !share.num)
        return;
    if (!t->den)
        t->den = share.den;
    if (t->den == share.den) {
        t->num += (tally_wide)clients * share.num;
        return;
    }
    const uint64_t g = (uint64_t)gcd(t->den, share.den);
    if (!__builtin_mul_overflow(t->den / g, share.den, &common)) {
        t->num = t->num * (share.den / g) + (tally_wide)clients * share.num * (t->den / g);
        t->den = common;
        return;
    }
    t->num = in_rounded(t->num, t->den) + in_rounded((tally_wide)clients * share.num, share.den);
    t->den = ROUNDED;
}

double tally_part(const struct tally *t, uint64_t all)
{
    return t->num ? (double)((long double)t->num / (long double)t->den / (long double)all) : 0;
}

// By continued fractions: what cross products would need more than 128 bits for.
int tally_compare(const struct tally *a, const struct tally *b)
{
    tally_wide an = a->num, ad = a->den ? a->den : 1;
    tally_wide bn = b->num, bd = b->den ? b->den : 1;
    for (int sign = 1;; sign = -sign) {
        const tally_wide x = an / ad, y = bn / bd;
        if (x != y)
            return x < y ? -sign : sign;
        an %= ad;
        bn %= bd;
        if (!an || !bn)
            return an == bn ? 0 : an ? sign : -sign;
        const tally_wide n = an, m = bn; // 1/(an/ad) and 1/(bn/bd), which are in the other order
        an = ad;
        ad = n;
        bn = bd;
        bd = m;
    }
}

static const char *decimal(tally_wide value, char out[48])
{
    char *at = out + 47;
    *at = '\0';
    do {
        *--at = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value);
    return at;
}

const char *tally_format(const struct tally *t, uint64_t all, char out[TALLY_TEXT_MAX])
{
    char num[48], den[48];
    tally_wide a = t->num, b = t->num ? (tally_wide)t->den * all : 1;
    const tally_wide g = gcd(b, a);
    snprintf(out, TALLY_TEXT_MAX, "%s/%s", decimal(a / g, num), decimal(b / g, den));
    return out;
}
