# SPDX-License-Identifier: GPL-3.0-or-later
"""The results as one SVG: bars of CPU time per query against the echo, and curves of growth."""
import math
from xml.sax.saxutils import escape

from .base import median, ratios

WIDTH, MARGIN = 1180, 48
INK, SOFT, GRID, PAPER = "#1d2733", "#5d6b7a", "#e3e8ee", "#ffffff"
COLORS = {"steerd": "#0b6fb8", "gdnsd": "#e08a1e", "knot": "#5a9a52", "nsd": "#8d6cab", "bind": "#b5544d", "pdns": "#7a8793"}
TITLES = {"W1": "W1: 100,000 static names", "W1nx": "W1nx: with 20 % NXDOMAIN", "W2": "W2: by place, client subnets",
          "W3": "W3: place, failover, weights"}


class Svg:
    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=13, color=INK, anchor="start", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
                          f'font-weight="{weight}">{escape(str(words))}</text>')

    def line(self, x1, y1, x2, y2, color=GRID, width=1.0, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
                          f'stroke-width="{width}"{dashes}/>')

    def box(self, x, y, width, height, color, round_by=2):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="{round_by}" '
                          f'fill="{color}"/>')

    def path(self, points, color):
        data = " ".join(f"{'ML'[i > 0]}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
        self.parts.append(f'<path d="{data}" fill="none" stroke="{color}" stroke-width="2.2" stroke-linejoin="round"/>')
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{color}" stroke="{PAPER}" stroke-width="1.2"/>'
                       for x, y in points]

    def finish(self, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
                f'height="{height:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n'
                f'<rect width="100%" height="100%" fill="{PAPER}"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def nice_step(span, most):
    """1, 2 or 5 times a power of ten, so that span has no more than most steps."""
    power = 10 ** math.floor(math.log10(span / most))
    return next(m * power for m in (1, 2, 5, 10) if span / (m * power) <= most)


def short(number):
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


# ---- bars ----------------------------------------------------------------------------------------------


def bars(svg, full, top):
    rows = []
    for workload, by_server in full.items():
        if "echo" in by_server:
            rows.append((workload, [(s, ratios(r, by_server["echo"])) for s, r in by_server.items() if s != "echo"]))
    if not rows:
        return top
    most = max(median(values) for _, group in rows for _, values in group)
    step = nice_step(most, 8)
    left, right = MARGIN + 92, WIDTH - MARGIN - 190
    scale = (right - left) / (math.ceil(most / step + 0.2) * step)
    svg.text(MARGIN, top, "CPU time for each query, as a multiple of a bare UDP echo", 17, weight="bold")
    svg.text(MARGIN, top + 20, "Shorter is better; 1.0 is what the kernel's UDP path costs by itself. Whiskers: least and most of all "
             "rounds.", 12, SOFT)
    y = top + 44
    bottom = y + sum(34 + 24 * len(group) for _, group in rows) - 8
    for n in range(int((right - left) / scale / step) + 1):
        x = left + n * step * scale
        svg.line(x, y, x, bottom)
        svg.text(x, bottom + 16, f"{n * step:g}", 11, SOFT, "middle")
    for workload, group in rows:
        svg.text(MARGIN, y + 14, TITLES.get(workload, workload), 12.5, weight="bold")
        y += 22
        for server, values in group:
            middle = median(values)
            svg.text(left - 10, y + 14, server, 12, INK, "end", "bold" if server == "steerd" else "normal")
            svg.box(left, y + 2, middle * scale, 16, COLORS.get(server, SOFT))
            low, high = left + min(values) * scale, min(left + max(values) * scale, right)
            svg.line(low, y + 10, high, y + 10, INK, 1.3)
            for x in (low, high):
                svg.line(x, y + 6, x, y + 14, INK, 1.3)
            svg.text(max(high, left + middle * scale) + 8, y + 14, f"{middle:.2f}", 12, INK, weight="bold")
            y += 24
        y += 12
    svg.line(left + scale, top + 40, left + scale, bottom, "#c0392b", 1.4, "5 4")
    svg.text(left + scale, top + 38, "echo", 11, "#c0392b", "middle")
    return bottom + 60


# ---- curves --------------------------------------------------------------------------------------------

METRICS = (
    ("CPU a query, x echo", lambda p: median(p["ratio"]) if "ratio" in p else None, "linear from 1"),
    ("memory (RSS), MiB", lambda p: p.get("rss_mib"), "log"),
    ("one edit, built, ms", lambda p: median(p["edit_build_ms"]) if "edit_build_ms" in p else None, "log"),
    ("start from SQLite, s", lambda p: p.get("start_s"), "log"),
)
KINDS = (("names", "names in one zone", "#0b6fb8"), ("policies", "steered records", "#c2571a"), ("zones", "zones", "#3d8b5f"))


def axis(values, how):
    """(value -> 0..1, ticks)."""
    if how == "log":
        low, high = math.floor(math.log10(max(min(values), 1e-3))), math.ceil(math.log10(max(values)))
        high = max(high, low + 1)
        return (lambda v: (math.log10(max(v, 1e-3)) - low) / (high - low)), [10.0 ** n for n in range(low, high + 1)]
    step = nice_step(max(max(values) - 1, 0.2) * 1.1, 4)
    top = 1 + math.ceil(max(max(values) - 1, 0.2) / step) * step
    low = min(1.0, math.floor(min(values) / step) * step)
    return (lambda v: (v - low) / (top - low)), [low + n * step for n in range(round((top - low) / step) + 1)]


def panel(svg, x, y, width, height, points, value, how, every, color):
    place, ticks = axis(every, how)
    sizes = [math.log10(p["size"]) for p in points]
    low, high = min(sizes), max(sizes)
    for tick in ticks:
        at = y + height - place(tick) * height
        svg.line(x, at, x + width, at)
        svg.text(x - 6, at + 4, f"{tick:g}", 10.5, SOFT, "end")
    spots = [(x + 14 + (s - low) / (high - low or 1) * (width - 28), y + height - place(value(p)) * height)
             for s, p in zip(sizes, points)]
    for p, (at, _) in zip(points, spots):
        svg.text(at, y + height + 16, short(p["size"]), 10.5, SOFT, "middle")
    svg.path(spots, color)
    last = value(points[-1])
    svg.text(spots[-1][0], spots[-1][1] - 9, f"{last:.3g}", 11, INK, "end", "bold")


def curves(svg, growth, top):
    columns = [(title, color, [p for p in growth if p["kind"] == kind]) for kind, title, color in KINDS]
    columns = [column for column in columns if len(column[2]) > 1]
    if not columns:
        return top
    svg.text(MARGIN, top, "What grows with the data", 17, weight="bold")
    svg.text(MARGIN, top + 20, "One steerd for each point; rows share their scale.", 12, SOFT)
    width, height = (WIDTH - 2 * MARGIN - 100) / 3 - 30, 120
    y = top + 66
    for k, (title, color, _) in enumerate(columns):
        svg.text(MARGIN + 100 + k * (width + 40) + width / 2, y - 20, title, 13, color, "middle", "bold")
    for name, value, how in METRICS:
        every = [value(p) for _, _, points in columns for p in points if value(p) is not None]
        if not every:
            continue
        first, _, second = name.partition(", ")
        svg.text(MARGIN, y + height / 2 - 4, first, 12)
        svg.text(MARGIN, y + height / 2 + 13, second, 12, SOFT)
        for k, (_, color, points) in enumerate(columns):
            points = [p for p in points if value(p) is not None]
            if points:
                panel(svg, MARGIN + 130 + k * (width + 30), y, width - 20, height, points, value, how, every, color)
        y += height + 46
    return y + 20


def memory(svg, edits, top):
    samples = edits["rss_mib"]
    if len(samples) < 2:
        return top
    svg.text(MARGIN, top, f"Memory over {edits['edits']:,} edits under full load", 17, weight="bold")
    svg.text(MARGIN, top + 20, f"RSS in MiB; {edits['edits_per_s']:.0f} edits a second, {edits['reads']:,} answers checked by readers who "
             "know the versions.", 12, SOFT)
    x, y, width, height = MARGIN + 50, top + 44, WIDTH - 2 * MARGIN - 60, 110
    most, end = max(v for _, v in samples) * 1.15, samples[-1][0]
    step = nice_step(most, 4)
    for n in range(int(most / step) + 1):
        at = y + height - n * step / most * height
        svg.line(x, at, x + width, at)
        svg.text(x - 8, at + 4, f"{n * step:g}", 10.5, SOFT, "end")
    points = " ".join(f"{x + t / end * width:.1f},{y + height - v / most * height:.1f}" for t, v in samples)
    svg.parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS["steerd"]}" stroke-width="2"/>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        svg.text(x + share * width, y + height + 16, f"{share * end:.0f} s", 10.5, SOFT, "middle")
    return y + height + 50


def draw(results, path):
    svg = Svg()
    svg.text(MARGIN, 44, "steerd: measured beside its peers", 24, weight="bold")
    svg.text(MARGIN, 66, results["machine"], 12, SOFT)
    y = 112
    if "full" in results:
        y = bars(svg, results["full"], y)
    if "growth" in results:
        y = curves(svg, results["growth"], y)
    if "edits" in results:
        y = memory(svg, results["edits"], y)
    with open(path, "w", encoding="utf-8") as out:
        out.write(svg.finish(y))
