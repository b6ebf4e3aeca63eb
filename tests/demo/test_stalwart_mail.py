"""Replay requests about mail that were made on a real Stalwart (0.16.19): the embedded server's answers differ as listed only."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jmapsync.demo import DemoServer
from tests.live.agreement.compare import places_apart
from tests.live.agreement.normal import Names
from tests.live.jmapraw import BLOB, CORE, MAIL, Jmap

FOLDER = Path(__file__).parent / "stalwart"
USING = [CORE, MAIL, BLOB["3.12"]]
UPLOAD = "eblaaak3sbw3ysfjvuofubwjmvwahpewuy0bwdgglzlp97breeujgeg2rs7nqbq"
KNOWN = {
    "email-import 0": "the blob of a message is another than that of its upload there",
    "email-import 1": "the same",
    "email-set 1": "keywords keep their case there",
    "email-set 3": "a keyword with a blank is taken there",
    "email-set 4": "the order of messages that were created one after the other",
    "email-set 5": "a state that is none is taken for one there",
    "mailbox-set-errors 0": "the inbox is called Inbox there, so that its name is taken as any other",
    "mailbox-set-errors 3": "the mailboxes that each account has from the start are others there",
    "blob-get 0": "the order of messages of one moment",
}


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def translated(value: Any, ids: dict[str, str]) -> Any:  # noqa: ANN401 # any JSON value
    """Return a request with this server's ids; creation ids stay."""
    if isinstance(value, dict):
        return {
            name: {key: translated(one, ids) for key, one in part.items()}
            if name in ("emails", "create") and isinstance(part, dict)
            else translated(part, ids)
            for name, part in ((path(key, ids), one) for key, one in value.items())
        }
    if isinstance(value, list):
        return [translated(one, ids) for one in value]
    return ids.get(value, value) if isinstance(value, str) else value


def path(name: str, ids: dict[str, str]) -> str:
    return "/".join(ids.get(step, step) for step in name.split("/"))


def test_mail_is_answered_as_the_real_server_answered() -> None:
    differing = {}
    with DemoServer(dialect="stalwart") as server, Jmap(server.url, "demo", "demo") as jmap:
        content = recorded("blob-get")["response"][1][1]["list"][0]["data:asBase64"]
        boxes = {box["role"]: box["id"] for box in jmap.mailboxes().values()}
        ids = {"a": boxes["inbox"], "b": boxes["trash"], "q": jmap.account, UPLOAD: jmap.upload(base64.b64decode(content))}
        states = {"n": jmap.one("Email/get", {"ids": []})["state"]}
        real, ours = Names(shared_states=False), Names(shared_states=False)
        for theirs, own in ids.items():
            real.name(theirs, theirs)
            ours.name(own, theirs)
        for name in ("email-import", "email-set", "mailbox-set-errors", "blob-get"):
            recording = recorded(name)
            for request, (_, answer, number) in zip(recording["request"], recording["response"], strict=True):
                arguments = translated({key: one for key, one in request[1].items() if key != "accountId"}, ids)
                if "sinceState" in arguments:
                    arguments["sinceState"] = states.get(arguments["sinceState"], arguments["sinceState"])
                ((_, reported, _),) = jmap.call_raw([(request[0], arguments)], USING)
                reported = {key: one for key, one in reported.items() if one is not None}
                if isinstance(answer.get("created"), dict):
                    ids |= {
                        one["id"]: reported["created"][key]["id"]
                        for key, one in answer["created"].items()
                        if key in reported["created"]
                    }
                real.name_created(answer)
                ours.name_created(reported)
                real.begin()
                ours.begin()
                kind = request[0].partition("/")[0]
                if found := places_apart(real.normal(answer, kind), ours.normal(reported, kind)):
                    differing[f"{name} {number}"] = found
    assert differing.keys() == KNOWN.keys(), differing
