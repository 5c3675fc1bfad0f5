import { assertEquals } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { judgeConnection } from "../../lib/doctor/connection.ts";
import { judgeName } from "../../lib/doctor/name.ts";
import { judgeTls } from "../../lib/doctor/tls.ts";

const config = {
  origins: new Map([["endpoint", "flag --endpoint"]]),
  headers: [],
  proxies: {},
  token: "",
  furtherPanels: [],
  endpoint: "https://panel.example",
} as unknown as Config;
const way = {
  config,
  settings: [],
  url: new URL("https://panel.example"),
  proxy: undefined,
  addresses: ["192.0.2.7"],
};

const name = { ms: 5, addresses: [], answers: [], file: "/etc/resolv.conf" };
const answer = { server: "192.0.2.53", code: "NXDOMAIN", ms: 3, addresses: [] };

Deno.test("a name is judged by what each server says", () => {
  const texts = [
    judgeName({ ...name, addresses: ["192.0.2.7"], hostsLine: 3 }, way),
    judgeName({ ...name, addresses: ["0.0.0.0"] }, way),
    judgeName({ ...name, answers: [answer] }, way),
    judgeName({ ...name, isMissing: true }, way),
  ].map(({ status, text }) => `${status}: ${text}`);
  assertEquals(texts, [
    "ok: panel.example is 192.0.2.7, from line 3 of /etc/hosts",
    "failed: panel.example is 0.0.0.0, answered by /etc/resolv.conf: that is no server's address, but how a filter " +
    "blocks a name",
    "failed: Cannot resolve panel.example: asked 192.0.2.53: NXDOMAIN (3 ms)",
    "failed: Cannot resolve panel.example: there is no /etc/resolv.conf",
  ]);
});

Deno.test("a refused port is looked at where a panel answers first", () => {
  const error = "Cannot connect to panel.example port 443 (192.0.2.7): connection refused";
  const evidence = { ms: 1, error, panelAt: "http://panel.example:25774" };
  const { text, advice } = judgeConnection(evidence, {
    way,
    network: undefined,
    source: "from line 3 of /etc/hosts",
  });
  assertEquals(
    text,
    `${error} (from line 3 of /etc/hosts); a Komari panel answers at http://panel.example:25774`,
  );
  assertEquals(
    advice[0],
    "write http://panel.example:25774 into -e: without TLS all on the way can read the token",
  );
});

Deno.test("a certificate that is too old is told from a clock that is wrong by that of the server", () => {
  const day = 86_400_000;
  const certificate = {
    ...{
      issuer: "R13",
      names: ["panel.example"],
      isSelfSigned: false,
      isAlone: false,
      namesIssuersFile: true,
    },
    ...{
      validFromMs: Date.now() + 9 * day,
      validUntilMs: Date.now() + 99 * day,
      tlsVersion: "TLSv1.3",
    },
    serverDateMs: Date.now() + 50 * day,
  };
  const found = judgeTls({ error: "it is not valid yet", certificate }, way, "");
  assertEquals(found.advice.length, 1);
  assertEquals(found.advice[0]?.startsWith("set this machine's clock"), true);
});
