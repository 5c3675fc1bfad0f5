// The first process of namespaces of its own: fills them with a crowd, prints "ready", and at each
// span that it reads measures an agent that reports to a panel within.
import { startTestPanel } from "../tests/test_panel/test_panel.ts";
import { type Crowd, LineReader } from "./namespace.ts";
import { cpuPerReport, MeasuredProcess, type Span } from "./process_cost.ts";
import { Programs, RUN_FLAGS } from "./programs.ts";

const [folder = "", json = "{}"] = Deno.args;
const crowd: Partial<Crowd> = JSON.parse(json);
const spans = new LineReader(Deno.stdin.readable);

const libc = Deno.dlopen("libc.so.6", {
  mount: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
});
const MS_BIND = 4096n;

function mount(source: string, target: string, type: string, options = "", flags = 0n): void {
  const text = (value: string) => new TextEncoder().encode(`${value}\0`);
  const [from, to, kind, data] = [text(source), text(target), text(type), text(options)];
  if (libc.symbols.mount(from, to, kind, flags, data) !== 0) {
    throw new Error(`Cannot mount ${type} at ${target}`);
  }
}

/** An uplink, and interfaces of containers. They come in pairs, both of them here. */
async function addInterfaces(count: number): Promise<void> {
  const ip = new Deno.Command("ip", { args: ["-batch", "-"], stdin: "piped" }).spawn();
  const lines = ["link set lo up", "link add eth0 type veth peer name veth"];
  for (let pair = 0; pair < count / 2; pair++) {
    lines.push(`link add veth${pair} type veth peer name veth${pair}b`);
    lines.push(`link set veth${pair} up`, `link set veth${pair}b up`);
  }
  const input = ip.stdin.getWriter();
  await input.write(new TextEncoder().encode(lines.join("\n")));
  await input.close();
  if (!(await ip.status).success) throw new Error("Cannot add interfaces");
}

/** Mounts of containers: each has its layers, its shared memory, and its network's namespace. */
function addMounts(count: number): void {
  // In memory, and in this namespace alone: nothing of the machine's own is below.
  mount("tmpfs", "/mnt", "tmpfs");
  for (let index = 0; index < count; index++) {
    const target = `/mnt/${index}`;
    if (index % 3 === 2) {
      Deno.createSync(target).close();
      mount("/proc/self/ns/net", target, "", "", MS_BIND);
      continue;
    }
    Deno.mkdirSync(target);
    // Without an upper folder it is read-only.
    if (index % 3 === 0) mount("overlay", target, "overlay", "lowerdir=/usr/share:/usr/lib");
    else mount("shm", target, "tmpfs", "size=64m");
  }
}

async function addProcesses(count: number): Promise<void> {
  const script = `i=0; while [ $i -lt ${count} ]; do sleep infinity & i=$((i+1)); done; echo; wait`;
  const shell = new Deno.Command("sh", { args: ["-c", script], stdin: "null", stdout: "piped" });
  await new LineReader(shell.spawn().stdout).next();
}

async function addConnections(count: number): Promise<void> {
  const program = new URL("crowd.ts", import.meta.url).pathname;
  const start = (...args: string[]) =>
    new MeasuredProcess([...RUN_FLAGS, program, ...args], { stdout: "piped" });
  const port = await start("listen").firstLine();
  await start("dial", port, String(count)).firstLine();
}

mount("sysfs", "/sys", "sysfs");
for (const name of ["all", "default"]) {
  // Neighbour discovery sends at moments of its own.
  Deno.writeTextFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1");
}
await addInterfaces(crowd.interfaces ?? 0);
addMounts(crowd.mounts ?? 0);
if (crowd.processes) await addProcesses(crowd.processes);
if (crowd.connections) await addConnections(crowd.connections);

async function measure(span: Span): Promise<void> {
  const panel = await startTestPanel();
  await using agent = new MeasuredProcess(new Programs(folder).agent(panel));
  console.log(JSON.stringify(await cpuPerReport(agent, panel, span)));
  panel.close();
}

console.log("ready");
try {
  for (;;) void measure(JSON.parse(await spans.next()));
} finally {
  // The end of the input ends this process, and so everything within.
  Deno.exit();
}
