import { assertEquals } from "@std/assert";
import { firewallFinding } from "../../lib/cli/doctor_prohibited.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeConnect } from "../net/fake_connect.ts";
import { replaced } from "../replaced.ts";
import { configOf } from "./fake_context.ts";

/** What a connection brings: messages that the kernel counts, received and sent, or silence. */
type Outcome = readonly [received: number, sent: number] | "silence" | "connects";

/** The finding for connections to an address that end so, one after the other. */
async function found(address: string, ...outcomes: Outcome[]): Promise<string | undefined> {
  using time = new FakeTime();
  const counts = { received: 7, sent: 7 };
  using _counts = replaced(Deno, {
    readTextFileSync: (path) =>
      path === "/proc/net/snmp"
        ? `Icmp: InMsgs InDestUnreachs OutDestUnreachs\nIcmp: 9 ${counts.received} ${counts.sent}\n`
        : path === "/proc/net/snmp6"
        ? "Icmp6InDestUnreachs             \t3\nIcmp6OutDestUnreachs            \t4\n"
        : "",
  });
  using _connect = fakeConnect(({ signal }) => {
    const outcome = outcomes.shift() ?? "silence";
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("stopped")));
      if (outcome === "silence") return;
      if (outcome === "connects") {
        resolve({ close() {} } as Deno.TcpConn);
        return;
      }
      counts.received += outcome[0];
      counts.sent += outcome[1];
      reject(new Deno.errors.ConnectionRefused());
    });
  });
  const way = wayTo(configOf(["doctor", "-e", `http://${address}:81`, "-t", "x"]), []);
  const finding = firewallFinding(way, new AbortController().signal);
  await time.run(1_000);
  return (await finding)?.text;
}

Deno.test("firewallFinding() tells by the kernel's counts of ICMP who refuses a connection", async () => {
  const there = "a firewall there, or on the way, refuses it (by ICMP)";
  const here = "a firewall of this machine refuses it (by ICMP)";
  const table: [outcomes: Outcome[], text: string | undefined][] = [
    [[[1, 0], [1, 0], [1, 0]], there],
    [[[1, 1], [1, 1], [1, 1]], here],
    // Another program may send one at the same time.
    [[[1, 1], [1, 0], [1, 0]], there],
    [[[1, 0], "silence", "silence"], there],
    [[[0, 0]], undefined],
    [[[1, 0], [0, 0]], undefined],
    [["silence", "silence", "silence"], undefined],
    [["connects"], undefined],
  ];
  for (const [outcomes, text] of table) {
    assertEquals(await found("192.0.2.7", ...outcomes), text, String(outcomes));
  }
  assertEquals(await found("127.0.0.1", [1, 1], [1, 1], [1, 1]), undefined);
});
