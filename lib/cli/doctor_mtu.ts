/**
 * Looks, for `doctor`, whether large packets are lost on the way where small ones get there, by pings and
 * questions of several sizes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { attemptWithin } from "../async/timeout.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { closeQuietly } from "../net/byte_stream.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { deviceTo, type RouteFinding } from "./doctor_route.ts";
import { addressOf, firstHop, portOf, type Way } from "./doctor_way.ts";

/** What every way of IPv6 has to pass, and what tunnels of IPv4 do, in bytes. */
const SMALL_MTUS = [1280, 1400];
/** For a ping, or a question. */
const TRY_MS = 2_500;

/** The largest packet by the interface by which an address is reached, 1,500 bytes at most. */
function deviceMtu(address: string): number {
  const file = `/sys/class/net/${deviceTo(address)}/mtu`;
  return Math.min(Number(attempt(() => Deno.readTextFileSync(file)) ?? 1500), 1500);
}

/** The data of a ping in a packet of that size, behind the headers of IP and ICMP. */
function dataOf(mtu: number, address: string): number {
  return mtu - (ipFamily(address) === 6 ? 48 : 28);
}

/** A look at whether full packets get to whom a connection goes; `isOut` where a large question gets no answer. */
export function largePacketsLook(
  way: Pick<Way, "url" | "proxy" | "addresses">,
  { isOut = false }: { isOut?: boolean } = {},
): string {
  const { host } = firstHop(way);
  const address = addressOf(way);
  const ping = `ping -c 3 -M do -s ${dataOf(deviceMtu(address), address)}`;
  const device = deviceTo(address);
  return isOut
    ? `see whether large packets are lost on the way out: ${ping} ${host}; then a smaller MTU helps: ip link set ` +
      `dev ${device} mtu 1280`
    : `see whether large packets are lost on the way: ${ping} ${host}; then a smaller MTU helps: ip link set ` +
      `dev ${device} mtu 1280`;
}

/** A finding where TLS refuses a question at once by a small answer, and a large answer never comes. */
export async function largeAnswersLost(
  way: Way,
  signal: AbortSignal,
): Promise<RouteFinding | undefined> {
  const { url, dialer } = way;
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
  }, { timeoutMs: TRY_MS, signal });
  if (isRefused !== true) return undefined;
  return {
    text:
      "to a question that it refuses it answers, by a small packet, so large ones are lost on the way back",
    advice: smallerPackets(addressOf(way), portOf(url)),
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
  // TLS_EMPTY_RENEGOTIATION_INFO_SCSV, which is no cipher.
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
    // Where others are lost, too, one of several is most likely answered.
    const count = mtu === full ? 5 : 2;
    const args = `-n -c ${count} -i 0.3 -W 1 -M do -s ${dataOf(mtu, address)} ${address}`.split(
      " ",
    );
    const options = { signal, timeoutMs: TRY_MS };
    const { code, output } = await tools.run({ tool: "ping", args }, options);
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
