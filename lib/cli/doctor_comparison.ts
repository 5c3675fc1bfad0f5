/**
 * Tries again, in the process of `doctor`, the link that fails for the service.
 *
 * @module
 */

import { type Check, type CompletedCheck, runChain, type RunChecks, withLines } from "./checks.ts";

/** Links that may fail for one user, or in the limits of one unit, alone. */
const COMPARED: readonly string[] = ["network", "dns", "connect"];
/** Longer than what works takes. */
const COMPARE_MS = 3_000;

/**
 * Tries the first broken link of the service's again in this process, by one of `chains`, and says
 * there whether it works.
 */
export async function withComparison(
  checks: readonly CompletedCheck[],
  { chains, service, options }: {
    chains: readonly (readonly Check[])[];
    /** The service's name, and its user. */
    service: { readonly name: string; readonly user: string };
    options: RunChecks;
  },
): Promise<CompletedCheck[]> {
  const failed = firstBroken(checks);
  // One cause that is known needs no other, but the files by which names are resolved may be others there.
  const causes = failed?.causes ?? (failed?.id === "dns" && failed.advice ? [failed.advice] : []);
  const isKnown = failed?.kind === "unreadable" || /^the service's unit/.test(causes[0] ?? "");
  if (failed === undefined || causes.length === 0 || isKnown) return [...checks];
  if (!await works(failed.id, { failed, chains, options })) return [...checks];
  const { name, user } = service;
  const rule =
    `see whether a rule is for user ${user || "root"} alone (skuid, owner), or a setting of its ` +
    `unit: nft list ruleset || iptables-save; systemctl cat ${name}`;
  const text = `${failed.text}; tried again in this shell, and not as the service, it works`;
  return checks.map((it) => it === failed ? withLines({ ...it, text }, [rule, ...causes]) : it);
}

/** Tries the first broken link of the service's again through a proxy that this shell alone has. */
export async function withShellProxy(
  checks: readonly CompletedCheck[],
  { chains, variable, command, options }: {
    /** Through that proxy. */
    chains: readonly (readonly Check[])[];
    /** Which variable names it. */
    variable: string;
    /** Has the service use it. */
    command: string;
    options: RunChecks;
  },
): Promise<CompletedCheck[]> {
  const failed = firstBroken(checks);
  if (failed === undefined || !await works("connect", { failed, chains, options })) {
    return [...checks];
  }
  const text =
    `${failed.text}; through the proxy of ${variable}, which this shell has and the service has not, it works`;
  const advice = `have the service use that proxy, too, by this command in this shell: ${command}`;
  return checks.map((it) => it === failed ? withLines({ ...it, text }, [advice]) : it);
}

function firstBroken(checks: readonly CompletedCheck[]): CompletedCheck | undefined {
  return checks.find(({ id, status }) => status === "failed" && COMPARED.includes(id));
}

/** Whether the links of a failed one's panel work here, up to one of them. */
async function works(
  last: string,
  { failed, chains, options }: {
    failed: CompletedCheck;
    chains: readonly (readonly Check[])[];
    options: RunChecks;
  },
): Promise<boolean> {
  const chain = chains.find(([link]) => link?.panel === failed.panel) ?? [];
  const links = chain.slice(0, chain.findIndex(({ id }) => id === last) + 1);
  const { endsAtMs = Infinity } = options;
  const soon = { ...options, endsAtMs: Math.min(endsAtMs, performance.now() + COMPARE_MS) };
  const again = await Array.fromAsync(runChain(links, soon));
  return links.length > 0 &&
    again.every(({ status }) => status === "ok" || status === "warning");
}
