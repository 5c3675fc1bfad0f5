import { assert, assertEquals, assertThrows } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";
import { ProcessCollector, type ProcessHost } from "../../lib/metrics/processes.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

interface FakeProc {
  /** What the kernel makes in `/proc` itself. */
  folders?: string[];
  listed: number;
  /** Hard links at the first reading and later; the last one stays. */
  links: number[];
  namespace?: string;
  /** Number of the first process that is listed. */
  first?: number;
}

function proc(
  { folders = ["bus", "fs", "sys"], listed, links, namespace, first = 1 }: FakeProc,
): ProcessHost {
  let next = 0;
  const processes = Array.from({ length: listed }, (_, at) => `${at + first}`);
  return {
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    list: () => [...processes, ...folders, "meminfo", "self", "net"],
    exists: (path) =>
      path === "/proc" || /\/(?:self|net)\//.test(path) ||
      folders.some((name) => path === `/proc/${name}/.`),
    readLink: (path) =>
      path === "/proc/self/ns/pid" ? namespace : /\/(?:self|net)$/.test(path) ? "7" : undefined,
    openLinkCount: () => () => links[Math.min(next++, links.length - 1)] ?? 0,
  };
}

/** How the collector asks for what it does not count itself. */
function asking(
  countListed: () => number | undefined,
  countFolders = () => Promise.resolve<number | undefined>(undefined),
) {
  return { countListed, countFolders };
}

const unasked = asking(() => {
  throw new Error("The listing is not to be asked");
});

Deno.test("ProcessCollector.collect() follows the link count when it agrees with the listing", () => {
  const processes = new ProcessCollector(
    proc({ listed: 70, links: [75, 75, 75, 80, 60] }),
    unasked,
  );
  assert(processes.byLinks);
  assertEquals([processes.collect(), processes.collect(), processes.collect()], [70, 75, 55]);
});

Deno.test("ProcessCollector samples again when a process starts meanwhile, and asks each folder once", () => {
  const host = proc({ listed: 70, links: [74, 75, 75, 75] });
  const asked: string[] = [];
  const exists = (path: string) => (asked.push(path), host.exists(path));
  assertEquals(new ProcessCollector({ ...host, exists }, unasked).collect(), 70);
  assertEquals(asked.filter((path) => path === "/proc/bus/.").length, 1);
});

Deno.test("ProcessCollector counts the folders when processes never stop starting", () => {
  const links = [75, 76, 75, 76, 75, 76, 75, 76, 75, 76, 80];
  assertEquals(new ProcessCollector(proc({ listed: 70, links }), unasked).collect(), 75);
});

Deno.test("ProcessCollector.collect() lists in a pid namespace, where links include the host's", () => {
  let listed = 3;
  const host = proc({ listed: 3, links: [200], namespace: "pid:[4026532198]" });
  const processes = new ProcessCollector(host, asking(() => listed));
  assert(!processes.byLinks);
  assertEquals(processes.collect(), 3);
  listed = 5;
  assertEquals(processes.collect(), 5);
});

Deno.test("ProcessCollector.collect() includes processes hidden by hidepid outside a namespace", () => {
  const host = proc({ listed: 3, first: 700, links: [200], namespace: "pid:[4026531836]" });
  assertEquals(new ProcessCollector(host, unasked).collect(), 195);
});

Deno.test("ProcessCollector.collect() leaves out links that are no process's, as of user-mode Linux", () => {
  const host = proc({ listed: 39, links: [90, 90, 100], namespace: "pid:[4026531836]" });
  const processes = new ProcessCollector(host, unasked);
  assertEquals([processes.collect(), processes.collect()], [49, 49]);
});

Deno.test("ProcessCollector.collect() lists when the kernel does not count processes as links", () => {
  const host = proc({ listed: 70, links: [5], namespace: "pid:[4026531836]" });
  assertEquals(new ProcessCollector(host, asking(() => 70)).collect(), 70);
});

Deno.test("ProcessCollector.collect() throws when /proc can't be listed", () => {
  const host = { ...proc({ listed: 0, links: [0] }), exists: () => false };
  const collector = new ProcessCollector(host, asking(() => undefined));
  assertThrows(() => collector.collect(), Error, "Cannot list all processes in /proc");
  assertEquals(new ProcessCollector(host, asking(() => 3)).collect(), 3);
});

onLinux.test("ProcessCollector.collect() sees programs start and end on the machine", async () => {
  const host = new LocalHost();
  const listed = (): number | undefined =>
    host.list("/proc")?.filter((name) => /^\d+$/.test(name)).length;
  const processes = new ProcessCollector(host, asking(listed));
  const seen: number[][] = [];
  // Other programs of the machine start and end meanwhile, now and then by dozens.
  while (seen.length < 10) {
    const before = processes.collect();
    const programs = Array.from(
      { length: 40 },
      () => new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn(),
    );
    const during = processes.collect();
    await Promise.all(programs.map(async (program) => {
      await program.stdin.close();
      await program.status;
    }));
    const after = processes.collect();
    if (during - before > 20 && during - after > 20) return;
    seen.push([before, during, after]);
  }
  assert(false, `got ${seen.join("; ")}`);
});

const AS_ROOT = Deno.build.os === "linux" && Deno.uid() === 0;

const here = onlyIf(AS_ROOT);

here.test("ProcessCollector.collect() counts one process in a new pid namespace", async () => {
  const program = `
      import { LocalHost } from "${new URL("../../lib/host/local_host.ts", import.meta.url)}";
      import { ProcessCollector } from "${new URL(
    "../../lib/metrics/processes.ts",
    import.meta.url,
  )}";
      const host = new LocalHost();
      const countFolders = () => Promise.resolve(undefined);
      const countListed = () => host.list("/proc")?.filter((name) => /^\\d+$/.test(name)).length;
      const processes = new ProcessCollector(host, { countListed, countFolders });
      console.log(processes.byLinks, processes.collect());
    `;
  const through = ["unshare", "-pf", "--mount-proc"];
  assertEquals(await denoOutput("eval", [program], { through }), "false 1\n");
});

Deno.test("ProcessCollector follows the link count when it is off by four folders, not by more", () => {
  const byLinks = (links: number) =>
    new ProcessCollector(proc({ listed: 70, links: [links] }), asking(() => 70)).byLinks;
  // The folder's own two, three others, and the processes.
  assertEquals([70, 71, 75, 79, 80].map(byLinks), [false, true, true, true, false]);
});

Deno.test("ProcessCollector follows the link count when it is off by as many as start meanwhile", () => {
  const links = [...Array(5).fill([75, 83]).flat(), 80];
  assertEquals(new ProcessCollector(proc({ listed: 70, links }), unasked).collect(), 75);
});

Deno.test("ProcessCollector.collect() leaves out folders that modules make and remove", async () => {
  using time = new FakeTime();
  let folders: number | undefined;
  const ask = asking(() => 0, () => Promise.resolve(folders));
  const processes = new ProcessCollector(proc({ listed: 70, links: [75, 75, 76] }), ask);
  const minutesLater = async (minutes: number) => {
    time.tick(minutes * 60_000);
    processes.collect();
    await realTurn();
    return processes.collect();
  };
  assertEquals(await minutesLater(0), 71, "nothing tells of folders before the seal");
  folders = 12;
  assertEquals(await minutesLater(0), 71);
  folders = 13;
  assertEquals(await minutesLater(4), 71);
  assertEquals(await minutesLater(1), 70);
  folders = 11;
  assertEquals(await minutesLater(5), 72);
});
