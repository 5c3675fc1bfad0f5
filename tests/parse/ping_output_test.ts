import { assertEquals, assertThrows } from "@std/assert";
import { parsePingOutput } from "../../lib/parse/ping_output.ts";
import { same } from "../cases.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const IPUTILS = `PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.
64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.286 ms

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.286/0.286/0.286/0.000 ms
`;

const IPUTILS_LOST = `PING 10.6.0.9 (10.6.0.9) 56(84) bytes of data.

--- 10.6.0.9 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

`;

const BUSYBOX_LOST = `PING 127.0.0.1 (127.0.0.1): 56 data bytes

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 0 packets received, 100% packet loss
`;

const MISSING_CAPABILITY = `ping: socktype: SOCK_RAW
ping: socket: Operation not permitted
ping: => missing cap_net_raw+p capability or setuid?
`;

Deno.test("parsePingOutput() reads the round trip of each implementation, and that an echo got no reply", async () => {
  const unreachable = "From 10.6.0.1 icmp_seq=1 Destination Host Unreachable\n";
  const firewall = "ping: sendmsg: Operation not permitted\n";
  const lost = { kind: "lost" };
  const reply = (ms: number) => ({ kind: "reply", ms });
  await same(parsePingOutput, [
    [IPUTILS, reply(0.286)],
    ["PING ::1(::1)\n64 bytes from ::1: icmp_seq=1 ttl=64 time=1034 ms\n", reply(1034)],
    ["PING ::1 (::1):\n64 bytes from ::1: seq=0 ttl=64 time=0.024 ms\n", reply(0.024)],
    ["64 bytes from 10.0.0.1: icmp_seq=0 ttl=64 time=2.5 ms\n", reply(2.5)],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time<1 ms", reply(1)],
    ["Warning: time of day goes back (-3us), taking countermeasures\n" + IPUTILS, reply(0.286)],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=3.1 ms (DUP!)\r\n", reply(3.1)],
    [IPUTILS_LOST, lost],
    [BUSYBOX_LOST, lost],
    [IPUTILS_LOST.replace("\n\n", `\n${unreachable}\n`), lost],
    [firewall + IPUTILS_LOST, lost],
  ]);
});

Deno.test("parsePingOutput() tells what could not be sent, and that ping lacks a permission, with the first complaint", () => {
  const kinds = {
    unreachable: [
      ...["ping: connect: Network is unreachable\n", "connect: Network is unreachable"],
      "PING 10.1.1.1 (10.1.1.1): 56 data bytes\nping: sendto: Network is unreachable\n",
      ...["ping: sendto: Operation not permitted\n", "connect: Permission denied\n"],
      "ping: connect: Operation not permitted\n",
      "ping6: socket: Address family not supported by protocol\n",
    ],
    forbidden: [
      "ping: socket: Operation not permitted",
      "PING 127.0.0.1 (127.0.0.1): 56 data bytes\nping: permission denied (are you root?)\n",
      "ping: icmp open socket: Operation not permitted",
      "ping: Lacking privilege for icmp socket.",
      ...["sh: 1: ping: Permission denied", "sh: 1: ping: Operation not permitted"],
    ],
  };
  for (const [kind, texts] of Object.entries(kinds)) {
    for (const text of texts) {
      const reason = text.trim().split("\n").at(-1);
      assertEquals<unknown>(parsePingOutput(text), { kind, reason });
    }
  }
  const told = (text: string) => JSON.stringify(parsePingOutput(text));
  const reason = "ping: socket: Operation not permitted";
  assertEquals(told(MISSING_CAPABILITY), JSON.stringify({ kind: "forbidden", reason }));
  const first = "ping: connect: Network is unreachable";
  const two = `${first}\nping: something else\n`;
  assertEquals(told(two), JSON.stringify({ kind: "unreachable", reason: first }));
});

Deno.test("parsePingOutput() throws when there is no result in the text", () => {
  const table = [
    ["", '""'],
    ["Killed\n", "Killed"],
    ["PING 127.0.0.1 (127.0.0.1): 56 data bytes\n", "56 data bytes"],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=", "icmp_seq=1 ttl=64 time="],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=-1 ms", "time=-1 ms"],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=1e9 ms", "time=1e9 ms"],
    ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=64", "ttl=64"],
    ["1 packets transmitted, 1 received, 0% packet loss", "1 received"],
    ["ping: invalid option -- 'W'\nusage: ping", "invalid option"],
    ["BusyBox v1.35.0 multi-call binary.\n\nUsage: ping [OPTIONS] HOST", "Usage: ping"],
  ] as const;
  for (const [text, quoted] of table) {
    assertThrows(() => parsePingOutput(text), SyntaxError, quoted);
  }
  onlySyntaxErrors(parsePingOutput, [IPUTILS, IPUTILS_LOST, BUSYBOX_LOST, MISSING_CAPABILITY]);
});

Deno.test("parsePingOutput() cuts a long reason", () => {
  const complaint = `ping: ${"x".repeat(1_000)}`;
  assertEquals(parsePingOutput(complaint), {
    kind: "unreachable",
    reason: complaint.slice(0, 200),
  });
  const refusal = `${complaint} not permitted`.replace("ping: ", "ping: not permitted ");
  assertEquals(parsePingOutput(refusal), { kind: "forbidden", reason: refusal.slice(0, 200) });
  const { message } = assertThrows(() => parsePingOutput("x".repeat(1_000)), SyntaxError);
  assertEquals(message.endsWith(`in "${"x".repeat(199)}…"`), true, message);
});
