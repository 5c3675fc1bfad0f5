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
  ...{ tlsVersion: "TLSv1.3", issuer: "R13", names: ["panel.example"] },
  ...{ isSelfSigned: false, isAlone: false, namesIssuersFile: true },
  ...{ validFromMs: NOW + from * DAY_MS, validUntilMs: NOW + until * DAY_MS },
  ...change,
});
const serverDate = (day: number) => ({ serverDateMs: NOW + day * DAY_MS });
const untrusted = (why: string) => `Cannot trust the certificate of panel.example: ${why}`;
const EXPIRED = untrusted("it has expired, or this machine's clock is wrong");
const TOO_EARLY = untrusted("it is not valid yet, or this machine's clock is wrong");

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
        "ok: TLSv1.3, issued by R13, valid for 80 days more, for panel.example",
      ],
      [{}, "ok: until when the certificate is valid can't be read"],
      [
        { certificate: days(-9, 13) },
        "warning: TLSv1.3, issued by R13, valid for 13 days more, for panel.example → renew the panel's certificate",
      ],
      [
        {
          certificate: days(-9, 80, { isSelfSigned: true }),
          options: "-e https://panel.example --ignore-unsafe-cert",
        },
        "warning: any certificate is trusted (TLSv1.3, self-signed by R13, valid for 80 days more, for panel.example) → --ca-cert FILE trusts only your own certificate",
      ],
      // The server's own date tells a wrong clock here from a certificate that is too old.
      [
        { error: TOO_EARLY, certificate: days(9, 99, serverDate(50)) },
        "failed: the certificate of panel.example is not trusted: it is not valid yet, or this machine's clock is wrong (TLSv1.3, issued by R13, valid from 2026-03-10 00:00 UTC, and the date here is 2026-03-01 00:00 UTC, for panel.example; by the clock of that server it is 2026-04-20 00:00 UTC) → set this machine's clock: timedatectl set-ntp true, which needs chrony or systemd-timesyncd",
      ],
      [
        { error: TOO_EARLY, certificate: days(9, 99, serverDate(0)) },
        "failed: the certificate of panel.example is not trusted: it is not valid yet, or this machine's clock is wrong (TLSv1.3, issued by R13, valid from 2026-03-10 00:00 UTC, and the date here is 2026-03-01 00:00 UTC, for panel.example; by the clock of that server it is 2026-03-01 00:00 UTC) → make a new certificate: the clock of the machine that made it was ahead",
      ],
      [
        { error: EXPIRED, certificate: days(-99, -3, serverDate(0)) },
        "failed: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong (TLSv1.3, issued by R13, expired 3 days before 2026-03-01 00:00 UTC, the date here, for panel.example; by the clock of that server it is 2026-03-01 00:00 UTC) → renew the certificate on the panel's server: certbot renew; systemctl reload nginx",
      ],
      [
        { error: EXPIRED, certificate: days(-99, 9) },
        "failed: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong (TLSv1.3, issued by R13, valid for 9 days more, for panel.example) → the certificate itself is valid, and one of its issuers' has expired: give the panel's server the issuers' new ones (fullchain.pem)",
      ],
      [
        { error: EXPIRED },
        "failed: the certificate of panel.example is not trusted: it has expired, or this machine's clock is wrong → if the date here is right (date), renew the certificate on the panel's server: certbot renew; systemctl reload nginx",
      ],
      [
        {
          error: untrusted("its issuer is unknown to this machine"),
          certificate: days(-9, 80, { isAlone: true }),
        },
        "failed: the certificate of panel.example is not trusted: its issuer is unknown to this machine (TLSv1.3, issued by R13, valid for 80 days more, for panel.example) → give the panel's server the full chain (fullchain.pem): it sends its own certificate alone",
      ],
      [
        {
          error: untrusted("it is for another name"),
          source: "answered by 9.9.9.9",
          certificate: days(-9, 80, { names: ["a", "b", "c", "d", "e"] }),
        },
        "failed: the certificate of panel.example is not trusted: it is for another name (TLSv1.3, issued by R13, valid for 80 days more, for a, b, c, d…) → correct the name in -e, or give the panel's server a certificate for panel.example → see whether the name has the panel's address: it is answered by 9.9.9.9",
      ],
      [
        { error: "Cannot start TLS with panel.example: no answer within 5 s" },
        "failed: no TLS with panel.example port 443: no answer within 5 s → see what answers there: openssl s_client -connect panel.example:443 -servername panel.example </dev/null; if that hangs too, large packets may be lost on the way (ping -M do -s 1472 panel.example): lower the MTU → read the log of the server that terminates TLS for the panel",
      ],
      [
        {
          error: "Cannot connect to panel.example port 443: it does not speak TLS; is it …?",
          panelAt: "http://panel.example:25774",
        },
        "failed: panel.example port 443 does not speak TLS; a Komari panel answers at http://panel.example:25774 → write http://panel.example:25774 into -e: without TLS anyone on the way can read the token",
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
    [400 * DAY_MS, "warning: 400 days behind the panel's"],
  ]));
