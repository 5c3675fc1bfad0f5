import { type ConnectionEvidence, judgeConnection } from "../../lib/doctor/connection.ts";
import type { NetworkEvidence } from "../../lib/doctor/network.ts";
import { same } from "../cases.ts";
import { shown, wayOf } from "./way_of.ts";

interface Case extends Partial<ConnectionEvidence> {
  readonly options?: string;
  readonly addresses?: readonly string[];
  readonly network?: NetworkEvidence;
  readonly source?: string;
}

const judge = ({ options, addresses, network, source = "", ...evidence }: Case) =>
  shown(
    judgeConnection(evidence, {
      way: wayOf(options, addresses && { addresses }),
      ...{ network, source },
    }),
  );

const REFUSED = "Cannot connect to panel.example port 443 (192.0.2.7): connection refused";
const LATE = "Cannot connect to panel.example port 443 (192.0.2.7): no answer within 5 s";
const HERE = "Cannot connect to panel.example port 443 (127.0.0.1): connection refused";
const ofFamily = (address: string): NetworkEvidence => ({
  interfaces: [{ name: "eth0", isUp: true, hasCarrier: true, addresses: [address] }],
  routes: [4, 6],
});

Deno.test("a connection is judged by its error, and by what else answers there", () =>
  same(judge, [
    [{ address: "192.0.2.7" }, "ok: connected to 192.0.2.7 port 443"],
    [
      { address: "192.0.2.7", source: "answered by 9.9.9.9" },
      "ok: connected to 192.0.2.7 port 443 (answered by 9.9.9.9)",
    ],
    [
      { error: LATE, source: "from line 2 of /etc/hosts" },
      "failed: panel.example port 443 (192.0.2.7): no answer within 5 s (from line 2 of /etc/hosts) → correct or remove line 2 of /etc/hosts, unless 192.0.2.7 is still the right address → see from another machine whether it answers: curl -m 10 -I https://panel.example; if so, a firewall here drops it (nft list ruleset || iptables-save); if not, open port 443 in its firewall or the provider's security group → see how far packets get: traceroute -n 192.0.2.7",
    ],
    // A panel at another port is proposed first, with a warning where it has no TLS.
    [
      { error: REFUSED, panelAt: "http://panel.example:25774" },
      "failed: panel.example port 443 (192.0.2.7): connection refused; a Komari panel answers at http://panel.example:25774 → write http://panel.example:25774 into -e: without TLS anyone on the way can read the token → start the panel if it is down (ss -ltn); else correct -e or a firewall → see whether a firewall, here or there, refuses it: nft list ruleset || iptables-save",
    ],
    [
      { error: HERE, addresses: ["127.0.0.1"], panelAt: "http://panel.example:25774" },
      "failed: panel.example port 443 (127.0.0.1): connection refused; a Komari panel answers at http://panel.example:25774 → write http://panel.example:25774 into -e, if that panel is yours → start the panel, if it is on this machine (ss -ltn); else correct -e (in a container, 127.0.0.1 is the container itself)",
    ],
    [
      { error: LATE, isPinged: false },
      "failed: panel.example port 443 (192.0.2.7): no answer within 5 s; nor does it answer pings → see from another machine whether it answers: curl -m 10 -I https://panel.example; if so, a firewall here drops it (nft list ruleset || iptables-save); if not, open port 443 in its firewall or the provider's security group → see how far packets get: traceroute -n 192.0.2.7",
    ],
    [
      { error: HERE, addresses: ["127.0.0.1"], isContained: true },
      "failed: panel.example port 443 (127.0.0.1): connection refused → in a container this address is the container itself: give the panel's name, or start it with --network host → start the panel, if it is on this machine (ss -ltn); else correct -e (in a container, 127.0.0.1 is the container itself)",
    ],
    [
      {
        error: "Cannot connect to panel.example port 443 (192.0.2.7): network is unreachable",
        network: ofFamily("192.0.2.5"),
      },
      "failed: panel.example port 443 (192.0.2.7): network is unreachable → see whether this machine is online, has IPv4 and a route there: ip addr; ip route get 192.0.2.7 → see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save",
    ],
  ]));

Deno.test("a proxy is judged by its own errors, and no other ports of the panel are", () => {
  const env = { HTTPS_PROXY: "http://10.0.0.1:3128" };
  const judge = (evidence: Partial<ConnectionEvidence>) =>
    shown(
      judgeConnection(evidence, {
        way: wayOf("-e https://panel.example", { env, addresses: [] }),
        ...{ network: undefined, source: "" },
      }),
    );
  const through = "Cannot connect to panel.example through the proxy 10.0.0.1 port 3128: ";
  return same(judge, [
    [{ address: "10.0.0.1" }, "ok: connected through the proxy 10.0.0.1 port 3128"],
    [
      { stage: "proxy", error: `${through}the proxy answers 407 Proxy Authentication Required` },
      "failed: the proxy 10.0.0.1 wants a login: the proxy answers 407 Proxy Authentication Required → put the proxy's user and password into HTTPS_PROXY/ALL_PROXY: http://USER:PASSWORD@HOST:PORT",
    ],
  ]);
});
