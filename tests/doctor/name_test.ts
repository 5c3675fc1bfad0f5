import { assertEquals } from "@std/assert";
import { gatherName, judgeName, type NameEvidence, sourceText } from "../../lib/doctor/name.ts";
import { same } from "../cases.ts";
import { withTexts } from "../replaced.ts";
import { shown, wayOf } from "./way_of.ts";

/** An answer of a name server, by its address, its code, and more. */
const of = (
  server: string,
  code: string,
  addresses: readonly string[] = [],
  lacksIpv6 = false,
) => ({
  ...{ server, code, addresses, lacksIpv6 },
  ms: 3,
});
const SILENT = "no answer within 2.0 s";

const named = (change: Partial<NameEvidence>): NameEvidence => ({
  ...{ ms: 5, addresses: [], answers: [], file: "/etc/resolv.conf" },
  ...change,
});

Deno.test("a name is judged by what the system and each of its servers say", () =>
  same((change: Partial<NameEvidence>) => shown(judgeName(named(change), wayOf())), [
    [
      { addresses: ["192.0.2.7"], answers: [of("9.9.9.9", "NOERROR", ["192.0.2.7"])] },
      "ok: panel.example is 192.0.2.7, answered by 9.9.9.9",
    ],
    [
      { addresses: ["192.0.2.7"], hostsLine: 3 },
      "ok: panel.example is 192.0.2.7, from line 3 of /etc/hosts",
    ],
    [
      {
        addresses: ["192.0.2.7"],
        answers: [of("9.9.9.9", "NXDOMAIN"), of("8.8.8.8", "NOERROR", ["192.0.2.8"])],
      },
      "ok: panel.example is 192.0.2.7, answered by 9.9.9.9, 8.8.8.8; 8.8.8.8 answers 192.0.2.8",
    ],
    [
      { addresses: ["0.0.0.0"], hostsLine: 3 },
      "failed: panel.example is 0.0.0.0, from line 3 of /etc/hosts: a filter blocks this name → remove line 3 of /etc/hosts",
    ],
    [
      {
        ms: 5_004,
        addresses: ["192.0.2.7"],
        answers: [of("9.9.9.9", "NOERROR", ["192.0.2.7"], true)],
      },
      "warning: panel.example is 192.0.2.7, answered by 9.9.9.9, after 5.0 s (9.9.9.9: NOERROR (3 ms), and no answer to AAAA) → see whether 9.9.9.9 answers AAAA queries, which the system waits for: dig AAAA @9.9.9.9 panel.example → see which part of the system answers late: time getent ahosts panel.example → or ask another name server: --custom-dns ADDRESS",
    ],
    // The last one is asked by nobody who waits.
    [
      {
        ms: 2_004,
        addresses: ["192.0.2.7"],
        answers: [of("8.8.8.8", "NOERROR", ["192.0.2.7"]), of("9.9.9.9", SILENT)],
      },
      "warning: panel.example is 192.0.2.7, answered by 8.8.8.8, after 2.0 s (8.8.8.8: NOERROR (3 ms); 9.9.9.9: no answer within 2.0 s) → see which part of the system answers late: time getent ahosts panel.example → or ask another name server: --custom-dns ADDRESS",
    ],
    [
      { answers: [of("9.9.9.9", SILENT), of("8.8.8.8", "connection refused")] },
      "failed: no address for panel.example: the name server 9.9.9.9, 8.8.8.8 does not answer (no answer within 2.0 s) → check the network (ip route) and the name server (cat /etc/resolv.conf) → or ask another name server: --custom-dns ADDRESS",
    ],
    // As the log says it of --custom-dns.
    [
      { file: "--custom-dns", answers: [of("192.0.2.53", SILENT)] },
      "failed: no address for panel.example: the configured name server 192.0.2.53 does not answer (no answer within 2.0 s) → correct --custom-dns ADDRESS, or leave it out",
    ],
    [
      { error: "no such name", answers: [of("9.9.9.9", "NOERROR", ["192.0.2.7"])] },
      "failed: no address for panel.example: asked 9.9.9.9: NOERROR (3 ms); and the system: no such name → see what the system makes of it: getent ahosts panel.example; cat /etc/resolv.conf → or ask another name server: --custom-dns ADDRESS",
    ],
  ]));

Deno.test("who has given an address is named", () =>
  same((change: Partial<NameEvidence>) => sourceText(named(change)), [
    [{ addresses: ["192.0.2.7"], hostsLine: 2 }, "from line 2 of /etc/hosts"],
    [{ addresses: ["192.0.2.7"] }, "answered by /etc/resolv.conf"],
    [{ addresses: ["192.0.2.7"], file: "--custom-dns" }, "answered by --custom-dns"],
  ]));

Deno.test("a name's line of /etc/hosts is found, and servers that are no addresses are not asked", async () => {
  using _ = withTexts((path) =>
    ({
      "/etc/hosts": "127.0.0.1 localhost\n\n192.0.2.7 other panel.example\n",
      "/etc/resolv.conf": "nameserver 192.0.2.1,192.0.2.2\nnameserver router\n",
    })[path]
  );
  const { signal } = new AbortController();
  const { hostsLine, answers } = await gatherName(wayOf(), signal);
  assertEquals([hostsLine, answers], [3, []]);
});
