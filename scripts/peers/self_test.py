"""Tests of what the bench computes: the plan, resuming, estimates, ratios, verdicts, tables. `run --self-test`."""

import json
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

import bars
import plan
import rows
import table
from toolchains import PEERS


def sample(round, row, peer, nanoseconds=100, **more):
    result = {"operations": 1, "nanoseconds": nanoseconds, "cpuNanoseconds": nanoseconds}
    return {"round": round, "row": row, "peer": peer, "result": result, "seconds": 1.0, **more}


@dataclass(frozen=True)
class Named:
    name: str
    seconds: float = 2.0


ROWS = [Named("one"), Named("two"), Named("three")]
PAIR = [Named("ours"), Named("theirs")]


class Plan(unittest.TestCase):
    def make(self, rounds, seed=1, has_row=lambda peer, row: True):
        return plan.groups(ROWS, PAIR, has_row, rounds, seed)

    def test_each_round_has_each_row_and_peer_once(self):
        cells = [(g.round, g.row.name, peer.name) for g in self.make(3) for peer in g.peers]
        self.assertEqual(len(cells), 18)
        self.assertEqual(len(set(cells)), 18)

    def test_more_rounds_do_not_change_the_order_of_the_earlier(self):
        self.assertEqual(self.make(9)[: 3 * 3], self.make(3))
        self.assertNotEqual(self.make(9, seed=2), self.make(9))

    def test_what_a_peer_lacks_does_not_change_the_order_of_the_rest(self):
        without = self.make(3, has_row=lambda peer, row: (peer.name, row.name) != ("ours", "two"))
        self.assertEqual([g.row for g in without], [g.row for g in self.make(3)])
        self.assertTrue(all(len(g.peers) == (1 if g.row.name == "two" else 2) for g in without))

    def test_a_row_that_was_cut_short_is_done_again(self):
        everything = self.make(2)
        first, second = everything[0], everything[1]
        found = [sample(1, first.row.name, peer.name) for peer in first.peers]
        found += [sample(1, second.row.name, second.peers[0].name)]
        remaining, kept = plan.split(everything, found)
        self.assertEqual(remaining, everything[1:])
        self.assertEqual(kept, found[:2])

    def test_time_left_follows_what_was_taken(self):
        everything = self.make(2)
        expectation = plan.Expectation(1)
        self.assertEqual(expectation.of(everything), 24)
        self.assertEqual(plan.Expectation(0.5).of(everything), 12)
        for seconds in (5, 7, 90):
            expectation.add({"row": "one", "peer": "ours", "seconds": seconds})
        self.assertEqual(expectation.of(everything), 24 - 2 * 2 + 2 * 7)


class Resume(unittest.TestCase):
    facts = {name: name for name in plan.SAME} | {"rounds": 5}

    def found(self, earlier, samples=()):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "peers.json"
            path.write_text(json.dumps({"machine": earlier, "samples": list(samples)}), encoding="utf-8")
            return plan.resume(path, self.facts)

    def test_the_same_run_is_carried_on_with_as_many_rounds_or_more(self):
        samples = [sample(1, "one", "ours")]
        self.assertEqual(self.found(self.facts | {"rounds": 3}, samples), samples)
        self.assertEqual(plan.resume(Path("/nowhere/peers.json"), self.facts), [])

    def test_another_run_is_not(self):
        for name in plan.SAME:
            with self.assertRaisesRegex(plan.Different, f"its {name} was 'other'"):
                self.found(self.facts | {name: "other"})
        with self.assertRaisesRegex(plan.Different, "--rounds is 5"):
            self.found(self.facts | {"rounds": 6})

    def test_garbage_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "peers.json"
            for text in ("", "[]", "{}"):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(plan.Different, "is not a run's record"):
                    plan.resume(path, self.facts)


class Bars(unittest.TestCase):
    bar = bars.AtLeast("spawn-join", 0, "green-threads", "go-pypi", 2)

    def word(self, ours, others, bar=bar):
        def by_round(values):
            return dict(enumerate(values, 1))

        return bars.at_least(bar, by_round(ours), by_round(others)).word

    def test_ratios_are_taken_within_the_round(self):
        self.assertEqual(bars.ratios({1: 10, 2: 20, 3: 10}, {1: 30, 2: 40, 4: 5}), (3, 2))

    def test_a_ratio_is_judged_by_its_median_and_its_least(self):
        self.assertEqual(self.word([1, 1, 1], [2, 3, 4]), "reached")
        self.assertEqual(self.word([1, 1, 1], [1.9, 3, 4]), "reached in the median, not in each round")
        self.assertEqual(self.word([1, 1, 1], [1.9, 1.9, 9]), "**not reached**")
        self.assertEqual(self.word([], []), "not measured")

    def test_level_is_not_faster(self):
        faster = bars.AtLeast("tree", 0, "green-threads", "go-pypi", 1, strict=True)
        self.assertEqual(self.word([1, 1], [1, 1], faster), "**not reached**")
        self.assertEqual(self.word([1, 1], [1, 1], bars.AtLeast("tree", 0, "a", "b", 1)), "reached")

    def test_a_limit_is_judged_by_its_median_and_its_most(self):
        limit = bars.AtMost("parked", 0, "green-threads", 4400)
        self.assertEqual(bars.at_most(limit, {1: 4300, 2: 4400}).word, "reached")
        self.assertEqual(bars.at_most(limit, {1: 4300, 2: 4300, 3: 5000}).word, "reached in the median, not in each round")
        self.assertEqual(bars.at_most(limit, {1: 4401}).word, "**not reached**")

    def test_coverage_of_the_range(self):
        self.assertAlmostEqual(bars.coverage(5), 0.9375)
        self.assertAlmostEqual(bars.coverage(7), 0.984375)

    def test_every_bar_names_a_row_a_figure_and_peers_that_exist(self):
        names = {peer.name for peer in PEERS}
        figures = {row.name: len(row.figures) for row in rows.ROWS}
        for bar in bars.BARS:
            self.assertIn(bar.row, figures)
            self.assertLess(getattr(bar, "figure", 0), figures[bar.row])
            self.assertIn(bar.ours, names)
            self.assertIn(getattr(bar, "other", bar.ours), names)


class Tables(unittest.TestCase):
    def text(self, samples):
        peers = [peer for peer in PEERS if peer.name in ("green-threads", "go-pypi", "boost-fiber")]
        chosen = [row for row in rows.ROWS if row.name == "spawn-join"]
        return table.Table(chosen, peers, samples, {"boost-fiber": "no compiler\nat all"}).markdown(["# Title"])

    def test_cells_hold_the_median_of_ratios_within_rounds_and_their_spread(self):
        ours, theirs = (100, 110, 400), (300, 220, 1600)
        samples = [sample(r, "spawn-join", "green-threads", n) for r, n in enumerate(ours, 1)]
        samples += [sample(r, "spawn-join", "go-pypi", n) for r, n in enumerate(theirs, 1)]
        text = self.text(samples)
        self.assertIn("| spawn and join, one at a time | ns | 110 (100–400) | 3.00 × (2.00–4.00) |", text)
        self.assertIn(
            "| spawn and join, one at a time | green threads | Go (PyPI) | ≥ 2 × | 3.00 (2.00–4.00) | reached |", text)
        self.assertIn("could not be built: no compiler\n", text)
        self.assertIn("Of 2 aims: 1 not measured, 1 reached.", text)

    def test_one_failure_takes_the_cell_and_is_named(self):
        samples = [sample(r, "spawn-join", peer) for r in (1, 2) for peer in ("green-threads", "go-pypi")]
        failure = {"round": 3, "row": "spawn-join", "peer": "go-pypi", "failure": "signal 11: boom", "seconds": 1.0}
        text = self.text([*samples, failure])
        self.assertIn("| failed (1 of 3) |", text)
        self.assertIn("spawn-join: failed in 1 of 3: signal 11: boom", text)
        self.assertIn("| ≥ 2 × |  | not measured |", text)

    def test_numbers_have_three_digits(self):
        self.assertEqual([table.number(n) for n in (0.1234, 1.234, 12.34, 123.4, 12345)],
                         ["0.12", "1.23", "12.3", "123", "12,345"])


def run():
    """Exit status."""
    tests = unittest.defaultTestLoader.loadTestsFromModule(__import__(__name__))
    return 0 if unittest.TextTestRunner(verbosity=1).run(tests).wasSuccessful() else 1
