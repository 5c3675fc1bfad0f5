import { createSocket } from "node:dgram";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { canMakeNetworks, layCable, NetworkNamespace, randomNet } from "./network_namespace.ts";
import {
  type Diagnosis,
  type PlantedProblem,
  printDiagnoses,
  untilNamed,
} from "./planted_problem.ts";
import { unless } from "../../only_on.ts";

// Another agent of this machine, such as that of another test, may have a well-known one.
const TOKEN = `t0ken-${crypto.randomUUID()}`;
/** This machine's end of the cable, with the panel and a name server, and the other end. */
const NET = randomNet();
const [HERE, THERE] = [`${NET}.1`, `${NET}.2`];
/** A further address of that end. */
const OTHER = `${NET}.3`;
/** Nobody has it. */
const NOBODY = `${NET}.9`;
const DNS_PORT = 53;

const lack = Deno.build.os !== "linux" || Deno.uid() !== 0
  ? "no root on Linux"
  : canMakeNetworks()
  ? undefined
  : "no networks can be made here";

/** How the name server answers. */
type NameAnswer =
  | "panel"
  | "0.0.0.0"
  | "127.0.0.1"
  | "everything"
  | "SERVFAIL"
  | "REFUSED"
  | "no AAAA"
  | "late";

const CODES: Partial<Record<NameAnswer, number>> = { SERVFAIL: 2, REFUSED: 5 };
const LATE_MS = 3_000;

/** Answers each question about a name as told. */
class NameServer implements Disposable {
  answer: NameAnswer = "panel";
  readonly #socket = createSocket("udp4");
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#socket.bind(DNS_PORT, HERE, resolve));
    this.#socket.on("message", (query: Uint8Array, { port, address }) => {
      const send = () => this.#socket.send(this.#answerTo(query), port, address);
      // The last byte but two of a question is the type.
      if (this.answer === "no AAAA" && query.at(-3) === 28) return;
      if (this.answer !== "late") send();
      else this.#timers.add(setTimeout(send, LATE_MS));
    });
    return this;
  }

  #answerTo(query: Uint8Array): Uint8Array {
    const length = query[12] ?? 0;
    const label = new TextDecoder().decode(query.subarray(13, 13 + length));
    const end = query.indexOf(0, 12) + 5;
    const isA = query[end - 3] === 1;
    const isKnown = label === "panel" || this.answer === "everything";
    const code = CODES[this.answer] ?? (isKnown ? 0 : 3);
    const address = /^\d/.test(this.answer) ? this.answer : HERE;
    const hasAnswer = code === 0 && isA;
    const head = query.slice(0, end);
    head.set([0x81, 0x80 | code, 0, 1, 0, hasAnswer ? 1 : 0, 0, 0, 0, 0], 2);
    const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split(".").map(Number)];
    return Uint8Array.from([...head, ...hasAnswer ? record : []]);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket.close();
  }
}

/** Hands connections to one port of the cable's end to a panel on loopback. */
function forward(panel: URL): Deno.TcpListener {
  const listener = Deno.listen({ hostname: HERE, port: 0 });
  (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: panel.hostname, port: Number(panel.port) });
      // A client that is gone ends both.
      client.readable.pipeTo(server.writable).catch(() => {});
      server.readable.pipeTo(client.writable).catch(() => {});
    }
  })();
  return listener;
}

interface Row extends PlantedProblem {
  /** Lines of shell within the network that make the problem and take it away. */
  readonly plant?: string;
  readonly heal?: string;
  readonly answer?: NameAnswer;
  /** Files that a process sees there, by their paths. */
  readonly files?: Readonly<Record<string, string>>;
  readonly endpoint?: string;
}

function rows(port: number): Row[] {
  const failed = (check: string, ...words: string[]) =>
    ({ check, status: "failed", words }) as const;
  const warning = (check: string, ...words: string[]) =>
    ({ check, status: "warning", words }) as const;
  const up =
    `ip addr add ${THERE}/24 dev eth0; ip link set eth0 up; ip route add default via ${HERE}`;
  return [
    {
      cause: "nothing but that the panel has no TLS",
      ...warning("tls", "not used: everything goes unencrypted"),
    },
    {
      cause: "an interface that is down",
      plant: "ip link set eth0 down",
      heal: up,
      ...failed("network", "eth0 is down", "→ switch eth0 on: ip link set eth0 up"),
    },
    {
      cause: "an interface without an address",
      plant: "ip addr flush dev eth0",
      heal: up,
      ...failed("network", "eth0 has no address", "→ eth0: see why it gets no address"),
    },
    {
      cause: "no default route",
      plant: "ip route del default",
      heal: `ip route add default via ${HERE}`,
      endpoint: "http://192.0.2.7",
      ...failed("network", "there is no default route, and 192.0.2.7", "ip route add default"),
    },
    {
      cause: "a default route of IPv4 that is gone beside one of IPv6",
      plant: "ip route del default; echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; " +
        "ip -6 addr add fd00::5/64 dev eth0 nodad; ip -6 route add default via fd00::1",
      heal: `echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip route add default via ${HERE}`,
      endpoint: "http://192.0.2.7",
      ...failed("network", "default route by eth0, of IPv6 alone", "ip route add default"),
    },
    {
      cause: "an empty resolv.conf",
      files: { "/etc/resolv.conf": "" },
      ...failed("dns", "/etc/resolv.conf names no name server", "1. name one: echo nameserver"),
    },
    {
      cause: "nsswitch.conf without dns",
      files: { "/etc/nsswitch.conf": "hosts: files\n" },
      ...failed("dns", '"hosts: files", so no name server is asked', "→ add dns to that line"),
    },
    {
      cause: "/etc/hosts with 127.0.0.1 for the panel",
      files: { "/etc/hosts": "127.0.0.1 localhost\n\n127.0.0.1 panel.test\n" },
      ...failed(
        "connect",
        "connection refused",
        "line 3 of /etc/hosts",
        "1. if the panel is on another machine, remove panel.test from /etc/hosts",
      ),
    },
    {
      cause: "a filter that answers 0.0.0.0",
      answer: "0.0.0.0",
      ...failed("dns", "panel.test is 0.0.0.0", "how a filter blocks", "→ allow panel.test in"),
    },
    {
      cause: "a name server that answers everything",
      answer: "everything",
      ...warning("tls", "not used: everything goes unencrypted"),
    },
    {
      cause: "a name server that answers everything, with an address that is not the panel's",
      answer: "everything",
      endpoint: "http://panel.test:1",
      ...failed("connect", "connection refused", `1. ${HERE} gives the same address`),
    },
    {
      cause: "a name server that fails",
      answer: "SERVFAIL",
      ...failed("dns", `asked ${HERE}: SERVFAIL`, "dig +cd", "--custom-dns"),
    },
    {
      cause: "a name server that refuses",
      answer: "REFUSED",
      ...failed("dns", `asked ${HERE}: REFUSED`, "→ see whether it answers about other names"),
    },
    {
      cause: "a firewall here that lets no answer of a name server in",
      plant: "for p in udp tcp; do iptables -A INPUT -p $p --sport 53 -j DROP; done",
      heal: "iptables -F INPUT",
      ...failed(
        "dns",
        `asked ${HERE}: no answer within`,
        "it answers all pings",
        '"udp sport 53 drop" in chain INPUT',
        "→ remove it, and from the file that it is restored from",
      ),
    },
    {
      cause: "a firewall here that lets no question pass",
      plant: "iptables -A OUTPUT -p udp --dport 53 -j DROP",
      heal: "iptables -F OUTPUT",
      ...failed(
        "dns",
        "this machine may not send to it",
        '"udp dport 53 drop" in chain OUTPUT',
        "→ remove it, and from the file that it is restored from",
      ),
    },
    {
      cause: "a name server that is not there",
      files: { "/etc/resolv.conf": `nameserver ${THERE}\n` },
      ...failed(
        "dns",
        `asked ${THERE}: no answer by UDP, and TCP is refused`,
        "1. start the name server at",
      ),
    },
    {
      cause: "a stub of systemd-resolved, which does not run",
      files: { "/etc/resolv.conf": "nameserver 127.0.0.53\n" },
      ...failed(
        "dns",
        "asked 127.0.0.53: no answer by UDP",
        "systemd-resolved, which would answer",
      ),
    },
    {
      cause: "a resolv.conf with the lines of Windows",
      files: { "/etc/resolv.conf": `nameserver ${HERE}\r\n` },
      ...failed("dns", "line 1 of /etc/resolv.conf ends with a carriage", "→ take those out: sed"),
    },
    {
      cause: "two name servers on one line",
      files: { "/etc/resolv.conf": `nameserver ${HERE},${THERE}\n` },
      ...failed("dns", "line 1 of /etc/resolv.conf names a server by no address", "→ write one"),
    },
    {
      cause: "a first name server that is not there",
      files: { "/etc/resolv.conf": `nameserver ${NOBODY}\nnameserver ${HERE}\n` },
      ...warning("dns", `${NOBODY}: no answer`, `→ ${NOBODY} does not answer, and is asked`),
    },
    {
      cause: "a name in /etc/hosts, which nsswitch.conf leaves out",
      files: {
        "/etc/hosts": `127.0.0.1 localhost\n${HERE} by-hosts.test\n`,
        "/etc/nsswitch.conf": "hosts: dns\n",
      },
      endpoint: `http://by-hosts.test:${port}`,
      ...failed("dns", "line 2 of /etc/hosts has it", "→ add files to that line"),
    },
    {
      cause: "a VPN by which nothing comes back, and a rule that sends all there",
      plant:
        "ip link add wg0 type veth peer name wg1; ip link set wg1 up; ip link set wg0 arp off up; " +
        "ip addr add 10.66.66.2/32 dev wg0; ip route add default dev wg0 table 51820; " +
        "ip rule add to 192.0.2.0/24 table 51820",
      heal: "ip rule del table 51820; ip link del wg0",
      endpoint: "http://192.0.2.7",
      ...failed("connect", "sends it by wg0 (table 51820)", "1. see whether anything comes back"),
    },
    {
      cause: "a gateway that does not answer",
      plant: `ip route add 192.0.2.0/24 via ${NOBODY}`,
      heal: "ip route del 192.0.2.0/24",
      endpoint: "http://192.0.2.7",
      ...failed(
        "connect",
        `the gateway ${NOBODY} of eth0 does not answer`,
        `1. see whether ${NOBODY} is the gateway`,
      ),
    },
    {
      cause: "a gateway that does not answer, and no default route",
      plant: `ip route del default; ip route add 192.0.2.0/24 via ${NOBODY}`,
      heal: `ip route del 192.0.2.0/24; ip route add default via ${HERE}`,
      endpoint: "http://192.0.2.7",
      ...failed("connect", `the gateway ${NOBODY} of eth0 does not answer`),
    },
    {
      cause: "a loopback that is down",
      plant: "ip link set lo down",
      heal: "ip link set lo up",
      endpoint: "http://127.0.0.1:8080",
      ...failed("network", "the loopback lo is down", "→ switch lo on: ip link set lo up"),
    },
    {
      cause: "answers that come by another interface than the route's",
      plant: `ip link add br0 type bridge; ip link set br0 up; ip addr add 192.0.2.1/24 dev br0; ` +
        "sysctl -qw net.ipv4.conf.all.rp_filter=1; " +
        `ip route add ${HERE}/32 dev br0; ip route add ${HERE}/32 dev eth0 table 100; ` +
        "ip rule add fwmark 1 lookup 100; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; " +
        `iptables -t mangle -A OUTPUT -d ${HERE} -j MARK --set-mark 1`,
      heal:
        "ip link del br0; ip rule del fwmark 1; ip route flush table 100; iptables -t nat -F; " +
        "iptables -t mangle -F; sysctl -qw net.ipv4.conf.all.rp_filter=0",
      endpoint: `http://${HERE}:${port}`,
      ...failed(
        "connect",
        "packets were dropped here, which came by another interface than br0",
        "1. let them in: sysctl -w net.ipv4.conf.all.rp_filter=2",
      ),
    },
    {
      cause: "a route that refuses",
      plant: "ip route add blackhole 192.0.2.0/24",
      heal: "ip route del blackhole 192.0.2.0/24",
      endpoint: "http://192.0.2.7",
      ...failed(
        "connect",
        'the route "blackhole 192.0.2.0/24" of this machine refuses 192.0.2.7',
        "ip route del blackhole 192.0.2.0/24",
      ),
    },
    {
      cause: "a rule that refuses",
      plant: "ip rule add to 192.0.2.0/24 prohibit",
      heal: "ip rule del to 192.0.2.0/24 prohibit",
      endpoint: "http://192.0.2.7",
      ...failed("connect", "a rule of this machine refuses 192.0.2.7 (prohibit)", "ip rule"),
    },
    {
      cause: "another network that has the name server's address",
      plant: "ip link add br0 type bridge; ip link set br0 up; ip addr add 192.0.2.1/24 dev br0",
      heal: "ip link del br0",
      files: { "/etc/resolv.conf": "nameserver 192.0.2.7\n" },
      ...failed(
        "dns",
        "192.0.2.7 is in the network 192.0.2.0/24 of br0, where no machine answers",
        "1. if it is elsewhere, give br0 another network",
      ),
    },
    {
      cause: "a name server that no route leads to",
      plant: `ip route del default; ip route add 192.0.2.0/24 via ${HERE}`,
      heal: `ip route del 192.0.2.0/24; ip route add default via ${HERE}`,
      files: { "/etc/resolv.conf": "nameserver 198.51.100.7\n" },
      ...failed("network", "there is no default route, and panel.test can't be reached"),
    },
    {
      cause: "a name server whose name for the panel is this machine",
      answer: "127.0.0.1",
      endpoint: "http://panel.test:1",
      ...failed("connect", "connection refused", "1. if the panel is on another machine, its name"),
    },
    {
      cause: "a name that the server does not know",
      endpoint: `http://none.test:${port}`,
      ...failed("dns", `asked ${HERE}: NXDOMAIN`, "1. correct the name in -e"),
    },
    {
      cause: "a name server that takes 3 s",
      answer: "late",
      ...warning("dns", "panel.test is", "after 3.", `(${HERE}: no answer by UDP`, "dig @"),
    },
    {
      cause: "a name server that does not answer to AAAA",
      answer: "no AAAA",
      ...warning(
        "dns",
        `panel.test is ${HERE}`,
        "and no answer to questions for IPv6 (AAAA)",
        `1. have ${HERE} answer to AAAA`,
        `--custom-dns ${HERE}`,
      ),
    },
    {
      cause: "packets that are lost",
      plant: "iptables -A INPUT -m statistic --mode random --probability 0.4 -j DROP",
      heal: "iptables -F INPUT",
      // A name may be answered late, too, and come first.
      endpoint: `http://${HERE}:${port}`,
      ...warning("connect", "packets are lost on the way", "→ see where packets are lost"),
    },
    {
      cause: "an address of IPv6 on a machine without IPv6",
      endpoint: "http://[2001:db8::7]",
      ...failed("connect", "2001:db8::7 is an IPv6 address, and eth0", "1. switch IPv6 on"),
    },
    {
      cause: "large packets that are lost on the way out",
      plant: "iptables -A OUTPUT -p tcp -m length --length 1000:65535 -j DROP",
      heal: "iptables -F OUTPUT",
      ...failed(
        "round_trip",
        "one of 4000 bytes is not",
        "1. see whether large packets are lost on the way out",
      ),
    },
    {
      cause: "a firewall that drops what goes to the panel",
      plant: `iptables -A OUTPUT -p tcp --dport ${port} -j DROP`,
      heal: "iptables -F OUTPUT",
      ...failed(
        "connect",
        "no answer within",
        "; it answers pings",
        `a rule of this machine's own firewall is why: "tcp dport ${port}`,
        "in chain OUTPUT of table ip filter",
        "→ remove it, and from the file that it is restored from: iptables -t filter -S OUTPUT",
      ),
    },
    {
      cause: "a rule of nft that drops what one user sends to the panel",
      plant:
        "nft add table inet f; nft add chain inet f out '{ type filter hook output priority 0; }'; " +
        `nft add rule inet f out meta skuid ${Deno.uid()} tcp dport '{ 80, ${port} }' counter drop`,
      heal: "nft delete table inet f",
      ...failed(
        "connect",
        'drop" in chain out of table inet f',
        "nft delete rule inet f out handle",
      ),
    },
    {
      cause: "a firewall that lets no answer in",
      plant: "nft add table inet f; " +
        "nft add chain inet f in '{ type filter hook input priority 0; policy drop; }'; " +
        "nft add rule inet f in iif lo accept; nft add rule inet f in udp sport 53 accept",
      heal: "nft delete table inet f",
      ...failed(
        "connect",
        '"policy drop" in chain in of table inet f',
        "nft insert rule inet f in ct state established,related accept",
      ),
    },
    {
      cause: "a way on which all packets are lost",
      plant: `ip neigh replace ${NOBODY} lladdr 02:00:00:00:00:09 dev eth0 nud permanent; ` +
        `ip route add 192.0.2.0/24 via ${NOBODY}`,
      heal: `ip route del 192.0.2.0/24; ip neigh del ${NOBODY} dev eth0`,
      endpoint: "http://192.0.2.7",
      ...failed(
        "connect",
        "; nor does it answer pings",
        `; it is sent to ${NOBODY} by the route 192.0.2.0/24, and not to ${HERE} of the default route`,
        `1. see whether ${NOBODY} leads there, and remove that route if not: ip route del 192.0.2.0/24`,
        "2. see from another machine, or in your browser, whether it answers: curl",
      ),
    },
    ...(["connect", "dns"] as const).map((check): Row => ({
      cause: `an address of this machine's own that a router drops (${check})`,
      plant: `ip addr add ${OTHER}/24 dev eth0; ip route add ${HERE}/32 dev eth0 src ${OTHER}; ` +
        `iptables -A INPUT -d ${OTHER} -j DROP`,
      heal: `ip addr del ${OTHER}/24 dev eth0; iptables -F INPUT`,
      endpoint: `http://${check === "dns" ? "panel.test" : HERE}:${port}`,
      ...failed(
        check,
        `what is sent from ${OTHER}, as its route has it, gets no answer, and from ${THERE} it does`,
        `ip route replace ${HERE}/32 dev eth0 src ${THERE}`,
      ),
    })),
    {
      cause: "an interface by which nothing comes back, beside another one",
      plant:
        `ip link add lan1 type veth peer name lan2; ip link set lan1 up; ip link set lan2 up; ` +
        `ip addr add ${OTHER}/32 dev lan1; iptables -A INPUT -d ${THERE} -j DROP`,
      heal: "ip link del lan1; iptables -F INPUT",
      endpoint: `http://${HERE}:${port}`,
      ...failed("connect", `from ${OTHER} it does`, "→ see why it is not sent by lan1, which has"),
    },
    {
      cause: "an address of IPv6 that is not usable yet",
      plant: "cd /proc/sys/net/ipv6/conf/eth0; echo 500 >dad_transmits; echo 0 >disable_ipv6; " +
        "ip -6 addr add 2001:db8::5/64 dev eth0; ip -6 route add 2001:db8:1::/48 dev eth0",
      heal: "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6",
      endpoint: "http://[2001:db8:1::7]",
      ...failed("connect", "2001:db8::5 of eth0 can't be used (tentative)", "→ wait until"),
    },
    {
      cause: "no free port",
      plant: "echo 50000 50010 >/proc/sys/net/ipv4/ip_local_port_range; " +
        "echo 50000-50010 >/proc/sys/net/ipv4/ip_local_reserved_ports",
      heal: "echo 32768 60999 >/proc/sys/net/ipv4/ip_local_port_range; " +
        "echo >/proc/sys/net/ipv4/ip_local_reserved_ports",
      endpoint: `http://${HERE}:${port}`,
      ...failed(
        "connect",
        "this machine has no free port for it, of 50000 to 50010",
        "1. see which program has so many connections: ss -Hantp",
        "sysctl -w net.ipv4.ip_local_port_range='10240 65535'",
      ),
    },
    {
      cause: "a firewall that rejects what goes to the panel",
      plant: `iptables -A OUTPUT -p tcp --dport ${port} -j REJECT`,
      heal: "iptables -F OUTPUT",
      ...failed(
        "connect",
        "a firewall of this machine refuses it",
        "a rule of this machine's own firewall is why",
        "→ remove it, and from the file that it is restored from: iptables -t filter -S OUTPUT",
      ),
    },
    {
      cause: "an IPv4 address, on a machine that gets out by IPv6 alone",
      plant: "ip -4 addr flush dev eth0; echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; " +
        "ip -6 addr add fd00::5/64 dev eth0 nodad; ip -6 route add default via fd00::1",
      heal: `echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ${up}`,
      endpoint: "http://192.0.2.7",
      ...failed(
        "connect",
        "192.0.2.7 is an IPv4 address, and eth0",
        "1. write a name of the panel with an IPv6 address",
      ),
    },
  ];
}

/** The command that starts another one within the network, where it sees these files. */
function seeing(
  namespace: NetworkNamespace,
  files: Readonly<Record<string, string>>,
  folder: string,
): string[] {
  const mounts = Object.entries(files).map(([path, text], at) => {
    Deno.writeTextFileSync(`${folder}/${at}`, text);
    return `mount --bind ${folder}/${at} ${path}`;
  });
  const line = [...mounts, 'exec "$@"'].join(" && ");
  return [...namespace.enter, "unshare", "-m", "sh", "-c", line, "sh"];
}

const here = unless(lack);

here.test("doctor names what is planted in a network of its own", async () => {
  const folder = await Deno.makeTempDir();
  const panel = await startTestPanel({ token: TOKEN });
  using namespace = new NetworkNamespace();
  const name = `doc${crypto.randomUUID().slice(0, 8)}`;
  layCable({ namespace, name: "eth0" }, { name });
  new Deno.Command("sh", {
    args: ["-c", `ip addr add ${HERE}/24 dev ${name} && ip link set ${name} up`],
  }).outputSync();
  namespace.run(
    `ip addr add ${THERE}/24 dev eth0; ip link set eth0 up; ip route add default via ${HERE}`,
  );
  using names = await new NameServer().listen();
  const listener = forward(new URL(panel.url));
  const { port } = listener.addr;
  try {
    const diagnoses: Diagnosis[] = [];
    for (const row of rows(port)) {
      names.answer = row.answer ?? "panel";
      if (row.plant !== undefined) namespace.run(row.plant);
      const endpoint = row.endpoint ?? `http://panel.test:${port}`;
      const args = ["doctor", "-e", endpoint, "-t", TOKEN, "--json"];
      const files = {
        "/etc/resolv.conf": `nameserver ${HERE}\n`,
        "/etc/nsswitch.conf": "hosts: files dns\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
        ...row.files,
      };
      const options = { through: seeing(namespace, files, folder) };
      diagnoses.push(
        await untilNamed(row, async () => {
          await using doctor = new AgentProcess(
            [...args, "--install-service-name", "no-such"],
            options,
          );
          const { code } = await doctor.ends();
          return { code, output: doctor.output };
        }),
      );
      if (row.heal !== undefined) namespace.run(row.heal);
    }
    printDiagnoses(diagnoses);
  } finally {
    listener.close();
    panel.close();
    await Deno.remove(folder, { recursive: true });
  }
});
