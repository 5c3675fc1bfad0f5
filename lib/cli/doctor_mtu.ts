/**
 * Looks, for `doctor`, whether large packets are lost on the way where small ones get there, by pings and
 * questions of several sizes.
 *
 * @module
 */

import { attemptWithin } from "../async/timeout.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { closeQuietly } from "../net/byte_stream.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { deviceMtu, deviceTo, type RouteFinding } from "./doctor_route.ts";
import { portOf, type Way } from "./doctor_way.ts";

/** What every way of IPv6 has to pass, and what tunnels of IPv4 do, in bytes. */
const SMALL_MTUS = [1280, 1400];
const PING_MS = 2_500;

const HELLO_MS = 2_500;

/** A finding where TLS refuses a question at once by a small answer, and a large answer never comes. */
export async function largeAnswersLost(
  { url, dialer, addresses }: Way,
  signal: AbortSignal,
): Promise<RouteFinding | undefined> {
  const isRefused = await attemptWithin(async (signal) => {
    const { connection } = await dialer.connect(url, { signal });
    const close = () => closeQuietly(connection);
    signal.addEventListener("abort", close);
    try {
      await connection.write(refusedHello(urlHost(url)));
      return (await connection.read(new Uint8Array(16))) !== null;
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }, { timeoutMs: HELLO_MS, signal });
  if (isRefused !== true) return undefined;
  return {
    text:
      "to a question that it refuses it answers, by a small packet, so large ones are lost on the way back",
    advice: smallerPackets(addresses[0] ?? urlHost(url), portOf(url)),
  };
}

/** Advice where large packets of one port are lost, and pings of that size are not. */
export function smallerPackets(address: string, port: number): string[] {
  return [
    `see whether smaller packets get through, and keep that in the files of its network: ip link set dev ${
      deviceTo(address)
    } mtu 1280`,
    `else see what drops large packets of port ${port} on the panel's machine, or before it: ip link; nft list ` +
    "ruleset || iptables-save",
  ];
}

/** A `ClientHello` (RFC 8446) without a cipher, which a server refuses by a few bytes. */
function refusedHello(host: string): Uint8Array {
  const sized = (bytes: readonly number[]) => [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  const name = ipFamily(host) === undefined ? [...new TextEncoder().encode(host)] : undefined;
  const serverName = name === undefined ? [] : [0, 0, ...sized(sized([0, ...sized(name)]))];
  const random = crypto.getRandomValues(new Uint8Array(32));
  // The only entry says that it does not renegotiate.
  const ciphers = sized([0, 0xff]);
  const body = [3, 3, ...random, 0, ...ciphers, 1, 0, ...sized(serverName)];
  return Uint8Array.from([22, 3, 1, ...sized([1, 0, ...sized(body)])]);
}

/** A finding where pings of a full packet are lost, and smaller ones are answered. */
export async function largePacketsLost(
  address: string,
  signal: AbortSignal,
  tools: Tools = new ToolRunner({ PATH: toolPath() }),
): Promise<RouteFinding | undefined> {
  const full = deviceMtu(address);
  const isAnswered = async (mtu: number) => {
    // The headers of IP and ICMP.
    const size = mtu - (ipFamily(address) === 6 ? 48 : 28);
    // Where others are lost, too, one of several is most likely answered.
    const count = mtu === full ? 5 : 2;
    const args = [
      "-n",
      "-c",
      String(count),
      "-i",
      "0.3",
      "-W",
      "1",
      "-M",
      "do",
      "-s",
      String(size),
      address,
    ];
    const { code, output } = await tools.run({ tool: "ping", args }, {
      signal,
      timeoutMs: PING_MS,
    });
    // The kernel knows of a smaller one, and sends what fits.
    return code === 0 || /too long/i.test(output);
  };
  const [isFull, ...smaller] = await Promise.all([full, ...SMALL_MTUS].map(isAnswered));
  const passing = SMALL_MTUS.filter((_, at) => smaller[at]).at(-1);
  if (isFull || passing === undefined || passing >= full) return undefined;
  const device = deviceTo(address);
  return {
    text: `packets of ${full} bytes are lost on the way, and those of ${passing} get there (pings)`,
    advice: [
      `have ${device} send smaller ones: ip link set dev ${device} mtu ${passing}, and in the files of its ` +
      "network; or have the router before it do so (nft: tcp option maxseg size set rt mtu)",
    ],
  };
}
