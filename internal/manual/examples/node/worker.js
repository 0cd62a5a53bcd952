// A worker for Paramedic in JavaScript, on npm's nats package: npm ci, node worker.js.
//
// Its one action is in flags.js. Put your own class in the place of Flags, and leave
// Worker as it is: that class keeps what "paramedic help workers" asks of a worker.
// Whenever the bus does not answer, the process ends: whoever started it starts it
// again, the task comes again, and the claim says how far it had come.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, createInbox, headers, nkeyAuthenticator } from "nats";
import { Flags, Refused } from "./flags.js";

// Later puts the task back, to come again after so many milliseconds.
class Later extends Error {
  constructor(ms) {
    super(`again in ${ms} ms`);
    this.ms = ms;
  }
}

// Left says that the task is another worker's now: its message is left alone.
class Left extends Error {}

class Worker {
  constructor(nc, group, domain, actions) {
    Object.assign(this, { nc, group, actions });
    this.name = `node-${process.pid}-${Date.now().toString(36)}`;
    this.api = domain ? `$JS.${domain}.API.` : "$JS.API.";
    this.bucket = group === "default" ? "CLAIMS" : `CLAIMS_${group}`;
  }

  // ---- the queue

  async run() {
    const info = await this.ask(`CONSUMER.INFO.WORK.${this.group}`);
    this.beat = info.config.ack_wait / 1e6 / 3;
    console.log(`worker ${this.name} takes tasks of group ${this.group}: ${Object.keys(this.actions)}`);
    const inbox = createInbox();
    const pull = () =>
      this.nc.publish(
        `${this.api}CONSUMER.MSG.NEXT.WORK.${this.group}`,
        JSON.stringify({ batch: 1, expires: 30e9, idle_heartbeat: 5e9 }),
        { reply: inbox },
      );
    const silent = () => {
      console.error("the bus has not even sent a heartbeat for 12 s");
      process.exit(1);
    };
    const arrived = this.nc.subscribe(inbox);
    pull();
    let silence = setTimeout(silent, 12_000);
    for await (const message of arrived) {
      clearTimeout(silence);
      const status = message.headers?.code ?? 0;
      if (!status) await this.take(message);
      if (status !== 100) pull(); // any status but a heartbeat's ends the request
      silence = setTimeout(silent, 12_000);
    }
  }

  async take(message) {
    const action = message.subject.slice(`work.${this.group}.`.length);
    if (!(action in this.actions)) return this.putBack(message, 1000); // another worker may know it
    let task;
    try {
      task = JSON.parse(message.string());
      if (!/^[!-~]{1,480}$/.test(typeof task.id === "string" ? task.id : "")) {
        throw new Error("its id is not 1 to 480 printable characters");
      }
    } catch (e) {
      return this.bury(message, action, `no task: ${e.message}`);
    }
    const keeper = setInterval(() => this.nc.publish(message.reply, "+WPI"), this.beat);
    let result;
    try {
      result = await this.do(task);
    } catch (e) {
      clearInterval(keeper); // a heartbeat behind the next line would undo it
      if (e instanceof Later) return this.putBack(message, e.ms);
      if (e instanceof Left) return undefined;
      throw e;
    }
    clearInterval(keeper);
    // First the result, then the acknowledgement: a crash between the two only has
    // the result published again.
    await this.store(`inbox.result.${this.group}`, JSON.stringify({ result }), { "Nats-Msg-Id": `result/${task.id}` });
    await this.nc.request(message.reply, "+ACK", { timeout: 5000 });
    console.log("answered", task.id);
  }

  putBack(message, ms) {
    this.nc.publish(message.reply, `-NAK {"delay": ${Math.max(1, Math.round(ms * 1e6))}}`);
  }

  async bury(message, action, reason) {
    await this.store(`dead.${this.group}.${action}`, message.data, {
      "Nats-Msg-Id": `undecodable/${createHash("sha256").update(message.data).digest("hex").slice(0, 32)}`,
      "Paramedic-Meta": JSON.stringify({ reason: reason.slice(0, 1000) }),
    });
    this.nc.publish(message.reply, "+TERM undecodable");
  }

  // ---- the bus

  async ask(what, body) {
    const answer = await this.nc.request(this.api + what, body ? JSON.stringify(body) : "", { timeout: 5000 });
    return answer.json();
  }

  // Gives the sequence, or null if the headers expect another revision.
  async store(subject, data, fields) {
    const h = headers();
    for (const [name, value] of Object.entries(fields)) h.set(name, String(value));
    const { error, seq } = (await this.nc.request(subject, data, { headers: h, timeout: 5000 })).json();
    if (error && [10071, 10164].includes(error.err_code)) return null;
    if (error) throw new Error(`${subject}: ${error.description}`);
    return seq;
  }

  // The value of a key and its revision: undefined and 0 for one that is not there.
  async read(bucket, key) {
    const { error, message } = await this.ask(`STREAM.MSG.GET.KV_${bucket}`, { last_by_subj: `$KV.${bucket}.${token(key)}` });
    if (error?.err_code === 10037) return { revision: 0 };
    if (error) throw new Error(`${bucket} ${key}: ${error.description}`);
    const gone = Buffer.from(message.hdrs ?? "", "base64").includes("KV-Operation");
    return { revision: message.seq, value: gone ? undefined : Buffer.from(message.data ?? "", "base64").toString() };
  }

  // ---- what a task asks for

  async do(task) {
    const invalid = this.invalid(task);
    if (task.kind === "execute" || task.kind === "undo") return this.change(task, invalid);
    if (invalid) return this.result(task, { failure: failure("terminal", invalid) });
    if (expired(task)) return this.result(task, { failure: failure("expired", "it came too late") });
    return this.result(task, await this.tried(async () => ({ plan: await this.actions[task.action].plan(task) })));
  }

  invalid(task) {
    const needs = { plan: [], execute: ["plan"], undo: ["plan", "outcome", "undoes"] }[task.kind];
    if (!needs) return `kind ${JSON.stringify(task.kind)} is not plan, execute or undo`;
    if (!(task.action in this.actions) || task.group !== this.group) {
      return "the task is for another action or group than the subject on which it came";
    }
    const missing = ["target", "notAfter", "timeout", "scopes", ...needs].filter((field) => !task[field]);
    return missing.length > 0 ? `without ${missing.join(", ")} nothing can be done` : undefined;
  }

  result(task, how) {
    return { task: task.id, worker: this.name, at: new Date().toISOString(), ...how };
  }

  // What f gives, or the failure that it refuses with.
  async tried(f) {
    try {
      return await f();
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      return { failure: failure(e.kind, e.message) };
    }
  }

  // Why nothing may be called now, by the time and the kill switch.
  async gate(task) {
    if (expired(task)) return failure("expired", "it came too late");
    for (const scope of task.scopes) {
      if ((await this.read("PAUSES", scope)).value !== undefined) return failure("paused", `paused: ${scope}`);
    }
    return undefined;
  }

  // ---- the claim: written before a call, and with its result after it

  // Gives the new revision. Whoever finds another one has lost the task.
  async write(task, revision, claim) {
    const at = new Date().toISOString();
    const value = JSON.stringify({ worker: this.name, at, since: at, ...claim });
    const written = await this.store(`$KV.${this.bucket}.${token(task.id)}`, value, {
      "Nats-Expected-Last-Subject-Sequence": revision,
    });
    if (written === null) throw new Left();
    return written;
  }

  async settle(task, revision, calls, how) {
    const result = this.result(task, how);
    await this.write(task, revision, { state: "done", calls, result });
    return result;
  }

  async change(task, invalid) {
    const { value, revision } = await this.read(this.bucket, task.id);
    const claim = value === undefined ? { state: "none" } : JSON.parse(value);
    if (claim.state === "done") return claim.result;
    if (claim.state === "started" && invalid) throw new Later(5000); // whoever claimed it was able to do it
    if (claim.state === "started") return this.resume(task, claim, revision);
    let why = invalid ? failure("terminal", invalid) : await this.gate(task);
    if (why) return this.settle(task, revision, 0, { failure: why });
    let plan = task.plan;
    if (task.kind === "execute") {
      const fresh = await this.tried(async () => ({ plan: await this.actions[task.action].plan(task) }));
      if (fresh.failure) return this.settle(task, revision, 0, fresh);
      plan = fresh.plan;
      if (allowed(plan) !== allowed(task.plan)) {
        return this.settle(task, revision, 0, { failure: failure("plan-changed", `now it would be: ${plan.summary}`) });
      }
      if (plan.noop) return this.settle(task, revision, 0, { outcome: { summary: plan.summary } });
    }
    const mine = await this.write(task, revision, { state: "started", calls: 1, plan });
    why = await this.gate(task); // a pause may have come before the claim
    if (why) return this.settle(task, mine, 0, { failure: why });
    return this.call(task, plan, mine, 1);
  }

  async call(task, plan, revision, calls) {
    const action = this.actions[task.action];
    const how = await this.tried(async () => {
      if (task.kind === "execute") return { outcome: await action.execute(task, plan) };
      await action.undo(task, task.outcome);
      return { outcome: { summary: `put back: ${task.outcome.summary}` } };
    });
    // The word of a later call is about itself only, unless the target would refuse
    // the earlier one, too.
    if (how.failure && calls > 1 && !(how.failure.class === "plan-changed" && action.fenced)) how.failure.class = "unknown";
    return this.settle(task, revision, calls, how);
  }

  // Somebody announced a call and did not say what became of it.
  async resume(task, claim, revision) {
    const { plan, calls } = claim;
    const left = Date.parse(claim.at) + task.timeout / 1e6 - Date.now();
    let again = task.kind === "undo";
    if (!again) {
      const action = this.actions[task.action];
      const effect = await action.observe(task, plan);
      if (effect === "applied") {
        return this.settle(task, revision, calls, { outcome: { summary: plan.summary }, observed: true });
      }
      again = effect === "not-applied" && action.fenced;
    }
    if (left > 0 && !(again && task.kind === "execute")) throw new Later(left); // the call may still be under way
    if (!again || calls >= 4 || (await this.gate(task))) {
      return this.settle(task, revision, calls, { failure: failure("unknown", "nobody knows whether it was done") });
    }
    const mine = await this.write(task, revision, { state: "started", calls: calls + 1, plan, since: claim.since });
    return this.call(task, plan, mine, calls + 1);
  }
}

function failure(kind, message) {
  return { class: kind, message };
}

// What of a plan was agreed to, in a form that compares.
function allowed({ target, summary, changes, noop }) {
  const { system, cluster, account, namespace, kind, name } = target;
  const list = (changes ?? []).map(({ field, from, to }) => [field, from, to]);
  return JSON.stringify([system, cluster, account, namespace, kind, name, summary, list, noop ?? false]);
}

function token(key) {
  const plain = /[A-Za-z0-9_/-]/;
  return [...Buffer.from(key)]
    .map((byte) => String.fromCharCode(byte))
    .map((c) => (plain.test(c) ? c : `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`))
    .join("");
}

function expired(task) {
  return Date.now() > Date.parse(task.notAfter);
}

const { NATS_URL, NATS_NKEY_SEED_FILE, PARAMEDIC_GROUP, PARAMEDIC_DOMAIN, FLAGS_FOLDER } = process.env;
const seed = NATS_NKEY_SEED_FILE && readFileSync(NATS_NKEY_SEED_FILE, "utf8").match(/^SU\S+$/m)[0];
const nc = await connect({
  servers: NATS_URL ?? "nats://127.0.0.1:4222",
  name: "paramedic-worker",
  reconnect: false,
  ...(seed && { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) }),
});
nc.closed().then((why) => {
  console.error("connection:", why?.message ?? "closed");
  process.exit(1);
});
await new Worker(nc, PARAMEDIC_GROUP ?? "default", PARAMEDIC_DOMAIN, { "flag.set": new Flags(FLAGS_FOLDER ?? "flags") }).run();
