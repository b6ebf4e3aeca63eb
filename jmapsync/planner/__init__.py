"""Decide, purely, what has to be done to keep two sides the same. Start reading the project here.

One sentence
------------
Make three trees equal: what the **server** holds, what the **disk** holds, and what both were **last known to agree on**
(the base). An item is a *body*, a set of *tags* and a set of *homes*; a message, a card, an event, a task and even a
folder are items, and differ by `Rules`, never by code paths.

The three trees
---------------
::

    disk --observe--> local tree --+                       +--> orders to the disk
                                   |                       |
                      base --------+--> decide --> plan ---+--> conflict copy, for a body that loses
                                   |                       |
    server -observe-> remote tree -+                       +--> orders to the server

A `Version` has two fingerprints: `body`, the side's own, answers *did it change here?*; `sense` answers *do the sides mean
the same?*. The base keeps the pair of versions both sides were seen to hold, so that a side that cannot hold everything
(a Maildir knows few keywords) is compared with itself only and nothing travels in circles.

The table
---------
====== ====== ====== ==================================================================================================
local  remote base   result
====== ====== ====== ==================================================================================================
no     no     yes    forget
yes    no     no     create on the server
no     yes    no     create on disk
yes    no     yes    edited since the base? re-create on the server : delete on disk
no     yes    yes    edited since the base? re-create on disk : delete on the server
yes    yes    no     same sense? adopt, union of the sets : conflict
yes    yes    yes    body changed on one side: the other gets it; on both with the same sense: adopt; else conflict.
                     Sets replay: (mine + what they added) - what they removed
====== ====== ====== ==================================================================================================

"Edited" is a new body or a new home; a tag change alone does not bring a deleted item back. What is marked deleted on a side,
and was never on the other, is created there first. In a conflict the preferred side's body wins in place and the other is kept
as a conflict copy first: nothing asks, stops or is lost. A body with parts (`Rules.mergeable`: a card, an event) does not conflict
as a whole: the local edit is sent as a patch without what the server changed too, and the disk is then given what the server
holds (`sync/merge_objects.py`).
`decide` returns wanted states, `plan` their difference from the trees. The plan is derived and never stored, so resuming
after a crash needs no code of its own.

This package
------------
model       the types: Side, Version, Base, Pair, Rules, Decision, Order, Change, Plan
merge       whose body, which tags, which homes
permit      undo locally, or leave waiting, what the server does not permit
decide      the table; `follow` is its variant where a side may not be written (pull only)
orders      the difference between what is held and what is wanted; `containers` puts parents before children
plan        batches of items in, a sorted plan out
guard       suspend a plan that deletes too much, and say why
identify    which observation is which item: proven by content, never by a hint
reason      the words in which every action gives its reason

Nothing here reads a clock, uses random numbers, hashes, opens a file or a socket: the same trees give the same plan, byte for byte.
The other packages, and where to find what, are in docs/architecture.md.

A run
-----
Observe both sides; identify what was observed; the ledger ingests trees and cursors in one transaction; plan; the guard may
suspend before any write; execute stage by stage, one ledger commit per batch of items; again until nothing is left. File watching,
push and timers only trigger a run: what changed is found by observing. Every order carries what it expects to find, and a mismatch
means *plan again*, never *overwrite*. Only a whole listing, or the server's list of destroyed ids, can show that an item is gone.

Containers go first and last: plan them with the homes that items need (`needed_homes`), carry out what creates and moves,
then the items, then the deletions of containers.
"""
