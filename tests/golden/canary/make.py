"""Golden vectors of the canary's statistics and of routing, from numpy, scipy and hashlib.

    python -m venv /tmp/canary && /tmp/canary/bin/pip install numpy scipy
    /tmp/canary/bin/python tests/golden/canary/make.py > tests/golden/canary/vectors.json

The half width is not worked by its closed form: the mixture of exp(l S - l^2 T / 2) over l ~ N(0, scale^2) is integrated
numerically, and the S at which it reaches 1/alpha is searched for. By Ville's inequality a Brownian motion with clock T
has a chance of at most alpha of ever getting there. With T = 1/V, the half width is S/T.
"""

import hashlib
import json

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq


def variance(votes, ups):
    """n/(n-1) sum((s - p m)^2) / (M (1 - h))^2, at least p(1-p)/M with a vote of each label more."""
    m, s = np.array(votes, float), np.array(ups, float)
    n, total = len(m), m.sum()
    p = s.sum() / total
    h = m.max() / total
    clustered = n / (n - 1) * np.sum((s - p * m) ** 2) / (total * (1 - h)) ** 2
    q = (s.sum() + 1) / (total + 2)
    return max(clustered, q * (1 - q) / total)


def jackknife(votes, ups):
    """(n-1)/n sum((p without one user - mean of those)^2): what `variance` must not be below."""
    m, s = np.array(votes, float), np.array(ups, float)
    n = len(m)
    without = (s.sum() - s) / (m.sum() - m)
    return (n - 1) / n * np.sum((without - without.mean()) ** 2)


def half_width(v, alpha, scale):
    t = 1 / v

    def log_mixture(s):
        # the integrand's peak, taken out so that nothing overflows
        precision = t + 1 / scale**2
        peak = s / precision
        top = peak * s - peak**2 * t / 2 - peak**2 / (2 * scale**2)
        width = 1 / np.sqrt(precision)

        def integrand(l):
            return np.exp(l * s - l**2 * t / 2 - l**2 / (2 * scale**2) - top) / (scale * np.sqrt(2 * np.pi))

        area, _ = quad(integrand, peak - 12 * width, peak + 12 * width, epsabs=0, epsrel=1e-12, limit=400)
        return top + np.log(area)

    s = brentq(lambda x: log_mixture(x) + np.log(alpha), 0, 1e3 * np.sqrt(t) + 1e3, xtol=1e-13, rtol=1e-14)
    return s / t


def fraction(salt, key):
    digest = hashlib.sha256(salt.encode() + b"\0" + key.encode()).digest()
    return (int.from_bytes(digest, "big") >> (256 - 53)) / 2**53


rng = np.random.default_rng(20260101)
rates = []
for users, tail in [(2, 3.0), (30, 1.5), (30, 0.7), (200, 1.2), (50, 3.0)]:
    votes = np.minimum(100, np.ceil((1 - rng.random(users)) ** (-1 / tail))).astype(int)
    ups = rng.binomial(votes, rng.beta(6, 2, users))
    rates.append((votes.tolist(), ups.tolist()))
rates.append(([1] * 40, [1] * 40))
rates.append(([100] + [1] * 39, [0] + [1] * 39))

print(
    json.dumps(
        {
            "rates": [
                {
                    "votes": m,
                    "ups": s,
                    "rate": sum(s) / sum(m),
                    "variance": variance(m, s),
                    "jackknife": jackknife(m, s),
                }
                for m, s in rates
            ],
            "half_widths": [
                {"variance": v, "alpha": a, "scale": c, "half_width": half_width(v, a, c)}
                for v in [1e-2, 1e-3, 1e-4, 1e-5]
                for a, c in [(0.05, 0.03), (0.01, 0.03), (0.05, 0.1)]
            ],
            "fractions": [
                {"salt": salt, "key": key, "fraction": fraction(salt, key)}
                for salt in ["5f0c1a2b3c4d5e6f708192a3b4c5d6e7", "other"]
                for key in ["user-1", "user-2", "", "ユーザー", "a\0b"]
            ],
        },
        ensure_ascii=True,
    )
)
