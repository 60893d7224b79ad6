"""A small OpenAI-compatible server on loopback that answers well, or fails in a way it is told to."""

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Faulty:
    """A server whose next POSTs meet the faults in `faults`, one each; after that it answers well.

    A good chat answer is `You said: ` and the prompt's last word. Counts, echoes and log-probabilities are made up but
    consistent: a token is a word with the blank before it. Every request is recorded in `seen`.
    """

    def __init__(self, **abilities):
        self.models = ["alpha", "beta"]
        self.window = None
        self.faults = deque()
        self.seen = []
        self.at_once = 0
        self.most_at_once = 0
        self.delay = 0.0
        self.overhead = 3
        self.abilities = {"logprobs": True, "echo": True, "images": True, "usage": True, "list": True, **abilities}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def bodies(self):
        return [body for _, _, body in self.seen if body is not None]

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def enter(self, change):
        with self._lock:
            self.at_once += change
            self.most_at_once = max(self.most_at_once, self.at_once)

    def next_fault(self):
        with self._lock:
            return self.faults.popleft() if self.faults else None


def words(text):
    """Cut a text into words, each with the blank before it."""
    parts, start = [], 0
    for position in range(1, len(text)):
        if text[position] == " ":
            parts.append(text[start:position])
            start = position
    return [*parts, text[start:]] if text else []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: Faulty

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.owner.seen.append((self.path, dict(self.headers), None))
        if self.path != "/v1/models" or not self.owner.abilities["list"]:
            self.reply(404, {"error": {"message": "Not Found"}})
            return
        window = {} if self.owner.window is None else {"max_model_len": self.owner.window}
        self.reply(200, {"data": [{"id": name, "object": "model", **window} for name in self.owner.models]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.seen.append((self.path, dict(self.headers), body))
        self.owner.enter(+1)
        try:
            fault = self.owner.next_fault()
            if fault is not None:
                fault(self, body)
            else:
                self.answer(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.owner.enter(-1)

    def answer(self, body, **changes):
        """Answer well, but for changes to the reply."""
        time.sleep(self.owner.delay)
        if body["model"] not in self.owner.models:
            self.reply(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        elif self.path == "/v1/chat/completions":
            self.reply(200, self.chat(body) | changes)
        elif self.path == "/v1/completions":
            self.reply(200, self.text(body) | changes)
        else:
            self.reply(404, {"detail": "Not Found"})

    def said(self, prompt, body):
        last = prompt.split()[-1] if prompt.split() else "nothing"
        tokens = words(f"You said: {last}")[: body.get("max_tokens", body.get("max_completion_tokens"))]
        text = "".join(tokens)
        for stop in body.get("stop", ()):
            text = text.partition(stop)[0]
        tokens = words(text)
        return text, tokens, "length" if len(tokens) == body.get("max_tokens") else "stop"

    def chat(self, body):
        pictures = 0
        texts = []
        for message in body["messages"]:
            content = message["content"]
            if isinstance(content, list):
                pictures += sum(part["type"] == "image_url" for part in content)
                content = " ".join(part["text"] for part in content if part["type"] == "text")
            texts.append(content)
        text, tokens, finish = self.said(texts[-1], body)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        if body.get("logprobs") and self.owner.abilities["logprobs"]:
            choice["logprobs"] = {"content": [{"token": token, "logprob": -0.25} for token in tokens]}
        prompt = sum(len(words(text)) for text in texts) + self.owner.overhead
        return self.wrap(choice, prompt + 50 * pictures * self.owner.abilities["images"], len(tokens))

    def text(self, body):
        prompt = body["prompt"]
        text, tokens, finish = self.said(prompt, body)
        choice = {"index": 0, "text": text, "finish_reason": finish}
        if body.get("echo") and self.owner.abilities["echo"]:
            tokens = words(prompt) + tokens
            choice["text"] = prompt + text
        if body.get("logprobs") and self.owner.abilities["logprobs"]:
            offsets = [sum(map(len, tokens[:index])) for index in range(len(tokens))]
            # A longer word is less likely; a word with an x in it is not the best one.
            logprobs = [None if index == 0 and body.get("echo") else -0.5 * len(t) for index, t in enumerate(tokens)]
            tops = [{t: p} if "x" not in t else {"y": -0.01} for t, p in zip(tokens, logprobs, strict=True)]
            columns = {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}
            choice["logprobs"] = columns
        return self.wrap(choice, len(words(prompt)), len(words(text)))

    def wrap(self, choice, prompt, completion):
        reply = {"id": "1", "model": "alpha-2026-01-01", "choices": [choice]}
        if self.owner.abilities["usage"]:
            details = {"cached_tokens": prompt // 2}
            reply["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "prompt_tokens_details": details,
            }
        return reply

    def reply(self, status, body, headers=()):
        self.send(status, json.dumps(body).encode(), "application/json", headers)

    def send(self, status, content, kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def status(code, message="out of order", headers=()):
    """Answer with an HTTP error."""
    return lambda handler, body: handler.reply(code, {"error": {"message": message}}, headers)


def redirect(target):
    """Answer with a redirection."""
    return lambda handler, body: handler.reply(307, {}, [("Location", target)])


def changed(**fields):
    """Answer well, but for some fields of the reply."""
    return lambda handler, body: handler.answer(body, **fields)


def content(text, kind="text/html"):
    """Answer with something else than agreed."""
    return lambda handler, body: handler.send(200, text, kind)


def drop(handler, body):
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.close()


def cut(handler, body):
    """Promise more bytes than are sent, then close."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"mess')
    handler.close_connection = True


def dribble(handler, body):
    """Send a byte now and then, and never come to an end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)
    handler.close_connection = True


def silence(handler, body):
    """Say nothing for a long time."""
    time.sleep(5)
    handler.close_connection = True


def garbage(handler, body):
    """Send something that is not HTTP."""
    handler.wfile.write(b"\x00\x01\x02 hello\r\n\r\n")
    handler.close_connection = True


def flood(handler, body):
    """Send far more than any answer holds."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(2**30))
    handler.end_headers()
    block = b" " * 2**20
    for _ in range(1024):
        handler.wfile.write(block)
