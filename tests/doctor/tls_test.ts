import { judgeClock, judgeNoTls, judgeTls } from "../../lib/doctor/tls.ts";
import type { Certificate } from "../../lib/net/certificate.ts";
import { same } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";
import { shown, wayOf } from "./way_of.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-03-01T00:00:00Z");

/** A certificate of so many days from now on, and before. */
const days = (from: number, until: number, change: Partial<Certificate> = {}): Certificate => ({
  ...{ tlsVersion: "TLSv1.3", issuer: "R → 13", names: ["panel.example"] },
  ...{ isSelfSigned: false, isAlone: false, namesIssuersFile: true },
  ...{ validFromMs: NOW + from * DAY_MS, validUntilMs: NOW + until * DAY_MS },
  ...change,
});
const untrusted = (why: string) => `Cannot trust the certificate of panel.example: ${why}`;
const EXPIRED = untrusted("it has expired, or this machine's clock is wrong");

interface Case {
  readonly error?: string;
  readonly certificate?: Certificate;
  readonly panelAt?: string;
  readonly options?: string;
  readonly source?: string;
}

const timed = testsWith(() => new FakeTime({ now: NOW }));

timed.test("TLS is judged by its error and by the certificate", () =>
  same(
    ({ options, source = "", ...evidence }: Case) =>
      shown(judgeTls(evidence, wayOf(options), source)),
    [
      [
        { certificate: days(-9, 80) },
        "ok: TLSv1.3, issued by R -> 13, valid for 80 days more, for panel.example",
      ],
      [{}, "ok: until when the certificate is valid can't be read"],
      [
        { certificate: days(-9, 13) },
        "warning: TLSv1.3, issued by R -> 13, valid for 13 days more, for panel.example → renew the panel's certificate",
      ],
      [
        {
          certificate: days(-9, 80, { isSelfSigned: true }),
          options: "-e https://panel.example --ignore-unsafe-cert",
        },
        "warning: any certificate is trusted (TLSv1.3, self-signed by R -> 13, valid for 80 days more, for panel.example) → --ca-cert FILE trusts only your own certificate",
      ],
      [
        { error: EXPIRED, certificate: days(-99, 9) },
        "failed: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong (TLSv1.3, issued by R -> 13, valid for 9 days more, for panel.example) → the certificate itself is valid, and one of its issuers' has expired: give the panel's server the issuers' new ones (fullchain.pem)",
      ],
      [
        { error: EXPIRED },
        "failed: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong → if the date here is right (date), renew the certificate on the panel's server: certbot renew; systemctl reload nginx",
      ],
      [
        {
          error: untrusted("it is for another name"),
          source: "answered by 9.9.9.9",
          certificate: days(-9, 80, { names: ["a", "b", "c", "d", "e"] }),
        },
        "failed: the certificate of panel.example is not trusted: it is for another name (TLSv1.3, issued by R -> 13, valid for 80 days more, for a, b, c, d…) → correct the name in -e, or give the panel's server a certificate for panel.example → see whether the name has the panel's address: it is answered by 9.9.9.9",
      ],
      [
        { error: "Cannot start TLS with panel.example: no answer within 5 s" },
        "failed: no TLS with panel.example port 443: no answer within 5 s → see what answers there: openssl s_client -connect panel.example:443 -servername panel.example </dev/null; if that hangs too, large packets may be lost on the way (ping -M do -s 1472 panel.example): lower the MTU → read the log of the server that terminates TLS for the panel",
      ],
    ],
  ));

Deno.test("a panel without TLS is a warning, but for one on this machine", () =>
  same((options: string) => shown(judgeNoTls(wayOf(options))), [
    ["-e http://127.0.0.1:25774", "ok: not needed: the panel is on this machine"],
    [
      "-e http://panel.example",
      "warning: not used: everything goes unencrypted → use an https:// address, if it has one",
    ],
  ]));

Deno.test("the clock is judged by the date of the panel's answer", () =>
  same((ms: number | undefined) => shown(judgeClock(ms)).split(" → ")[0], [
    [undefined, "skipped: the panel sends no date"],
    [1_400, "ok: the same as the panel's"],
    [-29_000, "ok: 29 s ahead of the panel's"],
    [31_000, "warning: 31 s behind the panel's"],
    [-20 * 60_000, "warning: 20 min ahead of the panel's"],
    [5 * 3_600_000, "warning: 5 h behind the panel's"],
  ]));
