"""Run the embedded server as a process of its own: `python -m jmapsync.demo --messages 200000`."""

from __future__ import annotations

import argparse
import signal
import threading

from jmapsync.demo.dialect import DIALECTS
from jmapsync.demo.sample import fill_sample
from jmapsync.demo.server import DemoServer
from jmapsync.demo.synthetic import populate_calendars, populate_contacts


def main() -> None:
    """Serve until SIGINT or SIGTERM; the first line of standard output is the session's URL."""
    parser = argparse.ArgumentParser(prog="python -m jmapsync.demo", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; default: a free one")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="rfc", help="which server to behave like")
    parser.add_argument("--user", default="demo")
    parser.add_argument("--password", default="demo")
    parser.add_argument("--token", default="demo-token", help="what a Bearer credential has to say")
    parser.add_argument("--messages", type=int, default=0, help="so many synthetic messages instead of the sample")
    parser.add_argument("--mailboxes", type=int, default=1, help="mailboxes the synthetic messages are spread over")
    parser.add_argument("--size", type=int, default=2000, help="their size in octets, on average")
    parser.add_argument("--contacts", type=int, default=0, help="so many synthetic contacts instead of the sample")
    parser.add_argument("--photo", type=int, default=0, help="the size of each one's photo in octets; 0: none")
    parser.add_argument("--events", type=int, default=0, help="so many synthetic events instead of the sample")
    parser.add_argument("--objects", type=int, help="maxObjectsInGet and maxObjectsInSet")
    parser.add_argument("--empty", action="store_true", help="nothing instead of the sample")
    parser.add_argument("--shared", action="store_true", help="one more account, which somebody shares with the user")
    options = parser.parse_args()

    server = DemoServer(
        dialect=options.dialect,
        user=options.user,
        password=options.password,
        token=options.token,
        port=options.port,
    )
    if options.shared:
        server.add_account("a2", name="shared", personal=False)
    if options.objects is not None:
        server.limits.max_objects_in_get = server.limits.max_objects_in_set = options.objects
    if options.contacts or options.events:
        populate_contacts(server.account, options.contacts, photo_size=options.photo)
        populate_calendars(server.account, options.events)
    if options.messages:
        mailboxes = ["INBOX", *(server.account.create_mailbox(f"Box {n}") for n in range(2, options.mailboxes + 1))]
        server.account.populate(options.messages, mailboxes=mailboxes, size=options.size)
    elif not (options.contacts or options.events or options.empty):
        fill_sample(server.account)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        print(server.url, flush=True)  # noqa: T201 - the one thing the caller needs
        stopped.wait()


if __name__ == "__main__":
    main()
