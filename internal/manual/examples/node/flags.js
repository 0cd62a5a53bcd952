// The action flag.set: it turns a feature flag on or off. The flags are a folder
// with a file for each version of them, {flags, by}: by is the task that made it,
// which is how a change can be found again, whoever made it.

import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// Refused says that nothing was changed, and why: retryable, terminal or plan-changed.
export class Refused extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export class Flags {
  // The folder refuses a change that was planned on another version.
  fenced = true;

  constructor(folder) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  plan(task) {
    const { key, on } = wanted(task);
    const { version, flags } = this.#newest();
    const now = flags[key] ?? false;
    return {
      target: task.target,
      summary: `turn ${key} ${on ? "on" : "off"}`,
      noop: now === on,
      changes: now === on ? [] : [{ field: key, from: String(now), to: String(on) }],
      precondition: { version },
    };
  }

  execute(task, plan) {
    const { key, on } = wanted(task);
    const { version, flags } = this.#newest();
    if (version !== plan.precondition.version) {
      throw new Refused("plan-changed", `the flags are at version ${version}, not ${plan.precondition.version}`);
    }
    this.#write(version + 1, { flags: { ...flags, [key]: on }, by: task.id });
    return { summary: plan.summary, before: { on: flags[key] ?? false } };
  }

  observe(task) {
    return this.#madeBy(task.id) ? "applied" : "not-applied";
  }

  // May be called again, and then changes nothing.
  undo(task, outcome) {
    const { key, on } = wanted(task);
    if (this.#madeBy(task.id)) return;
    const { version, flags } = this.#newest();
    // An outcome that was observed has no "before": a flag has one other state.
    const before = outcome.before?.on ?? !on;
    this.#write(version + 1, { flags: { ...flags, [key]: before }, by: task.id });
  }

  #file(version) {
    return join(this.folder, `${version}.json`);
  }

  #versions() {
    return readdirSync(this.folder).filter((name) => /^\d+\.json$/.test(name)).map((name) => Number.parseInt(name, 10));
  }

  #newest() {
    const version = Math.max(0, ...this.#versions());
    return { version, flags: version ? this.#read(version).flags : {} };
  }

  #read(version) {
    return JSON.parse(readFileSync(this.#file(version), "utf8"));
  }

  #madeBy(task) {
    return this.#versions().some((version) => this.#read(version).by === task);
  }

  // A link to a name that exists is refused: of two writers of one version one wins.
  #write(version, state) {
    const draft = join(this.folder, `.${process.pid}`);
    writeFileSync(draft, JSON.stringify(state), { flush: true });
    try {
      linkSync(draft, this.#file(version));
    } catch (e) {
      if (!existsSync(this.#file(version))) throw e;
      throw new Refused("plan-changed", `somebody else made version ${version} of the flags`);
    } finally {
      unlinkSync(draft);
    }
  }
}

function wanted(task) {
  const { flag, on } = task.params ?? {};
  if (typeof flag !== "string" || flag === "" || typeof on !== "boolean") {
    throw new Refused("terminal", "params: want flag, a text, and on, true or false");
  }
  return { key: `${task.target.name}/${flag}`, on };
}
