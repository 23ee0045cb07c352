"""Intervals of held-out votes as scikit-learn, scipy, statsmodels and MLstatkit compute them.

    pip install scikit-learn==1.9.1 scipy==1.17.1 statsmodels==0.15.0 MLstatkit==0.1.91
    python make.py > cases.json

AUC: roc_auc_score. Its difference, votes apart: DeLong's variance by MLstatkit. Loss: -log_expit; the standard error of the
sum of both means, votes apart: Welch's by ttest_ind. Clusters and weights: the covariance of both class means by
statsmodels' cluster-robust WLS, without its correction for few clusters; Obuchowski's (1997) are put in by hand.
"""

import json
import sys

import numpy as np
import statsmodels.api as sm
from MLstatkit import Delong_test
from scipy.special import log_expit
from scipy.stats import t, ttest_ind
from sklearn.metrics import roc_auc_score


def case(seed, ups, downs, clusters=None, weighted=False, signal=1.0, digits=1):
    random = np.random.default_rng(seed)
    n = ups + downs
    label = np.arange(n) < ups
    cluster = np.arange(n) if clusters is None else random.integers(clusters, size=n)
    common = random.normal(size=n) + 0.7 * random.normal(size=n)[cluster] + signal * label
    return {
        "label": label,
        "weight": np.round(random.uniform(0.2, 1, size=n), 2) if weighted else np.ones(n),
        "cluster": cluster,
        "candidate": np.round(common + 0.4 * random.normal(size=n), digits),
        "live": np.round(common + 0.4 * random.normal(size=n), digits),
        "deltas": {"candidate": 0.3, "live": 0.1},
    }


def components(label, weight, score):
    """V10 of the ups and V01 of the downs, straight from DeLong, DeLong and Clarke-Pearson (1988), in one array."""
    above = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    v10 = (above * (weight * ~label)[None, :]).sum(1) / weight[~label].sum()
    v01 = (above * (weight * label)[:, None]).sum(0) / weight[label].sum()
    return np.where(label, v10, v01)


def clustered(label, weight, cluster, values):
    """Means of ups and downs, the standard error of the sum of their errors, and the degrees of freedom."""
    x = np.column_stack([label, ~label]).astype(float)
    fit = sm.WLS(values, x, weights=weight).fit()
    cov = fit.get_robustcov_results("cluster", groups=cluster, use_correction=False).cov_params()
    counts = [len(set(cluster[label])), len(set(cluster[~label])), len(set(cluster))]
    up, down, both = [k / (k - 1) for k in counts]
    return fit.params, np.sqrt(up * cov[0, 0] + down * cov[1, 1] + 2 * both * cov[0, 1]), min(counts[:2]) - 1


def interval(value, se, df):
    half = t.ppf(0.975, df) * se
    return {"value": value, "low": value - half, "high": value + half}


def expected(label, weight, cluster, candidate, live, deltas):
    auc = {name: roc_auc_score(label, s, sample_weight=weight) for name, s in [("candidate", candidate), ("live", live)]}
    v = components(label, weight, candidate) - components(label, weight, live)
    means, se, df = clustered(label, weight, cluster, v)
    assert np.allclose(means, auc["candidate"] - auc["live"])
    sign = np.where(label, 1, -1)
    loss = {name: -log_expit(sign * (s - deltas[name])) for name, s in [("candidate", candidate), ("live", live)]}
    d = loss["candidate"] - loss["live"]
    loss_means, loss_se, _ = clustered(label, weight, cluster, d)
    if len(set(cluster)) == len(label) and (weight == 1).all():
        delong = Delong_test(label, live, candidate)[-1]["var_diff"] if auc["candidate"] < 1 else 0
        assert np.isclose(se, np.sqrt(delong)), (se, delong)
        welch = ttest_ind(d[label], -d[~label], equal_var=False)
        assert np.isclose(loss_se, loss_means.sum() / welch.statistic)
        se, loss_se = np.sqrt(delong), loss_means.sum() / welch.statistic
    mean = lambda values, of: np.average(values[of], weights=weight[of])
    return {
        "auc": {**auc, "difference": interval(auc["candidate"] - auc["live"], se, df)},
        "loss": {
            **{name: mean(values, label) + mean(values, ~label) for name, values in loss.items()},
            "difference": interval(loss_means.sum(), loss_se, df),
        },
    }


cases = {
    "each vote apart, with ties": case(1, 40, 60),
    "several votes a conversation": case(2, 60, 50, clusters=25),
    "weights and conversations": case(3, 45, 55, clusters=40, weighted=True, digits=2),
    "few votes": case(4, 4, 7),
    "told apart completely": case(5, 12, 15, signal=50.0),
}
plain = lambda value: value.tolist() if isinstance(value, np.ndarray) else value
out = {name: {**{k: plain(v) for k, v in c.items()}, "expected": expected(**c)} for name, c in cases.items()}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
