"""Planners with one deliberate bug each: a property that lets its mutant live does not test what it says."""

from __future__ import annotations

from dataclasses import dataclass

from tests.planner.rooms import Planner, load, read_sources


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug: in `module`, `old` becomes `new`; `killers` are the properties that have to notice."""

    bug: str
    module: str
    old: str
    new: str
    killers: tuple[str, ...]

    def grow(self) -> Planner:
        """Return a planner that has the bug; ValueError when the text to change is not there exactly once."""
        sources = read_sources()
        if sources[self.module].count(self.old) != 1:
            raise ValueError(f"{self.bug}: {self.module} holds the text {sources[self.module].count(self.old)} times")
        sources[self.module] = sources[self.module].replace(self.old, self.new)
        return load("".join(letter if letter.isalnum() else "_" for letter in self.bug), sources)


MUTANTS = (
    Mutant(
        "what is settled already is settled again and again",
        "orders",
        "agreed_base(self.pair, self.pair.local, self.pair.remote) != self.pair.base",
        "True",
        ("p1_ends_in_a_fixed_point", "p3_planning_again_yields_nothing"),
    ),
    Mutant(
        "sides are compared with each other, not with their own base",
        "merge",
        "return (mine | (theirs - base)) - (base - theirs)",
        "return mine | theirs",
        ("p7_the_side_that_changed_is_not_written", "p9_changes_of_different_elements_commute"),
    ),
    Mutant(
        "removals do not travel",
        "merge",
        "return (mine | (theirs - base)) - (base - theirs)",
        "return mine | (theirs - base)",
        ("p2_the_three_trees_agree", "p9_set_replay_is_idempotent", "p9_changes_of_different_elements_commute"),
    ),
    Mutant(
        "what both removed comes back",
        "merge",
        "return (mine | (theirs - base)) - (base - theirs)",
        "return ((mine | (theirs - base)) - (base - theirs)) | (base - mine - theirs)",
        ("p9_set_replay_is_idempotent",),
    ),
    Mutant(
        "homes are not merged",
        "merge",
        "return merged if all(merged.values()) else dict.fromkeys(SIDES, kept[rules.prefer])",
        "return kept",
        ("p2_the_three_trees_agree",),
    ),
    Mutant(
        "an item that each side took out of another home ends in none",
        "merge",
        "return merged if all(merged.values()) else dict.fromkeys(SIDES, kept[rules.prefer])",
        "return merged",
        ("p6_every_edited_body_survives",),
    ),
    Mutant(
        "the follower keeps the tags it set itself",
        "follow",
        "tags = replay(base.of(follower).tags, model.tags, base.of(leader).tags)",
        "tags = replay(version.tags, model.tags, base.of(leader).tags)",
        ("p2_the_follower_mirrors_the_leader",),
    ),
    Mutant(
        "the follower's edit is not shelved",
        "follow",
        "loser = follower if rules.keeps_loser else None",
        "loser = None",
        ("p6_every_edited_body_survives",),
    ),
    Mutant(
        "what a frozen side marked to go becomes the base",
        "orders",
        "kept = not any(means_gone(self.pair.of(side), self.rules) for side in SIDES)",
        "kept = self.pair.local is not None and self.pair.remote is not None",
        ("p6_every_edited_body_survives",),
    ),
    Mutant(
        "a container with another in it waits for nothing",
        "containers",
        "if verbs.get(home) is Verb.DELETE:",
        "if home in active:",
        ("p3_planning_again_yields_nothing",),
    ),
    Mutant(
        "changes stand in the order in which items came",
        "plan",
        "changes.sort(key=lambda change: (change.stage, change.key))",
        "changes.sort(key=lambda change: change.stage)",
        ("p4_the_same_input_gives_the_same_plan",),
    ),
    Mutant(
        "a batch depends on what came first in it",
        "plan",
        "return _arrange(drafts, stages, blocked, rules, rights)",
        "return _arrange(drafts[1:] if len(drafts) > 2 else drafts, stages, blocked, rules, rights)",
        ("p4_the_same_input_gives_the_same_plan", "p5_any_order_inside_a_stage_gives_the_same_end"),
    ),
    Mutant(
        "parents and children are created in one stage",
        "containers",
        "else down[key]",
        "else 0",
        ("p5_any_order_inside_a_stage_gives_the_same_end", "p14_containers_come_first_and_go_last"),
    ),
    Mutant(
        "the body that loses is not shelved",
        "merge",
        "rules.prefer.other if rules.keeps_loser else None",
        "None",
        ("p6_every_edited_body_survives",),
    ),
    Mutant(
        "a deletion beats an edit",
        "decide",
        "if not edit and not needed:",
        "if not needed:",
        ("p6_every_edited_body_survives", "p10_an_edit_beats_a_deletion"),
    ),
    Mutant(
        "a new home is no edit",
        "decide",
        'return fresh or version.kept, phrase or (f"put into another folder {reason.WHERE[side]}" if fresh else "")',
        "return fresh or version.kept, phrase",
        ("p10_an_edit_beats_a_deletion",),
    ),
    Mutant(
        "a tag change is an edit",
        "decide",
        "edited = version.body != base.of(side).body",
        "edited = version.body != base.of(side).body or version.tags != base.of(side).tags",
        ("p10_a_tag_change_does_not",),
    ),
    Mutant(
        "the body goes the wrong way",
        "merge",
        'if len(changed) == 1:\n        return Body(changed[0], f"{verb} {reason.WHERE[changed[0]]}")\n    if same_sense(pair):',
        'if len(changed) == 1:\n        return Body(changed[0].other, "")\n    if same_sense(pair):',
        ("p6_every_edited_body_survives", "p7_the_side_that_changed_is_not_written"),
    ),
    Mutant(
        "what is right already is written again",
        "orders",
        "same = found.tags == wanted.tags and found.homes == wanted.homes",
        "same = False",
        (
            "p7_the_side_that_changed_is_not_written",
            "p7_a_world_edited_on_one_side_is_written_on_the_other",
        ),
    ),
    Mutant(
        "a container moved on one side is moved back",
        "merge",
        "return dict.fromkeys(SIDES, kept[rules.prefer if rules.prefer in moved else moved[0]])",
        "return dict.fromkeys(SIDES, kept[rules.prefer])",
        ("p7_a_world_edited_on_one_side_is_written_on_the_other",),
    ),
    Mutant(
        "the disk's move wins, whatever is preferred",
        "merge",
        "return dict.fromkeys(SIDES, kept[rules.prefer if rules.prefer in moved else moved[0]])",
        "return dict.fromkeys(SIDES, kept[moved[0]])",
        ("p8_swapping_sides_mirrors_the_plan",),
    ),
    Mutant(
        "a circle is always broken on the server's side",
        "containers",
        "homes = held(pair, rules.prefer).kept",
        "homes = (pair.remote or held(pair, rules.prefer)).kept",
        ("p8_swapping_sides_mirrors_the_plan",),
    ),
    Mutant(
        "the base of one side is used for both",
        "merge",
        "changed = [side for side in SIDES if held(pair, side).body != base.of(side).body]",
        "changed = [side for side in SIDES if held(pair, side).body != base.local.body]",
        ("p8_swapping_sides_mirrors_the_plan", "p7_the_side_that_changed_is_not_written"),
    ),
    Mutant(
        "any edit is a conflict",
        "merge",
        'if len(changed) == 1:\n        return Body(changed[0], f"{verb} {reason.WHERE[changed[0]]}")\n    if same_sense(pair):',
        "if len(changed) == 1:\n        return conflict(rules, verb)\n    if same_sense(pair):",
        ("p11_an_edit_after_a_clean_commit_is_no_conflict",),
    ),
    Mutant(
        "one limit is enough to suspend",
        "guard",
        "count > self.max_deletes and count",
        "count > self.max_deletes or count",
        ("p12_a_mass_delete_is_suspended",),
    ),
    Mutant(
        "the guard sleeps",
        "guard",
        "return count > self.max_deletes and",
        "return False and",
        ("p12_a_mass_delete_is_suspended",),
    ),
    Mutant(
        "an emptied folder is not noticed in a large account",
        "guard",
        "if home not in vanished and limits.passed(",
        "if not home and limits.passed(",
        ("p12_a_mass_delete_is_suspended",),
    ),
    Mutant(
        "a move is a loss",
        "guard",
        "(bool(order.removed_homes) and not order.added_homes)",
        "bool(order.removed_homes)",
        ("p12_a_move_is_no_loss",),
    ),
    Mutant(
        "only whole messages are lost",
        "guard",
        "order.verb is Verb.DELETE or (bool(order.removed_homes) and not order.added_homes)",
        "order.verb is Verb.DELETE",
        ("p12_a_vanished_directory_always_suspends",),
    ),
    Mutant(
        "a vanished directory is taken for an emptied one",
        "guard",
        "            if home in vanished:\n",
        "            if home in vanished and limits.passed(counted[home], 0):\n",
        ("p12_a_vanished_directory_always_suspends",),
    ),
    Mutant(
        "the planner reads the clock",
        "decide",
        "from jmapsync.planner.follow import follow\n",
        "import time\n\nfrom jmapsync.planner.follow import follow\n",
        ("p13_no_clock_no_random_no_io",),
    ),
    Mutant(
        "an identity depends on the hash seed",
        "guard",
        "for side, key, homes in sorted(self._losses):",
        "for side, key, homes in sorted(self._losses, key=hash):",
        ("p13_no_clock_no_random_no_io",),
    ),
    Mutant(
        "parents are deleted along with their children",
        "containers",
        "first_deletion + deepest - up[key]",
        "first_deletion",
        ("p14_containers_come_first_and_go_last",),
    ),
    Mutant(
        "deletions come first",
        "containers",
        "first_deletion + deepest - up[key]",
        "-1 - up[key]",
        ("p14_containers_come_first_and_go_last",),
    ),
    Mutant(
        "a parent that somebody has to live in is deleted",
        "containers",
        "wider = needed.union(*parents[Side.LOCAL].values(), *parents[Side.REMOTE].values())",
        "wider = needed",
        ("p2_the_three_trees_agree", "p3_planning_again_yields_nothing"),
    ),
    Mutant(
        "two moves close a circle",
        "containers",
        "needed, circular = wider, circular | circle",
        "needed, circular = wider, frozenset(trees) if wider == needed else circular\n"
        "        decisions = {key: permit(pair, rules, rights, needed=key in needed) for key, pair in trees.items()}\n"
        "        if circular:\n            return decisions, frozenset()",
        ("p14_containers_come_first_and_go_last",),
    ),
)
