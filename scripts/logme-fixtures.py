#!/usr/bin/env python3
"""Writes train/diagnose/testdata/logme.json: LogME of some features, computed in another way than package diagnose does.

The evidence of y = F w + noise, with w ~ N(0, I/alpha) and noise ~ N(0, 1/beta), is the density of y under N(0, I/beta + F Fᵀ/alpha). Here it
is computed from that N x N matrix, by its Cholesky factor, and maximised over alpha and beta by a search over a grid that is refined, with
neither a fixed-point iteration nor a decomposition of F. Needs numpy:

    python3 scripts/logme-fixtures.py > train/diagnose/testdata/logme.json
"""

import json
import sys

import numpy as np


def log_evidence(f, y, log_alpha, log_beta):
    n = len(y)
    c = np.exp(-log_beta) * np.eye(n) + np.exp(-log_alpha) * (f @ f.T)
    low = np.linalg.cholesky(c)
    u = np.linalg.solve(low, y)
    return -0.5 * (u @ u) - np.log(np.diag(low)).sum() - 0.5 * n * np.log(2 * np.pi)


def maximum(f, y):
    at, width = np.array([0.0, 2.0]), 12.0
    best = -np.inf
    while width > 1e-5:
        for a in np.linspace(-1, 1, 9):
            for b in np.linspace(-1, 1, 9):
                p = at + width * np.array([a, b])
                v = log_evidence(f, y, *p)
                if v > best:
                    best, where = v, p
        at, width = where, width * 0.6
    return best / len(y)


def main():
    rng = np.random.RandomState(3)
    cases = []
    for name, n, d, classes, signal in [("wide", 30, 50, 3, 1.0), ("tall", 60, 8, 4, 1.0), ("noise", 40, 10, 2, 0.0), ("strong", 45, 12, 3, 4.0)]:
        labels = np.arange(n) % classes
        means = rng.randn(classes, d)
        f = (signal * means[labels] + rng.randn(n, d)).astype(np.float32)
        if name == "tall":
            f[:, 7] = f[:, 0] - 2 * f[:, 1]  # rank 7
            f = f.astype(np.float32)
        exact = f.astype(np.float64)
        want = np.mean([maximum(exact, (labels == k).astype(np.float64)) for k in range(classes)])
        cases.append({"name": name, "features": [[float(v) for v in row] for row in f], "labels": labels.tolist(), "classes": classes, "want": want})
    json.dump(cases, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
