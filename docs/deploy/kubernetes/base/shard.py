"""Run jmapsync for the accounts of one shard: `shard.py COMMAND [OPTION]...`, such as `shard.py run`.

SHARDS is the number of shards; SHARD, else JOB_COMPLETION_INDEX, is this one: a number, or a name that ends in `-` and a number, as
that of a pod of a StatefulSet. Each account is in exactly one shard, whatever other accounts there are. With one more shard, only
the accounts that move to it change places.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys

ENDING = {signal.SIGTERM, signal.SIGINT}


def shard_of(account: str, shards: int) -> int:
    """Return the shard of an account: the one whose digest together with the name is the greatest (rendezvous hashing)."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{shard}:{account}".encode()).digest())


def this_shard(value: str, shards: int) -> int:
    """Return the number at the end of a value; raise ValueError for one that is no shard."""
    number = int(value.rpartition("-")[2])
    if not 0 <= number < shards:
        raise ValueError(f"shard {number} of {shards}")
    return number


def main() -> None:
    """Become jmapsync. A daemon without accounts waits for its end: a command without names would mean all accounts."""
    shards = int(os.environ["SHARDS"])
    shard = this_shard(os.environ.get("SHARD") or os.environ["JOB_COMPLETION_INDEX"], shards)
    listed = subprocess.run(["jmapsync", "accounts", "--json"], check=True, stdout=subprocess.PIPE).stdout
    accounts = json.loads(listed)["accounts"].items()
    own = [
        name for name, about in accounts if "shared" not in about
    ]  # shared accounts are synchronized with the one that sees them
    mine = [name for name in own if shard_of(name, shards) == shard]
    if not mine:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    print(f"shard {shard} of {shards}: {len(mine)} accounts", file=sys.stderr, flush=True)
    if mine:
        os.execvp("jmapsync", ["jmapsync", *sys.argv[1:], *mine])
    if sys.argv[1:2] == ["run"]:
        signal.sigwait(ENDING)


if __name__ == "__main__":
    main()
