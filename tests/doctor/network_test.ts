import { assertEquals } from "@std/assert";
import { judgeNetwork, type NetworkEvidence } from "../../lib/doctor/network.ts";
import { same } from "../cases.ts";
import { shown } from "./way_of.ts";

/** Interfaces as `eth0 up 192.0.2.5`, with `down` and `cut` (no carrier), before the routes. */
function network(text: string): NetworkEvidence {
  const [links = "", routes = ""] = text.split("; routes");
  return {
    interfaces: links.split(", ").filter((it) => it !== "").map((link) => {
      const [name = "", state, ...addresses] = link.split(" ");
      return { name, addresses, isUp: state !== "down", hasCarrier: state !== "cut" };
    }),
    routes: routes.trim().split(" ").filter((it) => it !== "").map((it) => it === "6" ? 6 : 4),
  };
}

/** `unreachable` and `reached` say what became of the connection. */
const judge = (line: string) => {
  const [text = "", host = "panel.example", how] = line.split(" | ");
  return shown(judgeNetwork(network(text), {
    ...{ host, isReached: how === "reached", isUnreachable: how === "unreachable" },
  }));
};

Deno.test("the network is judged by interfaces and routes, and only where something can't be reached", () =>
  same(judge, [
    ["eth0 up 192.0.2.5; routes 4", "ok: eth0 192.0.2.5"],
    [" | 127.0.0.1", "ok: not needed: 127.0.0.1 is this machine"],
    ["eth0 down | panel.example | reached", "ok: "],
    [
      "eth0 cut",
      "failed: no interface has an address: eth0 has no carrier → check the network of the virtual machine, the cable or the Wi-Fi",
    ],
    [
      "",
      "failed: there is no network interface but the loopback → see which there are: ip link; a container: start it without --network none → see whether its unit has PrivateNetwork=: systemctl cat komari-agent-deno",
    ],
    ["eth0 up 192.0.2.5 | 198.51.100.7", "ok: eth0 192.0.2.5"],
    [
      "eth0 up 192.0.2.5 | 198.51.100.7 | unreachable",
      "failed: eth0 192.0.2.5; there is no default route of IPv4, and 198.51.100.7 can't be reached → give it a gateway, and in the files of its network: ip route add default via ADDRESS",
    ],
    [
      "eth0 up 192.0.2.5 | panel.example | unreachable",
      "failed: eth0 192.0.2.5; there is no default route, and panel.example can't be reached → give it a gateway, and in the files of its network: ip route add default via ADDRESS",
    ],
    // The connection's own error says that there is no address of that family.
    ["eth0 up 192.0.2.5; routes 4 | 2001:db8::7 | unreachable", "ok: eth0 192.0.2.5"],
    ["eth0 up 192.0.2.5; routes 4 | 198.51.100.7 | unreachable", "ok: eth0 192.0.2.5"],
  ]));

Deno.test("a system that does not tell its interfaces is not judged", () => {
  const of = { host: "panel.example", isReached: false, isUnreachable: true };
  assertEquals(judgeNetwork(undefined, of).status, "skipped");
});
