/**
 * Looks, for `doctor`, whether large packets are lost on the way where small ones get there, by pings of
 * several sizes.
 *
 * @module
 */

import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { deviceMtu, deviceTo, type RouteFinding } from "./doctor_route.ts";

/** What every way of IPv6 has to pass, and what tunnels of IPv4 do, in bytes. */
const SMALL_MTUS = [1280, 1400];
const PING_MS = 2_500;

/** A finding where pings of a full packet are lost, and smaller ones are answered. */
export async function largePacketsLost(
  address: string,
  signal: AbortSignal,
  tools: Tools = new ToolRunner({ PATH: toolPath() }),
): Promise<RouteFinding | undefined> {
  const isAnswered = async (mtu: number) => {
    // The headers of IP and ICMP.
    const size = mtu - (ipFamily(address) === 6 ? 48 : 28);
    const args = ["-n", "-c", "2", "-i", "0.3", "-W", "1", "-M", "do", "-s", String(size), address];
    const { code, output } = await tools.run({ tool: "ping", args }, {
      signal,
      timeoutMs: PING_MS,
    });
    // The kernel knows of a smaller one, and sends what fits.
    return code === 0 || /too long/i.test(output);
  };
  const full = deviceMtu(address);
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
