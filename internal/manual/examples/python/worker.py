#!/usr/bin/env python3
"""A worker for Paramedic in Python: it needs Python 3.8 and nothing else.

Its one action, flag.set, turns a feature flag in a JSON file on or off. Put your
own class in the place of Flags, and leave Worker as it is: that class keeps what
"paramedic help workers" asks of a worker. Whenever the bus does not answer, the
process ends: whoever started it starts it again, the task comes again, and the
claim says how far it had come.
"""

import fcntl
import hashlib
import json
import os
import queue
import re
import sys
import threading
import time
from base64 import b64decode
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from nats import Nats, seed_in


class Refused(Exception):
    """Nothing was changed, and why: retryable, terminal or plan-changed."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Flags:
    """The action. The file's "changes" are the ids of the tasks that changed it:
    that is how a change can be found again, whoever made it."""

    fenced = True  # the file refuses a change that was planned on another state

    def __init__(self, file):
        self.file = file

    def _key(self, task):
        flag, on = task.get("params", {}).get("flag"), task.get("params", {}).get("on")
        if not isinstance(flag, str) or not flag or not isinstance(on, bool):
            raise Refused("terminal", "params: want flag, a text, and on, true or false")
        return task["target"]["name"] + "/" + flag, on

    @contextmanager
    def _state(self):
        with open(self.file + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = {"flags": {}, "changes": []}
            if os.path.exists(self.file):
                with open(self.file, encoding="utf-8") as f:
                    state = json.load(f)
            yield state

    def _write(self, state):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            json.dump(state, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(self.file + ".new", self.file)

    def plan(self, task):
        key, on = self._key(task)
        with self._state() as state:
            now = state["flags"].get(key, False)
            return {
                "target": task["target"], "summary": f"turn {key} {'on' if on else 'off'}", "noop": now == on,
                "changes": [] if now == on else [{"field": key, "from": str(now).lower(), "to": str(on).lower()}],
                "precondition": {"state": fingerprint(state)},
            }

    def execute(self, task, plan):
        key, on = self._key(task)
        with self._state() as state:
            if fingerprint(state) != plan["precondition"]["state"]:
                raise Refused("plan-changed", f"{self.file} was changed since the plan was made")
            before = state["flags"].get(key, False)
            state["flags"][key] = on
            state["changes"].append(task["id"])
            self._write(state)
        return {"summary": plan["summary"], "before": {"on": before}}

    def observe(self, task, plan):
        with self._state() as state:
            return "applied" if task["id"] in state["changes"] else "not-applied"

    def undo(self, task, outcome):
        """May be called again, and then changes nothing."""
        key, on = self._key(task)
        # An outcome that was observed has no "before": a flag has one other state.
        before = (outcome.get("before") or {"on": not on})["on"]
        with self._state() as state:
            if task["id"] not in state["changes"]:
                state["flags"][key] = before
                state["changes"].append(task["id"])
                self._write(state)


def fingerprint(state):
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


class Left(Exception):
    """The task is another worker's now: its message is left alone."""


class Later(Exception):
    """The task is put back, to come again after so many seconds."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


class Worker:
    def __init__(self, nats, group, domain, actions):
        self.nats, self.group, self.actions = nats, group, actions
        self.name = f"python-{os.getpid()}-{time.time_ns():x}"
        self.api = f"$JS.{domain}.API." if domain else "$JS.API."
        self.bucket = "CLAIMS" if group == "default" else "CLAIMS_" + group
        info = self.ask(f"CONSUMER.INFO.WORK.{group}")
        self.beat = info["config"]["ack_wait"] / 1e9 / 3

    # ---- the queue

    def run(self):
        print(f"worker {self.name} takes tasks of group {self.group}: {', '.join(self.actions)}", flush=True)
        _, inbox, arrived = self.nats.subscribe()
        pull = json.dumps({"batch": 1, "expires": 30_000_000_000, "idle_heartbeat": 5_000_000_000}).encode()
        asked = False
        while True:
            if not asked:
                self.nats.publish(f"{self.api}CONSUMER.MSG.NEXT.WORK.{self.group}", pull, inbox)
            try:
                message = arrived.get(timeout=12)
            except queue.Empty:
                sys.exit("the bus has not even sent a heartbeat for 12 s")
            status = message.headers.get("Status")
            asked = status == "100"  # a heartbeat; any other status ends the request
            if not status:
                self.take(message)

    def take(self, message):
        action = message.subject[len(f"work.{self.group}."):]
        if action not in self.actions:
            return self.put_back(message, 1)  # another worker of the group may know it
        try:
            task = json.loads(message.data)
            if not isinstance(task["id"], str) or not re.fullmatch(r"[!-~]{1,480}", task["id"]):
                raise ValueError("its id is not 1 to 480 printable characters")
        except (ValueError, KeyError, TypeError) as e:
            return self.bury(message, action, f"no task: {e}")
        stop = threading.Event()
        keeper = threading.Thread(target=self.keep_alive, args=(message, stop), daemon=True)
        keeper.start()
        try:
            result = self.do(task)
        except Left:
            return None
        except Later as e:
            stop.set()
            keeper.join()  # or else a heartbeat could come behind and undo it
            return self.put_back(message, e.seconds)
        finally:
            stop.set()
            keeper.join()
        # First the result, then the acknowledgement: a crash between the two only
        # has the result published again.
        self.store("inbox.result." + self.group, {"result": result}, {"Nats-Msg-Id": "result/" + task["id"]})
        self.nats.request(message.reply, b"+ACK")
        print("answered", task["id"], flush=True)

    def keep_alive(self, message, stop):
        while not stop.wait(self.beat):
            self.nats.publish(message.reply, b"+WPI")

    def put_back(self, message, seconds):
        self.nats.publish(message.reply, b'-NAK {"delay": %d}' % max(1, seconds * 1e9))

    def bury(self, message, action, reason):
        meta = json.dumps({"reason": reason[:1000]})
        key = "undecodable/" + hashlib.sha256(message.data).hexdigest()[:32]
        self.store(f"dead.{self.group}.{action}", message.data, {"Nats-Msg-Id": key, "Paramedic-Meta": meta})
        self.nats.publish(message.reply, b"+TERM undecodable")

    # ---- the bus

    def ask(self, what, body=None):
        return self.nats.request(self.api + what, json.dumps(body).encode() if body else b"")

    def store(self, subject, data, headers):
        """Returns the sequence, or None if the headers expect another revision."""
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        answer = self.nats.request(subject, data, headers)
        error = answer.get("error")
        if error and error["err_code"] in (10071, 10164):
            return None
        if error:
            raise ConnectionError(f"{subject}: {error['description']}")
        return answer["seq"]

    def read(self, bucket, key):
        """The value and the revision of a key; None and 0 for one that is not there."""
        answer = self.ask(f"STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": f"$KV.{bucket}.{token(key)}"})
        error = answer.get("error")
        if error and error["err_code"] == 10037:
            return None, 0
        if error:
            raise ConnectionError(f"{bucket} {key}: {error['description']}")
        m = answer["message"]
        gone = b"KV-Operation" in b64decode(m.get("hdrs", ""))
        return None if gone else b64decode(m.get("data", "")), m["seq"]

    # ---- what a task asks for

    def do(self, task):
        invalid = self.invalid(task)
        if task.get("kind") in ("execute", "undo"):
            return self.change(task, invalid)
        if invalid:
            return self.result(task, failure=failure("terminal", invalid))
        if expired(task):
            return self.result(task, failure=failure("expired", "it came too late"))
        try:
            return self.result(task, plan=self.actions[task["action"]].plan(task))
        except Refused as e:
            return self.result(task, failure=failure(e.kind, str(e)))

    def invalid(self, task):
        needs = {"plan": (), "execute": ("plan",), "undo": ("plan", "outcome", "undoes")}.get(task.get("kind"))
        if needs is None:
            return f"kind {task.get('kind')!r} is not plan, execute or undo"
        if task.get("action") not in self.actions or task.get("group") != self.group:
            return "the task is for another action or group than the subject on which it came"
        missing = [f for f in ("target", "notAfter", "timeout", "scopes", *needs) if not task.get(f)]
        return f"without {', '.join(missing)} nothing can be done" if missing else None

    def result(self, task, **how):
        return {"task": task["id"], "worker": self.name, "at": now().isoformat(), **how}

    def gate(self, task):
        """Why nothing may be called now, by the time and the kill switch."""
        if expired(task):
            return failure("expired", "it came too late")
        for scope in task["scopes"]:
            if self.read("PAUSES", scope)[0] is not None:
                return failure("paused", "paused: " + scope)
        return None

    # ---- the claim: written before a call, and with its result after it

    def write(self, task, revision, **claim):
        """Returns the new revision. Whoever finds another one has lost the task."""
        value = {"worker": self.name, "at": now().isoformat(), "since": now().isoformat(), **claim}
        subject = f"$KV.{self.bucket}.{token(task['id'])}"
        written = self.store(subject, value, {"Nats-Expected-Last-Subject-Sequence": revision})
        if written is None:
            raise Left
        return written

    def settle(self, task, revision, calls, **how):
        result = self.result(task, **how)
        self.write(task, revision, state="done", calls=calls, result=result)
        return result

    def change(self, task, invalid):
        value, revision = self.read(self.bucket, task["id"])
        claim = json.loads(value) if value is not None else {"state": "none", "calls": 0}
        if claim["state"] == "done":
            return claim["result"]
        if claim["state"] == "started" and invalid:
            raise Later(5)  # whoever claimed it was able to do it
        if claim["state"] == "started":
            return self.resume(task, claim, revision)
        why = failure("terminal", invalid) if invalid else self.gate(task)
        if why:
            return self.settle(task, revision, 0, failure=why)
        plan = task["plan"]
        if task["kind"] == "execute":
            try:
                plan = self.actions[task["action"]].plan(task)
            except Refused as e:
                return self.settle(task, revision, 0, failure=failure(e.kind, str(e)))
            if allowed(plan) != allowed(task["plan"]):
                why = failure("plan-changed", "now it would be: " + plan["summary"])
                return self.settle(task, revision, 0, failure=why)
            if plan.get("noop"):
                return self.settle(task, revision, 0, outcome={"summary": plan["summary"]})
        revision = self.write(task, revision, state="started", calls=1, plan=plan)
        why = self.gate(task)  # a pause may have come before the claim
        if why:
            return self.settle(task, revision, 0, failure=why)
        return self.call(task, plan, revision, 1)

    def call(self, task, plan, revision, calls):
        action = self.actions[task["action"]]
        try:
            if task["kind"] == "undo":
                action.undo(task, task["outcome"])
                outcome = {"summary": "put back: " + task["outcome"]["summary"]}
            else:
                outcome = action.execute(task, plan)
        except Refused as e:
            # The word of a later call is about itself only, unless the target
            # would refuse the earlier one, too.
            sure = calls == 1 or e.kind == "plan-changed" and action.fenced
            return self.settle(task, revision, calls, failure=failure(e.kind if sure else "unknown", str(e)))
        return self.settle(task, revision, calls, outcome=outcome)

    def resume(self, task, claim, revision):
        """Somebody announced a call and did not say what became of it."""
        action, plan, calls = self.actions[task["action"]], claim["plan"], claim["calls"]
        left = (when(claim["at"]) + timedelta(seconds=task["timeout"] / 1e9) - now()).total_seconds()
        again = task["kind"] == "undo"
        if not again:
            effect = action.observe(task, plan)
            if effect == "applied":
                return self.settle(task, revision, calls, outcome={"summary": plan["summary"]}, observed=True)
            again = effect == "not-applied" and action.fenced
        if left > 0 and not (again and task["kind"] == "execute"):
            raise Later(left)  # the call may still be under way
        if not again or calls >= 4 or self.gate(task):
            return self.settle(task, revision, calls, failure=failure("unknown", "nobody knows whether it was done"))
        revision = self.write(task, revision, state="started", calls=calls + 1, plan=plan, since=claim["since"])
        return self.call(task, plan, revision, calls + 1)


def failure(kind, message):
    return {"class": kind, "message": message}


def allowed(plan):
    """What of a plan was agreed to."""
    return [plan["target"], plan["summary"], plan.get("changes") or [], plan.get("noop") or False]


def token(key):
    return re.sub(rb"[^A-Za-z0-9_/-]", lambda m: b"=%02X" % m.group()[0], key.encode()).decode()


def now():
    return datetime.now(timezone.utc)


def when(text):
    """RFC 3339, with up to nine digits behind the second."""
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", lambda m: m.group(1).ljust(7, "0"), text).replace("Z", "+00:00"))


def expired(task):
    return now() > when(task["notAfter"])


if __name__ == "__main__":
    seed = os.environ.get("NATS_NKEY_SEED_FILE")
    bus = Nats(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), seed_in(seed) if seed else None)
    Worker(
        bus, os.environ.get("PARAMEDIC_GROUP", "default"), os.environ.get("PARAMEDIC_DOMAIN", ""),
        {"flag.set": Flags(os.environ.get("FLAGS_FILE", "flags.json"))},
    ).run()
