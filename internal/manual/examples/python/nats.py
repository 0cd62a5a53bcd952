"""As much of a NATS client as a worker needs, with the standard library only.

The protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
Whatever goes wrong with the connection ends the process: see worker.py for why
that is the simplest thing that is safe.
"""

import base64
import hashlib
import json
import os
import queue
import socket
import ssl
import threading
import uuid
from urllib.parse import urlparse


class Message:
    def __init__(self, subject, reply, headers, data):
        self.subject, self.reply, self.headers, self.data = subject, reply, headers, data


class Nats:
    """One connection. A thread reads; anybody may send."""

    def __init__(self, url, seed=None):
        address = urlparse(url)
        self._socket = socket.create_connection((address.hostname, address.port or 4222), timeout=10)
        info = json.loads(self._socket.makefile("rb", buffering=0).readline().split(b" ", 1)[1])
        if address.scheme == "tls" or info.get("tls_required"):
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=address.hostname)
        self._socket.settimeout(None)
        self._lines = self._socket.makefile("rb")
        self._lock, self._queues, self._last = threading.Lock(), {}, 0
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                   "lang": "python", "version": "1", "name": "paramedic-worker"}
        if seed:
            options["nkey"], sign = nkey(seed)
            options["sig"] = base64.urlsafe_b64encode(sign(info["nonce"].encode())).rstrip(b"=").decode()
        self._send(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        line = self._lines.readline()
        if not line.startswith(b"PONG"):
            raise ConnectionError("the server does not let this worker in: " + line.decode().strip())
        threading.Thread(target=self._read, daemon=True).start()

    def _send(self, data):
        with self._lock:
            self._socket.sendall(data)

    def _read(self):
        try:
            while True:
                line = self._lines.readline().decode()
                verb, *rest = line.split()  # an empty line is the end: an error here, too
                if verb == "PING":
                    self._send(b"PONG\r\n")
                elif verb in ("MSG", "HMSG"):
                    self._take(verb, rest)
                elif verb == "-ERR":
                    raise ConnectionError(line.strip())
        except Exception as e:  # nobody waits for an answer that cannot come
            print("connection:", e or "closed by the server", flush=True)
            os._exit(1)

    def _take(self, verb, words):
        size = int(words[-1])
        head = int(words[-2]) if verb == "HMSG" else 0
        named = words[: -2 if verb == "HMSG" else -1]
        body = self._lines.read(size + 2)[:-2]
        headers = {}
        if head:
            status, *fields = body[:head].decode().split("\r\n")
            headers["Status"] = status[len("NATS/1.0"):].strip().split(" ")[0]
            for field in filter(None, fields):
                name, _, value = field.partition(":")
                headers[name] = value.strip()
        message = Message(named[0], named[2] if len(named) > 2 else "", headers, body[head:])
        waiting = self._queues.get(named[1])
        if waiting:
            waiting.put(message)

    def subscribe(self):
        """A new inbox, and the queue that what comes to it goes into."""
        self._last += 1
        number, inbox = str(self._last), "_INBOX." + uuid.uuid4().hex
        self._queues[number] = queue.Queue()
        self._send(f"SUB {inbox} {number}\r\n".encode())
        return number, inbox, self._queues[number]

    def unsubscribe(self, number):
        self._send(f"UNSUB {number}\r\n".encode())
        self._queues.pop(number, None)

    def publish(self, subject, data=b"", reply="", headers=None):
        head = b""
        if headers:
            head = b"NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode() + b"\r\n"
        verb, sizes = ("HPUB", f"{len(head)} {len(head) + len(data)}") if head else ("PUB", str(len(data)))
        line = " ".join(filter(None, [verb, subject, reply, sizes]))
        self._send(line.encode() + b"\r\n" + head + data + b"\r\n")

    def request(self, subject, data=b"", headers=None, timeout=5):
        """The answer's JSON, or None if it has none. Raises where nobody answers."""
        number, inbox, answers = self.subscribe()
        try:
            self.publish(subject, data, inbox, headers)
            answer = answers.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"{subject}: no answer within {timeout} s") from None
        finally:
            self.unsubscribe(number)
        if answer.headers.get("Status") == "503":
            raise ConnectionError(f"{subject}: nobody is there to answer")
        return json.loads(answer.data) if answer.data else None


# What follows is the NKey login: an Ed25519 signature of the server's nonce, by
# RFC 8032. It is slow and meant for one signature a connection; a library such as
# PyNaCl does it better where there is one.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Y = 4 * pow(5, P - 2, P) % P
X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE = (X, Y, 1, X * Y % P)


def add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def nkey(seed):
    """The public NKey of a user's seed, and what signs with it."""
    raw = base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34]
    digest = hashlib.sha512(raw).digest()
    secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public = compress(multiply(secret, BASE))

    def sign(message):
        once = number(digest[32:], message) % ORDER
        point = compress(multiply(once, BASE))
        return point + ((once + number(point, public, message) * secret) % ORDER).to_bytes(32, "little")

    data = bytes([20 << 3]) + public  # the prefix that makes it begin with U
    check = 0
    for byte in data:  # CRC-16/XMODEM
        check ^= byte << 8
        for _ in range(8):
            check = (check << 1 ^ (0x1021 if check & 0x8000 else 0)) & 0xFFFF
    return base64.b32encode(data + check.to_bytes(2, "little")).decode().rstrip("="), sign


def seed_in(file):
    """The seed in a file as "paramedic bus credentials" writes it."""
    with open(file, encoding="ascii") as f:
        return next(line.strip() for line in f if line.startswith("SU"))
