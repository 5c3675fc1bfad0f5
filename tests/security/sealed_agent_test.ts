import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readHealth } from "../../lib/state/health_reader.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { RawServer } from "../net/raw_server.ts";
import { startNameServer } from "../net/fake_name_server.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { hasOwnMounts, ownMounts } from "../own_mounts.ts";
import { TempFolder } from "../temp_folder.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { onLinux, onlyIf, unless } from "../only_on.ts";

const TOKEN = "t0ken";
const SEALED = "this process is sealed by the kernel and the runtime";

function startAgent(
  endpoint: string,
  options: { args?: string[]; env?: Record<string, string>; through?: string[] } = {},
): AgentProcess {
  const { args = [], ...others } = options;
  return new AgentProcess(["-e", endpoint, "-t", TOKEN, "-i", "0.2", ...args], others);
}

/** Ways to trust an authority, by a file of its certificate. */
const TRUSTING: Readonly<
  Record<string, (file: string) => { args?: string[]; env?: Record<string, string> }>
> = {
  "--ca-cert": (file) => ({ args: ["--ca-cert", file] }),
  "DENO_TLS_CA_STORE=system": (file) => ({
    env: { DENO_TLS_CA_STORE: "system", SSL_CERT_FILE: file, SSL_CERT_DIR: "" },
  }),
  NODE_EXTRA_CA_CERTS: (file) => ({ env: { NODE_EXTRA_CA_CERTS: file } }),
  DENO_CERT: (file) => ({ env: { DENO_CERT: file } }),
};

for (const [name, trust] of Object.entries(TRUSTING)) {
  onLinux.test(`a sealed agent trusts the authority of ${name} for a panel by name, and for probes`, async () => {
    const certificate = await makeCertificate();
    if (certificate === undefined) return;
    using panel = await startTestPanel({ token: TOKEN });
    await using front = new RawServer((it) => it.leadTo(panel.port), { certificate });
    const endpoint = `https://localhost:${front.port}`;
    // Of the options, that one is for the panel alone.
    const isForProbes = name !== "--ca-cert";
    const task = { id: 1, name: "p", type: "http", target: `${endpoint}/`, interval: 1 };
    if (isForProbes) panel.state.tasks = [task];
    using folder = new TempFolder();
    const file = `${folder.path}/authority.pem`;
    Deno.writeTextFileSync(file, certificate.authority);
    await using agent = startAgent(endpoint, trust(file));
    await agent.says(SEALED);
    await agent.says("First report accepted");
    const values = () => panel.state.pingResults.map(({ value }) => value.valueMs);
    if (isForProbes) await panel.state.until(() => values().length > 0);
    assert(values().every((value) => value >= 0), agent.output);
    assertEquals(panel.state.violations, []);
  });
}

onLinux.test("a sealed agent says which authorities it can't load, and reports where it needs none", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  using folder = new TempFolder();
  const env = {
    ...{ DENO_TLS_CA_STORE: "system", SSL_CERT_FILE: "/no/such/file", SSL_CERT_DIR: "" },
    RUNTIME_DIRECTORY: `${folder.path}/run`,
  };
  await using agent = startAgent(panel.url, { env });
  await agent.says("First report accepted");
  assertEquals(agent.lines("Cannot load the certificates of authorities").length, 1);
  const problems = readHealth([env.RUNTIME_DIRECTORY])?.problems;
  assertEquals(problems?.map(({ part }) => part), ["authorities"]);
});

/** A folder that an agent sees as its `/etc`, in a mount namespace of its own. */
class OwnEtc extends TempFolder {
  readonly through = ownMounts(`mount --bind "${this.path}" /etc`);

  constructor(files: Readonly<Record<string, string>>) {
    super();
    Deno.chmodSync(this.path, 0o755);
    for (const name of ["passwd", "group", "os-release", "ld.so.cache", "nsswitch.conf"]) {
      try {
        Deno.copyFileSync(`/etc/${name}`, `${this.path}/${name}`);
      } catch {
        // Not every system has it.
      }
    }
    for (const [name, text] of Object.entries(files)) this.replace(name, text);
  }

  /** Puts another file in the place of one, as tools do. */
  replace(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.path}/new`, text);
    Deno.chmodSync(`${this.path}/new`, 0o644);
    Deno.renameSync(`${this.path}/new`, `${this.path}/${name}`);
  }
}

const inOwnMounts = onlyIf(hasOwnMounts);

inOwnMounts.test("a changed /etc/hosts holds at a sealed agent's next lookup", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  using etc = new OwnEtc({ "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "hosts: files\n" });
  await using agent = startAgent(`http://panel.example:${panel.port}`, etc);
  await agent.says(SEALED);
  await agent.says("no address for panel.example");
  etc.replace("hosts", "127.0.0.1 localhost panel.example\n");
  await agent.says("First report accepted");
});

// Resolvers ask at port 53 alone.
unless(hasOwnMounts && Deno.uid() === 0 ? undefined : "it takes root and own mounts").test(
  "a changed /etc/resolv.conf holds at a sealed agent's next lookup",
  async () => {
    // An address of loopback that is this process's own.
    const hostname = `127.53.${Deno.pid >> 8 & 0xff}.${Deno.pid & 0xff}`;
    const zone = { "panel.example": { A: ["127.0.0.1"] } };
    await using names = await startNameServer(zone, { hostname, port: 53 });
    using panel = await startTestPanel({ token: TOKEN });
    using etc = new OwnEtc({
      "hosts": "127.0.0.1 localhost\n",
      "nsswitch.conf": "hosts: files dns\n",
      "resolv.conf": "nameserver 127.53.0.0\noptions timeout:1 attempts:1\n",
    });
    await using agent = startAgent(`http://panel.example:${panel.port}`, etc);
    await agent.says(SEALED);
    await agent.says("no address for panel.example");
    assertEquals(names.questions, []);
    etc.replace("resolv.conf", `nameserver ${hostname}\noptions timeout:1 attempts:1\n`);
    await agent.says("First report accepted");
    assert(names.questions.includes("panel.example A"));
  },
);

inOwnMounts.test("a sealed agent resolves by --custom-dns, and knows names of /etc/hosts", async () => {
  await using names = await startNameServer({ "panel.test": { A: ["127.0.0.1"] } });
  using panel = await startTestPanel({ token: TOKEN });
  using etc = new OwnEtc({ "hosts": "127.0.0.1 localhost known.example\n" });
  const args = ["--custom-dns", `127.0.0.1:${names.port}`];
  for (const host of ["panel.test", "known.example"]) {
    await using agent = startAgent(`http://${host}:${panel.port}`, { through: etc.through, args });
    await agent.says(SEALED);
    await agent.says("First report accepted");
  }
  assertEquals([...new Set(names.questions)].toSorted(), ["panel.test A", "panel.test AAAA"]);
});

const HIDE_GETENT = "mount --bind /dev/null /usr/bin/getent";
const WITHOUT_GETENT = ownMounts(HIDE_GETENT);
const GAP = 'files can be read: there is no "getent" that resolves names';

onLinux.test("an agent whose helper shell ends says so and ends, so that its service starts another", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  await using agent = startAgent(panel.url);
  await agent.says("First report accepted");
  const children = Deno.readTextFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`);
  Deno.kill(Number(children.trim().split(" ")[0]), "SIGKILL");
  assertEquals((await agent.ends()).code, 1, agent.output);
  assertStringIncludes(agent.output, "the helper shell has ended");
});

inOwnMounts.test("an agent without getent resolves by itself, and says that files can be read", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: folder.path };
  const args = ["--metrics", "127.0.0.1:0"];
  const through = WITHOUT_GETENT;
  await using agent = startAgent(`http://localhost:${panel.port}`, { args, env, through });
  await agent.says(`this process is sealed by the kernel and the runtime, but ${GAP}`);
  await agent.says("First report accepted");
  const [, url = ""] = /Metrics for Prometheus: (\S+)/.exec(agent.output) ?? [];
  const metrics = await (await fetch(url)).text();
  assertStringIncludes(metrics, `but ${GAP.replaceAll('"', '\\"')}`);
  for (const command of ["status", "doctor"]) {
    const told = new AgentProcess([command, "-e", panel.url, "-t", TOKEN], { env, through });
    await told.ends();
    assertStringIncludes(told.output, GAP, command);
  }
});

inOwnMounts.test("--require-seal ends with exit code 2 where there is no getent", async () => {
  await using agent = startAgent("http://127.0.0.1:1", {
    args: ["--require-seal"],
    through: WITHOUT_GETENT,
  });
  assertEquals((await agent.ends()).code, 2, agent.output);
  assertStringIncludes(
    agent.output,
    `Cannot seal this process as --require-seal demands: ${GAP}`,
  );
});
