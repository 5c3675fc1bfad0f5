import { assertEquals, assertMatch } from "@std/assert";
import type { DryRun } from "../../../lib/cli/dry_run.ts";
import { outputOf } from "./command.ts";
import { dryRun } from "./dry_run.ts";

const MIB = 2 ** 20;
/** Others work on this machine too: what moves between two looks is looked at again, this often. */
const MOST_LOOKS = 50;
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
    who: "uptime: load",
    told: ({ report: { load } }) => [load.load1, load.load5, load.load15],
    seen: () =>
      numbers((/load average: (.*)/.exec(outputOf("uptime"))?.[1] ?? "").replace(/,/g, "")),
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

/** Whether values lie within those before and after. */
function lieWithin(
  values: readonly number[],
  [before, after]: readonly [readonly number[], readonly number[]],
  slack: number,
): boolean {
  return values.every((value, index) => {
    const [one = NaN, other = NaN] = [before[index], after[index]];
    return value >= Math.min(one, other) - slack && value <= Math.max(one, other) + slack;
  });
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

Deno.test("a dry run tells the numbers that other programs tell", async () => {
  // So that there is something to count.
  using _tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let told = await dryRun([]);
  let open = present(told);
  let last: string[] = [];
  for (let looks = 0; looks < MOST_LOOKS && open.length > 0; looks++) {
    const before = open.map(({ seen }) => seen(told));
    told = await dryRun([]);
    last = [];
    open = open.filter((witness, index) => {
      const { slack = 0 } = witness;
      const [after, values] = [witness.seen(told), witness.told(told)];
      const seen = [before[index] ?? [], after] as const;
      const isStill = lieWithin(seen[0], [after, after], slack);
      if (lieWithin(values, seen, slack) && (isStill || looks >= PATIENT_LOOKS)) return false;
      last.push(`${witness.who}: ${values}, not ${seen[0]} to ${after}`);
      return true;
    });
  }
  assertEquals(last, []);
});

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
