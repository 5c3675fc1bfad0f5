import { assertEquals, assertMatch } from "@std/assert";
import type { DryRun } from "../../../lib/cli/dry_run.ts";
import { outputOf } from "./command.ts";
import { dryRun } from "./dry_run.ts";

const MIB = 2 ** 20;
/** Others work on this machine too: what moves between two looks is looked at again, this often. */
const MOST_LOOKS = 10;
/** So many looks wait for a moment without movement, which tells more than one with it. */
const PATIENT_LOOKS = 6;

/** Numbers by which the agent and another program tell the same. */
interface Witness {
  readonly who: string;
  /** What the agent says. */
  told(dryRun: DryRun): number[];
  /** What the other says now. @throws {Error} When this machine lacks it. */
  seen(dryRun: DryRun): number[];
  /** How far apart they may be, beyond what lies between a look before and one after. */
  readonly slack?: number;
}

const WITNESSES: readonly Witness[] = [
  {
    who: "free -b: memory, as htop counts it",
    told: ({ report: { ram } }) => [ram.total, ram.used],
    seen({ sources: { ram } }) {
      // A container's limit and ZFS' cache are nothing that free knows of.
      if (!ram?.startsWith("/proc/meminfo, mode htop")) {
        throw new Error(`Cannot compare with ${ram}`);
      }
      const row = rowOfFree("Mem");
      const unused = row("free") + row("buffers") + row("cache") - row("shared");
      return [row("total"), row("total") - unused];
    },
    slack: 8 * MIB,
  },
  {
    who: "free -b: swap, less what memory holds as well",
    told: ({ report: { swap } }) => [swap.total, swap.used],
    seen() {
      const row = rowOfFree("Swap");
      const cached = /^SwapCached:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1];
      return [row("total"), Math.max(0, row("used") - Number(cached ?? 0) * 1024)];
    },
    slack: MIB,
  },
  {
    who: "df -B1: disk",
    told: ({ report: { disk } }) => [disk.total, disk.used],
    seen({ mountPoints }) {
      const places = mountPoints.filter((it) => it.counted)
        .map(({ name }) => name.replace(/ \([^(]*\)$/, ""));
      const rows = outputOf("df", "-B1", "--output=size,used", ...places).trim().split("\n");
      return sums(rows.slice(1).map(numbers), 2);
    },
    slack: 16 * MIB,
  },
  {
    who: "ip -s -j link: traffic",
    told: ({ report: { network } }) => [network.totalUp, network.totalDown],
    seen({ interfaces }) {
      const links: { ifname: string; stats64: Record<"rx" | "tx", { bytes: number }> }[] = JSON
        .parse(outputOf("ip", "-s", "-j", "link"));
      const counted = new Set(interfaces.filter((it) => it.counted).map(({ name }) => name));
      const rows = links.filter(({ ifname }) => counted.has(ifname))
        .map(({ stats64: { tx, rx } }) => [tx.bytes, rx.bytes]);
      return sums(rows, 2);
    },
  },
  {
    who: "the rows of /proc/net/{tcp,udp}*: connections",
    told: ({ report: { connections } }) => [connections.tcp, connections.udp],
    seen: () => [rowsOf("tcp") + rowsOf("tcp6"), rowsOf("udp") + rowsOf("udp6")],
  },
  {
    // Each of the two sees itself, and not the other.
    who: "ps -e: processes",
    told: ({ report }) => [report.process],
    seen: () => [outputOf("ps", "-e", "-o", "pid=").trim().split("\n").length],
  },
  {
    who: "uptime -s: uptime",
    told: ({ report }) => [report.uptime],
    seen: () => [
      Number(outputOf("sh", "-c", 'echo $(($(date +%s) - $(date -d "$(uptime -s)" +%s)))')),
    ],
    // Both sides round to whole seconds, and so does the boot time.
    slack: 2,
  },
  {
    who: "cat /proc/uptime: uptime",
    told: ({ report }) => [report.uptime],
    seen: () => [Math.floor(Number(outputOf("cat", "/proc/uptime").split(" ", 1)[0]))],
  },
  {
    who: "uptime: load",
    told: ({ report: { load } }) => [load.load1, load.load5, load.load15],
    seen: () =>
      numbers((/load average: (.*)/.exec(outputOf("uptime"))?.[1] ?? "").replace(/,/g, "")),
  },
  {
    who: "nproc --all: cores",
    told: ({ basicInfo }) => [basicInfo.cpu_cores],
    seen: () => [Number(outputOf("nproc", "--all"))],
  },
  {
    who: "lscpu: logical and physical cores",
    told: ({ basicInfo }) => [basicInfo.cpu_cores, basicInfo.cpu_physical_cores ?? NaN],
    seen() {
      const rows = outputOf("lscpu", "-p=CPU,CORE,SOCKET").split("\n").filter((it) =>
        /^\d/.test(it)
      );
      return [rows.length, new Set(rows.map((row) => row.replace(/^\d+,/, ""))).size];
    },
  },
];

/** A column of a row of `free`, in bytes. */
function rowOfFree(name: "Mem" | "Swap"): (column: string) => number {
  const [head = "", ...rows] = outputOf("free", "--bytes", "--wide").split("\n");
  const columns = head.trim().split(/\s+/);
  const [, ...values] = (rows.find((row) => row.startsWith(`${name}:`)) ?? "").split(/\s+/);
  return (column) => Number(values[columns.indexOf(column)]);
}

function numbers(row: string): number[] {
  return row.trim().split(/\s+/).map(Number);
}

function sums(rows: readonly (readonly number[])[], columns: number): number[] {
  return Array.from(
    { length: columns },
    (_, index) => rows.reduce((sum, row) => sum + (row[index] ?? NaN), 0),
  );
}

function rowsOf(table: string): number {
  try {
    return Deno.readTextFileSync(`/proc/net/${table}`).trim().split("\n").length - 1;
  } catch {
    return 0;
  }
}

/** What a witness said right before and right after the agent. */
interface Testimony {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly slack: number;
}

/** Whether what the agent says lies within the two. */
function agree(told: readonly number[], { before, after, slack }: Testimony): boolean {
  return told.every((value, index) => {
    const [one = NaN, other = NaN] = [before[index], after[index]];
    return value >= Math.min(one, other) - slack && value <= Math.max(one, other) + slack;
  });
}

/** Whether nothing worth mentioning has moved between the two. */
function isStill({ before, after, slack }: Testimony): boolean {
  return agree(before, { before: after, after, slack });
}

/** Sockets of both kinds and families, so that there is something to count. */
async function withSockets(use: () => Promise<void>): Promise<void> {
  const { createSocket } = await import("node:dgram");
  using opened = new DisposableStack();
  const bound: Promise<void>[] = [];
  for (let made = 0; made < 20; made++) {
    opened.use(Deno.listen({ hostname: made % 2 ? "127.0.0.1" : "0.0.0.0", port: 0 }));
    const socket = createSocket("udp4");
    opened.adopt(socket, () => socket.close());
    bound.push(new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve)));
  }
  await Promise.all(bound);
  await use();
}

/** Those that this machine has. */
function present(dryRun: DryRun): Witness[] {
  return WITNESSES.filter(({ who, seen }) => {
    try {
      return seen(dryRun).every((value) => !Number.isNaN(value));
    } catch {
      console.log(`live witnesses: not here: ${who}`);
      return false;
    }
  });
}

Deno.test("a dry run tells the numbers that other programs tell", () =>
  withSockets(async () => {
    let told = await dryRun([]);
    let open = present(told);
    let last: string[] = [];
    for (let looks = 0; looks < MOST_LOOKS && open.length > 0; looks++) {
      const before = open.map(({ seen }) => seen(told));
      told = await dryRun([]);
      last = [];
      open = open.filter((witness, index) => {
        const after = witness.seen(told);
        const values = witness.told(told);
        const seen = { before: before[index] ?? [], after, slack: witness.slack ?? 0 };
        if (agree(values, seen) && (isStill(seen) || looks >= PATIENT_LOOKS)) return false;
        last.push(`${witness.who}: ${values}, not ${seen.before} to ${after}`);
        return true;
      });
    }
    assertEquals(last, []);
  }));

/** What a command says in one line; `undefined` where it is missing. */
function lineOf(command: string, ...args: readonly string[]): string | undefined {
  try {
    return outputOf(command, ...args).trim();
  } catch {
    return undefined;
  }
}

Deno.test("a dry run tells the names that other programs tell", async () => {
  const { basicInfo } = await dryRun([]);
  assertEquals(basicInfo.kernel_version, lineOf("uname", "-r"));
  assertEquals(basicInfo.arch, { x86_64: "amd64", aarch64: "arm64" }[lineOf("uname", "-m") ?? ""]);
  assertMatch(basicInfo.os ?? "", /./);
  const osName = lineOf("sh", "-c", ". /etc/os-release && echo $PRETTY_NAME");
  if (lineOf("sh", "-c", ". /etc/os-release && echo $ID") === "debian") {
    assertEquals(basicInfo.os, osName);
  }
  const cpu = /^Model name:\s+(.+)$/m.exec(lineOf("lscpu") ?? "")?.[1];
  if (cpu !== undefined && Deno.build.arch === "x86_64") assertEquals(basicInfo.cpu_name, cpu);
  // It says `none` by its exit code as well.
  const enclosed = lineOf("sh", "-c", "systemd-detect-virt || test $? = 1");
  if (enclosed) assertEquals(basicInfo.virtualization, enclosed);
  else console.log("live witnesses: not here: systemd-detect-virt");
});
