import { attempt } from "../lib/attempt.ts";
import { works } from "./only_on.ts";

/** Starts the program whose command line follows in a network of its own, with a loopback. */
export const OWN_NETWORK: readonly string[] = [
  "unshare",
  "-rn",
  "sh",
  "-c",
  'ip link set lo up && exec "$0" "$@"',
];

/** Whether this machine and this user can have a network of their own; says so if not. */
export const hasOwnNetwork: boolean = Deno.build.os === "linux" &&
  await works([...OWN_NETWORK, "true"], "in a network of its own: unshare with user namespaces");

/** Whether the kernel has IPv6: not every one was built with it, and it can be switched off. */
export const hasIpv6: boolean =
  attempt(() => Deno.readTextFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6"))?.trim() === "0";
