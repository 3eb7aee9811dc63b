"""From samples to Markdown: medians, per-round ratios to a baseline with their spread, and what we aim at."""

from statistics import median

from bars import BARS, AtLeast, AtMost, at_least, at_most, coverage, judge

BASELINES = (
    (
        "green-threads",
        (
            "green-threads-no-handover",
            "go-pypi",
            "go-debian",
            "boost-fiber",
            "boost-context",
            "boost-fcontext",
            "state-threads",
            "pthreads",
        ),
    ),
    ("event-loop", ("default-executor", "swift-nio", "dispatch", "go-pypi", "pthreads")),
)


def number(value):
    """Three significant digits, with thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def heading(facts, samples):
    """What was measured, on what, and with which versions of everybody."""
    rounds = len({sample["round"] for sample in samples})
    others = list({(s["round"], s["row"]): s["others"] for s in samples if "others" in s}.values())
    lines = [
        "# Our runtimes and others",
        "",
        "What each row does, and how: scripts/peers/README.md. Every sample: peers.json.",
        "",
        f"- Machine: {facts['processor']}, {facts['processors']} processors, {facts['memoryGiB']} GiB, "
        f"{facts['architecture']}, kernel {facts['kernel']}",
        f"- Run: {facts['date']}, revision {facts['revision']}, {rounds} of {facts['rounds']} rounds, seed {facts['seed']}",
    ]
    if others:
        lines.append(
            f"- Of the machine's processor time others took {100 * median(others):.1f} % in the median row, "
            f"{100 * max(others):.1f} % in the worst")
    if rounds > 1:
        lines.append(
            f"- Spread: the least and the most of {rounds} rounds, which enclose the true median with "
            f"{100 * coverage(rounds):.1f} % probability")
    lines += ["- Versions:", *(f"  - {name}: {version}" for name, version in sorted(facts["versions"].items()))]
    if facts["scale"] != 1:
        lines += ["", f"**Work scaled by {facts['scale']}: a trial of the procedure, not a measurement.**"]
    return lines


class Table:
    """`samples`: dictionaries with peer, row, round and either result or failure. `missing`: peer -> why."""

    def __init__(self, rows, peers, samples, missing):
        self.rows = rows
        self.peers = {peer.name: peer for peer in peers}
        self.missing = missing
        self.cells = {}
        for sample in samples:
            self.cells.setdefault((sample["row"], sample["peer"]), []).append(sample)

    def values(self, row, figure, peer):
        """Round -> value. None if the peer failed in any round: part of a row is no row."""
        samples = self.cells.get((row.name, peer), [])
        if not samples or any("failure" in sample for sample in samples):
            return None
        return {sample["round"]: figure.value(sample["result"]) for sample in samples}

    def failures(self, row, peer):
        samples = self.cells.get((row.name, peer), [])
        return [sample["failure"] for sample in samples if "failure" in sample], len(samples)

    def cell(self, row, figure, peer, baseline):
        values = self.values(row, figure, peer)
        if values is None:
            failures, count = self.failures(row, peer)
            return f"failed ({len(failures)} of {count})" if failures else ""
        reference = self.values(row, figure, baseline)
        if reference is None:
            return f"{number(median(values.values()))} {figure.unit}"
        ratios = [values[r] / reference[r] for r in values if reference.get(r)]
        if not ratios:
            return ""
        spread = f" ({number(min(ratios))}–{number(max(ratios))})" if len(ratios) > 1 else ""
        return f"{number(median(ratios))} ×{spread}"

    def absolute(self, row, figure, peer):
        values = self.values(row, figure, peer)
        if values is None:
            failures, count = self.failures(row, peer)
            return f"failed ({len(failures)} of {count})" if failures else ""
        spread = f" ({number(min(values.values()))}–{number(max(values.values()))})" if len(values) > 1 else ""
        return f"{number(median(values.values()))}{spread}"

    def ran(self, names):
        present = {peer for _, peer in self.cells}
        return [name for name in names if name in present]

    def markdown(self, heading):
        lines = list(heading)
        for baseline, others in BASELINES:
            others = self.ran(others)
            if baseline not in self.peers or not others:
                continue
            title = self.peers[baseline].title
            lines += [
                "",
                f"## Against our {title}",
                "",
                "Each cell: the peer's figure divided by ours, the median over rounds (least–most). Above 1, ours is "
                "better. Where ours has no such row, the peer's own figure. Empty: the peer has no such row.",
                "",
                f"| row | unit | {title} | " + " | ".join(self.peers[name].title for name in others) + " |",
                "| --- | --- " + "| ---: " * (len(others) + 1) + "|",
            ]
            for row in self.rows:
                for figure in row.figures:
                    cells = [self.cell(row, figure, name, baseline) for name in others]
                    own = self.absolute(row, figure, baseline)
                    if own or (any(cells) and not any((row.name, b) in self.cells for b, _ in BASELINES)):
                        lines.append(f"| {figure.title} | {figure.unit} | {own} | " + " | ".join(cells) + " |")
        lines += ["", "## All figures", "", "Median over rounds (least–most).", ""]
        names = self.ran(self.peers)
        lines += [
            "| row | unit | " + " | ".join(self.peers[name].title for name in names) + " |",
            "| --- | --- " + "| ---: " * len(names) + "|",
        ]
        for row in self.rows:
            for figure in row.figures:
                cells = [self.absolute(row, figure, name) for name in names]
                if any(cells):
                    lines.append(f"| {figure.title} | {figure.unit} | " + " | ".join(cells) + " |")
        lines += self.notes()
        lines += self.bars()
        return "\n".join(lines) + "\n"

    def bars(self):
        """What we aim at, judged. Only of the peers and rows that were asked for."""
        lines, words = [], []
        for bar in BARS:
            row = next((row for row in self.rows if row.name == bar.row), None)
            names = [bar.ours, *([bar.other] if isinstance(bar, AtLeast) else [])]
            if row is None or any(name not in self.peers for name in names):
                continue
            cells, verdict = self.judged(bar, row)
            middle = number(median(verdict.values)) if verdict.values else ""
            if len(verdict.values) > 1:
                middle += f" ({number(min(verdict.values))}–{number(max(verdict.values))})"
            lines.append("| " + " | ".join([*cells, middle, verdict.word]) + " |")
            words.append(verdict.word)
        if not lines:
            return []
        tally = ", ".join(f"{words.count(word)} {word.strip('*')}" for word in dict.fromkeys(sorted(words)))
        return [
            "",
            "## What we aim at",
            "",
            "A ratio is the other's figure divided by ours within a round, the median over rounds (least–most). Reached: "
            f"in the median and in each round. Of {len(words)} aims: {tally}.",
            "",
            "| row | ours | against | aim | measured | |",
            "| --- | --- | --- | ---: | ---: | --- |",
            *lines,
        ]

    def judged(self, bar, row):
        ours = self.peers[bar.ours].title
        if isinstance(bar, AtLeast):
            figure = row.figures[bar.figure]
            own, other = (self.values(row, figure, name) or {} for name in (bar.ours, bar.other))
            aim = f"{'>' if bar.strict else '≥'} {bar.bound:g} ×"
            return [figure.title, ours, self.peers[bar.other].title, aim], at_least(bar, own, other)
        if isinstance(bar, AtMost):
            figure = row.figures[bar.figure]
            own = self.values(row, figure, bar.ours) or {}
            return [figure.title, ours, "", f"≤ {bar.bound:,} {figure.unit}"], at_most(bar, own)
        failures, executions = self.failures(row, bar.ours)
        held = judge((float(executions - len(failures)) / executions,) if executions else (), lambda v: v == 1, min)
        return [bar.claim, ours, "", "always"], held

    def notes(self):
        notes = []
        for name, why in self.missing.items():
            notes.append(f"- **{self.peers[name].title}** could not be built: {first_line(why)}")
        for (row, peer), _ in self.cells.items():
            failures, count = self.failures(next(r for r in self.rows if r.name == row), peer)
            if failures:
                notes.append(f"- **{self.peers[peer].title}**, {row}: failed in {len(failures)} of {count}: {failures[0]}")
        for (row, peer), samples in sorted(self.cells.items()):
            units = {sample["result"].get("units") for sample in samples if "result" in sample}
            if row == "parked" and units and max(u or 0 for u in units) < 1_000_000:
                notes.append(f"- **{self.peers[peer].title}**, parked: {max(units):,} units instead of 1,000,000")
        return ["", "## Notes", "", *notes] if notes else []


def first_line(text):
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason given"
