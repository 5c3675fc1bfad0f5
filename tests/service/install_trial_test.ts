import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import type { HealthFile, PanelHealth } from "../../lib/state/health_file.ts";
import { atDate } from "../fake_time.ts";
import { CONFIG, configOf, FakeSystem, installNow, NAME, RELEASES, USERS } from "./fake_system.ts";
import { openHealth } from "../state/health_folder.ts";
import { seenTimeouts } from "./seen_timeouts.ts";
import { testsWith } from "../tests_with.ts";

const ONE = ["-e", "https://one.example", "-t", "t0ken-1"];
const TWO = ["-e", "https://two.example", "-t", "t0ken-2"];
/** The folders by which service managers are known. */
const OPENRC = "run/openrc";
const TYPO = ["-e", "https://tow.example", "-t", "t0ken-2"];

/**
 * A machine whose service manager starts an agent: it reports to the panels of its configuration,
 * and those that are up accept its reports, where the proxy works.
 */
class Machine extends FakeSystem {
  readonly up = new Set(["one.example", "two.example"]);
  /** Commands that fail, by their beginning. */
  failing = "";
  /** A restart ends nothing: the same agent goes on. */
  isStuck = false;
  #health: HealthFile | undefined;
  /** No two agents start at the same time, even where no time passes. */
  #starts = 0;

  constructor(folder: string) {
    super({
      folders: [folder, "etc/init.d", "var/log"],
      fakes: {
        ...{ ...USERS, "rc-update": "", "rc-service": "", tail: "echo refused", chown: "" },
        ...{ systemctl: "", "systemd-run": "", journalctl: "" },
      },
    });
    const { tools } = this.system;
    Object.assign(this.system, {
      tools: {
        has: (tool: string) => tools.has(tool),
        run: async (...[command, options]: Parameters<typeof tools.run>) => {
          const line = [command.tool, ...command.args].join(" ");
          if (this.failing !== "" && line.startsWith(this.failing)) {
            this.failing = "";
            return { code: 1, output: "it is broken" };
          }
          const result = await tools.run(command, options);
          const starts = [`rc-service ${NAME} restart`, `systemctl restart ${NAME}.service`];
          if (starts.includes(line)) this.#start();
          return result;
        },
      },
    });
  }

  #start(): void {
    if (!this.isStuck) {
      this.#health?.close();
      this.#health = undefined;
    }
    this.#health ??= openAt(Date.now() + ++this.#starts, `${this.root}/run/${NAME}`);
    const { endpoint, panels = [] } = this.config();
    const all = [...(endpoint === undefined ? [] : [{ endpoint }]), ...panels];
    const environment = this.tree(`/etc/${NAME}`).some((line) => line.includes("/environment"))
      ? this.text(`/etc/${NAME}/environment`)
      : "";
    const states = all.map(({ endpoint }): PanelHealth => {
      const panel = new URL(endpoint).host;
      const isUp = this.up.has(panel) && !environment.includes("bad-proxy");
      return {
        panel,
        sinceMs: 0,
        failures: 0,
        probes: 0,
        ...(isUp
          ? { acceptedAtMs: Date.now() }
          : { error: { text: "connection refused", atMs: Date.now() } }),
      };
    });
    this.#health?.setPanels(states, { now: true });
    if (this.text(CONFIG).includes("9100")) {
      this.#health?.setProblem("metrics", "127.0.0.1 port 9100: Address already in use");
    }
    if (states.some(({ acceptedAtMs }) => acceptedAtMs)) this.#health?.accepted(1000);
  }

  /** Files with their content, and what else there is; without what an agent does. */
  content(): Record<string, string> {
    return Object.fromEntries(
      this.tree().filter((line) => !line.startsWith("/run/")).map((line) => {
        const path = line.slice(0, line.lastIndexOf(" "));
        const isText = !path.endsWith("/") && !path.startsWith("/usr/local/bin/");
        return [line, isText ? this.text(path) : ""];
      }),
    );
  }

  /** The configuration of one more `install`. */
  again(...words: string[]): Config {
    return configOf(["install", ...words], { root: this.root });
  }

  /** The machine, with someone who acts on what is printed. */
  heard(act: (line: string) => void): TargetSystem {
    const printLine = (line: string) => {
      this.system.printLine(line);
      act(line);
    };
    return { ...this.system, printLine };
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#health?.close();
    await super[Symbol.asyncDispose]();
  }
}

/** The health file of an agent that was started at a time. */
function openAt(atMs: number, folder: string): HealthFile {
  return atDate(atMs, () => openHealth(folder, { version: "1.0.0" }));
}

/** A machine on which an agent reports to the first panel. */
async function working(words: readonly string[] = [], folder = OPENRC): Promise<Machine> {
  const machine = new Machine(folder);
  assertEquals(await machine.install([...ONE, ...words]), undefined);
  machine.calls();
  machine.printed.length = 0;
  return machine;
}

Deno.test("install() puts the installation before back where the new panel accepts nothing", async () => {
  await using machine = await working();
  const before = machine.content();
  const refusal = await machine.install([...TYPO, "--install-dir", "/srv/other/deep"]);
  const expected =
    "tow.example accepted no report within 30 s; the previous installation was restored";
  assertEquals(refusal, expected);
  assertEquals(machine.content(), before);
  assertEquals(machine.output.includes("Uninstall"), false, "no summary of what is gone");
  await machine.uninstall();
  assertEquals(machine.tree().filter((line) => /before|srv\/./.test(line)), []);
});

Deno.test("install() keeps an installation whose panel accepts its reports", async () => {
  await using machine = await working(["-i", "2"]);
  assertEquals(await machine.install([...TWO]), undefined);
  assertEquals(machine.config().endpoint, "https://two.example");
  assertEquals(machine.tree().filter((line) => line.includes(".before")), []);
  // As a machine that loses power meanwhile has it.
  machine.write(`${CONFIG}.before`, "{}");
  machine.write(`/etc/init.d/${NAME}.before`, "");
  const printed = machine.output;
  assertStringIncludes(printed, "two.example accepts its reports.");
  assertStringIncludes(printed, "Uninstall");
  await machine.uninstall();
  assertEquals(machine.tree().filter((line) => line.includes(".before")), []);
});

const whileWorking = testsWith(() => working());

whileWorking.test("install() takes no report of the agent that ran before", async (machine) => {
  machine.isStuck = true;
  const why = "one.example accepted no report within 30 s; the previous installation was restored";
  assertEquals(await machine.install(["-i", "2"]), why);
});

whileWorking.test("install() returns when a panel that worked is lost, though others accept", async (machine) => {
  const before = machine.content();
  machine.up.delete("one.example");
  const lost = await machine.install([...ONE, ...TWO]);
  assertStringIncludes(
    lost ?? "",
    "one.example accepted no report within 30 s; the previous installation",
  );
  assertEquals(machine.content(), before);

  machine.up.add("one.example");
  assertEquals(await machine.install([...ONE, ...TWO]), undefined);
  const both = machine.content();
  machine.up.delete("two.example");
  const one = await machine.install(["-i", "9"]);
  assertStringIncludes(
    one ?? "",
    "two.example accepted no report within 30 s; the previous installation",
  );
  assertEquals(machine.content(), both, "one of two that had worked");
});

Deno.test("install() stays where nothing has worked before", async () => {
  await using machine = new Machine(OPENRC);
  machine.up.clear();
  assertStringIncludes(await machine.install(ONE) ?? "", "one.example accepted no report");
  const refusal = await machine.install([...TYPO]);
  assertEquals(refusal, "tow.example accepted no report within 30 s");
  assertEquals(machine.config().endpoint, "https://tow.example");
  assertEquals(machine.tree().filter((line) => line.includes(".before")), []);
});

whileWorking.test("install() returns to the installation before when a step fails, or when it is interrupted while the log is read", async (machine) => {
  const before = machine.content();
  machine.failing = `rc-service ${NAME} restart`;
  const why = "Cannot install; the previous installation was restored";
  const limits = await seenTimeouts(async () => {
    const { cause } = await assertRejects(() => machine.install(["-i", "9"]), Error, why);
    assertStringIncludes(String(cause), "it is broken");
  });
  assertEquals(limits, [120_000]);
  assertEquals(machine.printed.includes("Interrupted."), false, "nobody has interrupted it");
  assertEquals(machine.content(), before);

  const user = new AbortController();
  const interrupted = machine.heard((line) => {
    if (line.startsWith("one.example has accepted no")) user.abort(new Error("Ctrl-C"));
    if (line.startsWith("Restoring")) machine.up.add("one.example");
  });
  machine.up.delete("one.example");
  const { signal } = user;
  await assertRejects(() => installNow(machine.again("-i", "9"), interrupted, { signal }), Error);
  assertEquals(machine.content(), before);
  assertStringIncludes(machine.output, "Interrupted.");
  assertStringIncludes(machine.printed.at(-1) ?? "", "It is back, and the panel accepts");
});

Deno.test("install() returns to the updates and the user before", async () => {
  await using machine = await working(["--as-root"]);
  const before = machine.content();
  await machine.install([...TYPO, ...RELEASES, "--as-root=false"]);
  assertEquals(machine.content(), before);
  const calls = machine.calls();
  const lines = [
    `rc-service ${NAME}-update stop`,
    `chown -hR root: /var/lib/${NAME}`,
    `userdel ${NAME}`,
  ];
  assertEquals(lines.filter((line) => !calls.includes(line)), [], calls.join("\n"));

  await using updated = await working(RELEASES);
  const withUpdates = updated.content();
  await updated.install([...TYPO, "--disable-auto-update"]);
  assertEquals(updated.content(), withUpdates);
  const last = updated.calls().filter((line) => line.includes("-update ")).slice(-2);
  assertEquals(last, [`rc-update add ${NAME}-update default`, `rc-service ${NAME}-update restart`]);
});

whileWorking.test("install() says that the installation before can't be put back", async (machine) => {
  machine.up.delete("one.example");
  const broken = machine.heard((line) => {
    if (line.startsWith("Restoring")) machine.failing = `rc-service ${NAME} restart`;
  });
  const words = "Cannot restore the previous installation";
  await assertRejects(() => installNow(machine.again("-i", "9"), broken), Error, words);
  assertStringIncludes(machine.printed.at(-1) ?? "", `${words}: Cannot run "rc-service`);
});
