#!/usr/bin/env python3
"""Puts what scripts/gpu-check.sh measured side by side: DIR/report.md, which is also printed.

    python3 scripts/gpu-report.py DIR

Ratios are PyTorch's time over cnnctl's, from the medians of all rounds: above 1, cnnctl is the faster one. Needs Python alone.
"""

import pathlib
import statistics
import sys


def medians(path, names, value):
    """Reads lines of so many words that name a measurement, and its values from there on. Returns {names: median of the value-th, or of all if that is None}."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        words = line.split()
        values = words[names:] if value is None else [words[names + value]]
        found.setdefault(tuple(words[:names]), []).extend(map(float, values))
    return {k: statistics.median(v) for k, v in found.items()}


def table(head, body):
    """Returns a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in body])


def ratio(theirs, ours):
    return "–" if theirs is None else f"{theirs / ours:.2f}"


def steps(folder):
    ours, theirs = medians(folder / "cnnctl-steps.txt", 3, None), medians(folder / "torch-steps.txt", 3, None)
    body = []
    for k in sorted(ours):
        n, other = int(k[1]), theirs.get(k)
        body.append([*k, f"{n / ours[k]:.0f}", "–" if other is None else f"{n / other:.0f}", ratio(other, ours[k])])
    return table(["model", "batch", "precision", "cnnctl, images/s", "PyTorch, images/s", "ratio"], body)


def calls(folder):
    path = folder / "cnnctl-calls.txt"
    ours, flops, theirs = medians(path, 5, 0), medians(path, 5, 1), medians(folder / "torch-calls.txt", 5, 0)
    body = []
    for k, t in ours.items():
        other = theirs.get(k)
        body.append([*k, f"{1e6 * t:.1f}", f"{flops[k] / t / 1e12:.2f}", "–" if other is None else f"{1e6 * other:.1f}", ratio(other, t)])
    return table(["model", "batch", "precision", "layer", "call", "cnnctl, µs", "TFLOP/s", "PyTorch, µs", "ratio"], body)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    if not (folder / "cnnctl-steps.txt").exists():
        sys.exit(f"{folder}: no measurements: there is no cnnctl-steps.txt")
    about = folder / "devices.txt"
    parts = ["```", about.read_text().strip() if about.exists() else "device unknown", "```", "", "Training steps", "", steps(folder)]
    if (folder / "cnnctl-calls.txt").exists():
        parts += ["", "Convolutions", "", calls(folder)]
    report = "\n".join(parts) + "\n"
    (folder / "report.md").write_text(report)
    print(report, end="")


if __name__ == "__main__":
    main()
