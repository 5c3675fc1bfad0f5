import { createSocket } from "node:dgram";
import { TempFolder } from "../../temp_folder.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { leadToPanel } from "./cable_lead.ts";
import { canMakeNetworks, NetworkNamespace, randomNet } from "./network_namespace.ts";
import {
  type Diagnosis,
  type PlantedProblem,
  printDiagnoses,
  problemsIn,
  type ProblemText,
  untilNamed,
} from "./planted_problem.ts";
import { unless } from "../../only_on.ts";

// Another agent of this machine, such as that of another test, may have a well-known one.
const TOKEN = `t0ken-${crypto.randomUUID()}`;
/** This machine's end of the cable, with the panel and a name server, and the other end. */
const NET = randomNet();
const [HERE, THERE] = [`${NET}.1`, `${NET}.2`];
/** Nobody has it. */
const NOBODY = `${NET}.8`;
const DNS_PORT = 53;

const lack = Deno.build.os !== "linux" || Deno.uid() !== 0
  ? "no root on Linux"
  : canMakeNetworks()
  ? undefined
  : "no networks can be made here";

/** How the name server answers. */
type NameAnswer = "panel" | "0.0.0.0" | "SERVFAIL" | "REFUSED" | "no AAAA" | "late";

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
    const isKnown = label === "panel";
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

interface Row extends PlantedProblem {
  /** Lines of shell within the network that make the problem and take it away. */
  readonly plant: string;
  readonly heal: string;
  readonly answer: NameAnswer;
  /** Files that a process sees there, by their paths. */
  readonly files: Readonly<Record<string, string>>;
  readonly endpoint: string;
}

/** The problems: a name, what makes it and takes it away, and after the arrow what is said; `⏎` ends a line. */
function rows(port: number): Row[] {
  const up =
    `ip addr add ${THERE}/24 dev eth0; ip link set eth0 up; ip route add default via ${HERE}`;
  return problemsIn(`
# nothing but that the panel has no TLS
→ encryption warning: not used: everything goes unencrypted
# an interface that is down
plant: ip link set eth0 down
heal: ${up}
→ network failed: eth0 is down | → switch it on: ip link set eth0 up
# an interface without an address
plant: ip addr flush dev eth0
heal: ${up}
→ network failed: eth0 has no address | → see why it gets no address
# no default route
plant: ip route del default
heal: ip route add default via ${HERE}
endpoint: http://192.0.2.7
→ network failed: there is no default route of IPv4, and 192.0.2.7 | ip route add default
# an empty resolv.conf
resolv.conf: ⏎
→ dns failed: /etc/resolv.conf lists no name server's address | 1. name one: echo nameserver
# /etc/hosts with 127.0.0.1 for the panel
hosts: 127.0.0.1 localhost⏎⏎127.0.0.1 panel.test⏎
→ connect failed: connection refused (from line 3 of /etc/hosts) | start the panel, if it is on this machine
# a filter that answers 0.0.0.0
answer: 0.0.0.0
→ dns failed: panel.test is 0.0.0.0 | a filter blocks this name | → allow panel.test in
# a name server that fails
answer: SERVFAIL
→ dns failed: asked ${HERE}: SERVFAIL | 1. see whether ${HERE} answers about other names | --custom-dns
# a name server that refuses
answer: REFUSED
→ dns failed: asked ${HERE}: REFUSED | see whether ${HERE} answers about other names
# a firewall here that lets no question pass
plant: iptables -A OUTPUT -p udp --dport 53 -j DROP
heal: iptables -F OUTPUT
→ dns failed: does not answer (this machine may not send to it)
# a name server that does not listen
resolv.conf: nameserver ${THERE}⏎
→ dns failed: the name server ${THERE} does not answer | 1. check the network
# a stub of systemd-resolved, which does not run
resolv.conf: nameserver 127.0.0.53⏎
→ dns failed: the name server 127.0.0.53 does not answer | 1. start systemd-resolved
# a first name server that is not there
resolv.conf: nameserver ${NOBODY}⏎nameserver ${HERE}⏎
→ dns warning: ${NOBODY}: no answer | → ${NOBODY} does not answer, and is asked before
# a name that the server does not know
endpoint: http://none.test:${port}
→ dns failed: no such name: none.test; asked ${HERE}: NXDOMAIN | 1. correct the name in -e
# a name server that takes 3 s
answer: late
→ dns warning: panel.test is | after 3. | time getent ahosts panel.test
# a name server that does not answer to AAAA
answer: no AAAA
→ dns failed: asked ${HERE}: NOERROR | and no answer to AAAA | 1. see whether ${HERE} answers AAAA | --custom-dns
# a route that refuses
plant: ip route add blackhole 192.0.2.0/24
heal: ip route del blackhole 192.0.2.0/24
endpoint: http://192.0.2.7
→ connect failed: a route of this machine leads nowhere | ip route get 192.0.2.7
# a gateway that does not answer
plant: ip route add 192.0.2.0/24 via ${NOBODY}
heal: ip route del 192.0.2.0/24
endpoint: http://192.0.2.7
→ connect failed: host is unreachable | ip route get 192.0.2.7
# a port at which nothing listens
endpoint: http://panel.test:1
→ connect failed: connection refused (answered by ${HERE}) | start the panel if it is down
# a firewall that drops what goes to the panel
plant: iptables -A OUTPUT -p tcp --dport ${port} -j DROP
heal: iptables -F OUTPUT
→ connect failed: no answer within 5 s | it answers pings | a firewall here drops it
# a firewall that rejects what goes to the panel
plant: iptables -A OUTPUT -p tcp --dport ${port} -j REJECT
heal: iptables -F OUTPUT
→ connect failed: connection refused | refuses it: nft list ruleset
# an IPv4 address, on a machine that gets out by IPv6 alone
plant: ip -4 addr flush dev eth0; echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 addr add fd00::5/64 dev eth0 nodad; ip -6 route add default via fd00::1
heal: echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ${up}
endpoint: http://192.0.2.7
→ connect failed: this machine has no address of that family | 1. this machine has no IPv4: give the panel's name an IPv6 address
`).map((row) => rowOf(row, port));
}

function rowOf(row: ProblemText, port: number): Row {
  const { field } = row;
  return {
    ...row,
    ...{ plant: field("plant: ") ?? "true", heal: field("heal: ") ?? "true" },
    answer: (field("answer: ") ?? "panel") as NameAnswer,
    endpoint: field("endpoint: ") ?? `http://panel.test:${port}`,
    files: {
      "/etc/resolv.conf": field("resolv.conf: ") ?? `nameserver ${HERE}\n`,
      "/etc/hosts": field("hosts: ") ?? "127.0.0.1 localhost\n",
    },
  };
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
  using folder = new TempFolder();
  using panel = await startTestPanel({ token: TOKEN });
  using namespace = new NetworkNamespace();
  await using lead = leadToPanel(namespace, { name: "eth0", port: panel.port, net: NET });
  namespace.run(`ip route add default via ${HERE}`);
  using names = await new NameServer().listen();
  const diagnoses: Diagnosis[] = [];
  for (const row of rows(Number(new URL(lead.url).port))) {
    names.answer = row.answer;
    namespace.run(row.plant);
    const args = ["doctor", "-e", row.endpoint, "-t", TOKEN, "--json"];
    const options = { through: seeing(namespace, row.files, folder.path) };
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
    namespace.run(row.heal);
  }
  printDiagnoses(diagnoses);
});
