#!/usr/bin/python3
"""Fits the rational function of cpu/tanh.go: tanh(x)/x = P(x^2)/Q(x^2) on |x| <= 9.02, degree (4, 4).

Lawson's method: a linear least-squares fit of P - f*Q, reweighted until the largest relative errors level out.
Prints the coefficients, lowest power first, and the largest relative error.
"""
import numpy as np

LIMIT, P_DEGREE, Q_DEGREE, POINTS = 9.02, 4, 4, 4000

# Chebyshev's points crowd at the ends, where an equal spacing would let the error grow.
x = (LIMIT / 2 * (1 - np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS))).astype(np.longdouble)
f = np.tanh(x) / x
s = (x / LIMIT) ** 2  # in [0, 1], for the condition of the system
weight, q, best = np.ones(POINTS), np.ones(POINTS), None
for _ in range(60):
    system = np.concatenate(
        [np.vander(s, P_DEGREE + 1, increasing=True), -f[:, None] * np.vander(s, Q_DEGREE + 1, increasing=True)[:, 1:]], axis=1)
    scale = np.sqrt(weight) / (q * f)
    c = np.linalg.lstsq((system * scale[:, None]).astype(float), (f * scale).astype(float), rcond=1e-17)[0]
    num, den = c[:P_DEGREE + 1], np.concatenate([[1], c[P_DEGREE + 1:]])
    q = np.polyval(den[::-1], s).astype(float)
    error = np.abs(np.polyval(num[::-1], s) / q / f - 1).astype(float)
    if best is None or error.max() < best[0]:
        best = error.max(), num / LIMIT ** (2 * np.arange(P_DEGREE + 1)), den / LIMIT ** (2 * np.arange(Q_DEGREE + 1))
    weight *= error / error.mean() + 1e-3
    weight /= weight.mean()
print("P", [float(v) for v in best[1]])
print("Q", [float(v) for v in best[2]])
print("largest relative error", best[0])
