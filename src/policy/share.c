// SPDX-License-Identifier: GPL-3.0-or-later
// Exact shares: 90/10 stays 9/10 and 1/10 through any depth of weighted nodes.
#include "decide_internal.h"

__extension__ typedef unsigned __int128 wide;

// Stein's way, after one division that makes both about as large: no division in the loop.
static uint64_t gcd64(uint64_t a, uint64_t b)
{
    if (!b)
        return a;
    a %= b;
    if (!a)
        return b;
    const int twos = __builtin_ctzll(a | b);
    a >>= __builtin_ctzll(a);
    while (b) {
        b >>= __builtin_ctzll(b);
        if (a > b) {
            uint64_t larger = a;
            a = b;
            b = larger;
        }
        b -= a;
    }
    return a << twos;
}

static wide gcd(wide a, wide b)
{
    while (b > UINT64_MAX || a > UINT64_MAX) {
        if (!b)
            return a;
        wide r = a % b;
        a = b;
        b = r;
    }
    return gcd64((uint64_t)a, (uint64_t)b);
}

// num <= den but for rounding.
static struct steer_share reduce(wide num, wide den)
{
    if (num > den)
        num = den;
    if (den <= UINT64_MAX) { // nearly always: no 128-bit division
        uint64_t common = gcd64((uint64_t)den, (uint64_t)num);
        return (struct steer_share){(uint64_t)num / common, (uint64_t)den / common};
    }
    wide g = gcd(den, num);
    num /= g;
    den /= g;
    if (den <= UINT64_MAX)
        return (struct steer_share){(uint64_t)num, (uint64_t)den};
    while (den > UINT64_MAX) {
        num >>= 1;
        den >>= 1;
    }
    uint64_t scale = UINT64_C(1) << 62;
    uint64_t rounded = (uint64_t)((num * scale + den / 2) / den);
    uint64_t common = gcd64(scale, rounded);
    return (struct steer_share){rounded / common, scale / common};
}

struct steer_share steer_share_of(uint64_t num, uint64_t den)
{
    return reduce(num, den);
}

struct steer_share steer_share_multiply(struct steer_share a, struct steer_share b)
{
    return reduce((wide)a.num * b.num, (wide)a.den * b.den);
}

struct steer_share steer_share_divide(struct steer_share a, struct steer_share b)
{
    return reduce((wide)a.num * b.den, (wide)a.den * b.num);
}

struct steer_share steer_share_add(struct steer_share a, struct steer_share b)
{
    uint64_t g = gcd64(a.den, b.den);
    wide x = (wide)a.num * (b.den / g);
    wide y = (wide)b.num * (a.den / g);
    wide den = (wide)a.den * (b.den / g);
    wide sum;
    if (__builtin_add_overflow(x, y, &sum))
        return reduce((x >> 1) + (y >> 1), den >> 1);
    return reduce(sum, den);
}

int steer_share_compare(struct steer_share a, struct steer_share b)
{
    const wide x = (wide)a.num * b.den;
    const wide y = (wide)b.num * a.den;
    return x < y ? -1 : x > y;
}

struct steer_share steer_share_subtract(struct steer_share a, struct steer_share b)
{
    const wide x = (wide)a.num * b.den;
    const wide y = (wide)b.num * a.den;
    return reduce(x > y ? x - y : 0, (wide)a.den * b.den);
}

struct steer_share steer_share_accumulate(struct steer_share sum, struct steer_share share)
{
    uint64_t scaled, num;
    const uint64_t times = share.den >= sum.den ? share.den / sum.den : sum.den / share.den;
    const bool up = share.den >= sum.den && times * sum.den == share.den;
    const bool down = share.den < sum.den && times * share.den == sum.den;
    const uint64_t den = up ? share.den : sum.den;
    if ((up || down) && !__builtin_mul_overflow(up ? sum.num : share.num, times, &scaled) &&
        !__builtin_add_overflow(scaled, up ? share.num : sum.num, &num))
        return (struct steer_share){num < den ? num : den, den};
    return steer_share_add(reduce(sum.num, sum.den), share);
}

double steer_share_value(struct steer_share share)
{
    return (double)share.num / (double)share.den;
}
