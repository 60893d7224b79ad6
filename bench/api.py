"""How many questions a second the HTTP adapter asks, beside a plain loop, on a server that takes its time."""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from hardlimit.core import Generate, Message
from hardlimit.models.api import ApiSettings, Key, connect

REPLY = json.dumps(
    {"choices": [{"message": {"content": "blue"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
).encode()


@contextmanager
def serving(seconds: float) -> Iterator[str]:
    """A server on loopback that answers every question after so many seconds."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(seconds)
            self.send_response(200)
            self.send_header("Content-Length", str(len(REPLY)))
            self.end_headers()
            self.wfile.write(REPLY)

        def do_GET(self) -> None:
            self.send_error(404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def plain(url: str, prompts: list[str]) -> float:
    """Seconds of a plain loop that asks one after another over one connection."""
    started = time.perf_counter()
    with httpx.Client(trust_env=False, timeout=60.0) as client:
        for prompt in prompts:
            body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "max_tokens": 8}
            client.post(f"{url}/chat/completions", json=body).raise_for_status().json()
    return time.perf_counter() - started


def ours(url: str, prompts: list[str], concurrency: int) -> float:
    """Seconds of one batch of the adapter."""
    model = connect(ApiSettings(model="m", url=url, concurrency=concurrency), Key(None))
    asks = [Generate(messages=(Message(role="user", content=prompt),), max_tokens=8) for prompt in prompts]
    started = time.perf_counter()
    replies = [reply for _, reply in model.generate(asks)]
    seconds = time.perf_counter() - started
    assert all(reply.text == "blue" for reply in replies)
    return seconds


def main() -> None:
    """Print questions a second for several latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    questions = parser.parse_args().questions
    prompts = [f"Question {number}: what colour is the sky?" for number in range(questions)]
    print(f"{'latency':>8}  {'plain loop':>10}  {'1 at once':>10}  {'8 at once':>10}  {'32 at once':>10}   questions/s")
    for milliseconds in (0, 20, 100):
        with serving(milliseconds / 1000) as url:
            seconds = [plain(url, prompts), *(ours(url, prompts, n) for n in (1, 8, 32))]
        rates = "  ".join(f"{questions / each:10.0f}" for each in seconds)
        print(f"{milliseconds:>5} ms  {rates}")


if __name__ == "__main__":
    main()
