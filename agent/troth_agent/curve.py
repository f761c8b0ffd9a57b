# The group of P-256: a signed fixed-base comb of seven teeth over extended Jacobian coordinates.
# Every scalar takes the same steps, but Python integers do not run in constant time: callers blind.
from .p256_table import COLUMNS, STEPS, columns, points

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# k * G. Every column adds a point, none is ever skipped. z scales the first point: runs never share
# coordinates.
def times_base(k, z):
    flip = not k & 1
    signs = columns(N - k if flip else k)
    found = points(signs)
    read = int.from_bytes
    point = None
    for step in range(STEPS - 1, -1, -1):
        if point:
            point = double(point)
        for c in range(step, COLUMNS, STEPS):
            x = read(found[c][:32], "big")
            y = read(found[c][32:], "big")
            if flip == (signs[c] > 63):
                y = P - y
            if point:
                point = add(point, x, y)
            else:
                zz = z * z % P
                zzz = zz * z % P
                point = (x * zz % P, y * zzz % P, zz, zzz)
    return point


# Points are (x, y, zz, zzz), standing for (x / zz, y / zzz); zz = 0 is the neutral one.
# dbl-2008-s-1 for a = -3
def double(point):
    x, y, u, w = point
    p = P
    t = y + y
    v = t * t % p
    t = t * v % p
    s = x * v % p
    m = 3 * (x - u) * (x + u) % p
    x = (m * m - s - s) % p
    return x, (m * (s - x) - t * y) % p, u * v % p, w * t % p


# madd-2008-s: plus an affine point
def add(point, x2, y2):
    x, y, u, w = point
    p = P
    h = (x2 * u - x) % p
    r = (y2 * w - y) % p
    if not h:
        if not u:
            return x2, y2, 1, 1
        return (0, 0, 0, 0) if r else double(point)
    t = h * h % p
    s = x * t % p
    u = u * t % p
    t = t * h % p
    x = (r * r - t - s - s) % p
    return x, (r * (s - x) - y * t) % p, u, w * t % p


def affine(point):
    x, y, u, w = point
    i = inverse(w, P)
    u = u * i % P
    return x * (u * u % P) % P, y * i % P


# Extended Euclid: several times faster than Fermat here; callers mask what must stay secret.
def inverse(a, m):
    r, s = m, a
    t, u = 0, 1
    while s:
        q, r = divmod(r, s)
        t -= q * u
        if not r:
            return u % m
        q, s = divmod(s, r)
        u -= q * t
    return t % m
