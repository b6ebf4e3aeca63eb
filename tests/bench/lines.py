"""Compare jmapsync and mbsync over lines with a round trip and a rate: `python -m tests.bench.lines 3.12 [--messages 1000]`.

jmapsync goes through nginx, by TLS and by HTTP/1.1 or HTTP/2; mbsync speaks plain IMAP and is spared a handshake. `--hidden` takes
Blob/get away (Cyrus 3.6 only). Needs root, nginx, and what tests/live/provision installs.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from tests.bench.bodies import HIDDEN
from tests.bench.daemon import say
from tests.bench.mbsync import Mbsync
from tests.bench.ours import Jmapsync, precompile
from tests.bench.seed import seed
from tests.live.cyrus import FLAVOURS, Cyrus, free_ports
from tests.live.imap import Imap

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "alice", "secret"
HOST = socket.gethostname()
"""Not a name of the loopback, of which jmapsync asks nothing compressed."""
LINES = ((30, 10), (30, 50), (150, 10), (150, 50))
"""Milliseconds of a round trip, megabits a second."""
_NGINX = """
daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;
events {{ }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {0}/b; proxy_temp_path {0}/p;
  fastcgi_temp_path {0}/f; scgi_temp_path {0}/s; uwsgi_temp_path {0}/u;
  ssl_certificate {0}/chain.pem; ssl_certificate_key {0}/key.pem; keepalive_requests 1000000;
  upstream jmap {{ server 127.0.0.1:{1}; keepalive 128; }}
  server {{
    listen {2} ssl{3}; gzip on; gzip_types application/json; gzip_proxied any;
    location / {{ proxy_pass http://jmap; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_hide_header Upgrade;  # which Cyrus sends, and HTTP/2 forbids
    }}
  }}
}}
"""


@contextmanager
def relay(port: int, milliseconds: int, megabits: int) -> Iterator[int]:
    """Carry connections to a port over a line; yield the port of the near end."""
    command = [sys.executable, "-m", "tests.bench.relay", str(port), str(milliseconds), str(megabits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def nginx(directory: Path, port: int, authority: trustme.CA, version: int) -> Iterator[int]:
    """Offer a port by TLS and a version of HTTP; yield the new port."""
    directory.mkdir()
    directory.chmod(0o755)
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(directory / "chain.pem", append=True)
    [near] = free_ports(1)
    (directory / "conf").write_text(_NGINX.format(directory, port, near, " http2" if version == 2 else ""))
    with subprocess.Popen(["nginx", "-c", str(directory / "conf")], stderr=subprocess.DEVNULL) as process:
        try:
            yield near
        finally:
            process.terminate()


def _line(text: str) -> tuple[int, int]:
    milliseconds, megabits = text.split(":")
    return int(milliseconds), int(megabits)


def main() -> None:
    """Seed one server and pull from it over every line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour", choices=FLAVOURS)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--hidden", action="store_true")
    parser.add_argument("--line", action="append", type=_line, metavar="MS:MBIT", help="a line instead of the usual ones")
    options = parser.parse_args()
    settings = HIDDEN if options.hidden else ""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")))
        server = stack.enter_context(Cyrus.start(options.flavour, settings=settings))
        server.create_user(USER, PASSWORD)
        with Imap(server.imap_port, USER, PASSWORD) as imap:
            octets = seed(imap, options.messages)
        precompile()
        authority = trustme.CA()
        directory = Path(name)
        directory.chmod(0o755)
        authority.cert_pem.write_to_path(directory / "ca.pem")
        versions = {v: stack.enter_context(nginx(directory / f"nginx{v}", server.jmap_port, authority, v)) for v in (1, 2)}
        say(f"Cyrus {server.version}: {options.messages} messages, {octets / 1e6:.1f} MB, load {os.getloadavg()[0]:.1f}")
        for milliseconds, megabits in options.line or LINES:
            place = directory / f"{milliseconds}-{megabits}"
            say(f"{milliseconds} ms, {megabits} Mbit/s: the octets alone {octets * 8 / megabits / 1e6:.2f} s")
            for version, port in versions.items():
                with relay(port, milliseconds, megabits) as near:
                    mirror = Jmapsync(place / f"http{version}", f"https://{HOST}:{near}/jmap/", USER, PASSWORD)
                    mirror.environment["SSL_CERT_FILE"] = str(directory / "ca.pem")
                    cost, report = mirror.run()
                    say(f"  jmapsync by HTTP/{version}: {cost}; {report['requests']} requests, {report['bytes'] / 1e6:.1f} MB")
                    cost, report = mirror.run()
                    say(f"    nothing to do: {cost}; {report['requests']} request(s)")
            with relay(server.imap_port, milliseconds, megabits) as near:
                peer = Mbsync(place / "mbsync", server, USER, PASSWORD, port=near)
                say(f"  mbsync: {peer.run()}; nothing to do: {peer.run()}")


if __name__ == "__main__":
    main()
