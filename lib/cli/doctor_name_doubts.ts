/**
 * What is odd, for `doctor`, about the addresses that name servers give, and is looked at first where a later
 * link fails.
 *
 * @module
 */

import {
  askEach,
  isSilent,
  type NameAnswer,
  type NameSources,
  RESOLV_CONF,
} from "./doctor_name_servers.ts";
import { firstHop, hopText, type Way } from "./doctor_way.ts";
import { otherNameServer } from "./doctor_options.ts";
import { isFakeIp, isForged, withForged } from "./doctor_addresses.ts";

/** Search domains that are tried. */
const MAX_SEARCHED = 2;

/**
 * Says what is odd about the addresses that name servers give, and has it looked at first if a later link
 * fails. `first` is what each of them answers, `ofNoName` what for a name that does not exist.
 */
export async function readAnswer(
  text: string,
  { way, sources, first, ofNoName, signal }: {
    way: Way;
    sources: NameSources;
    first: readonly NameAnswer[];
    ofNoName: readonly NameAnswer[];
    signal: AbortSignal;
  },
): Promise<string> {
  const { addresses } = way;
  const { host } = firstHop(way);
  if (isFakeIp(way)) {
    way.doubts = [
      "start the proxy that has given this address, or have it take this machine's connections (TUN); it is " +
      "where names are asked, here or on the router: cat /etc/resolv.conf",
      otherNameServer(way),
    ];
    return `${text}, as proxies such as Clash give for any name (fake-IP)`;
  }
  if (ofNoName.some((it) => it.addresses.some((address) => addresses.includes(address)))) {
    way.doubts = [
      `${sources.asked} gives the same address for a name that does not exist: see whether a login ` +
      `page of this network (a captive portal) answers everything: curl -v http://${host}/`,
      otherNameServer(way),
    ];
    return `${text}, which it also gives for a name that does not exist`;
  }
  if (isForged(way)) {
    way.doubts = [
      otherNameServer(way),
      `or write the panel's own address and ${host} into a line of /etc/hosts`,
    ];
    return withForged(text, way);
  }
  const longer = await searchedName(first, { way, sources, signal });
  if (longer === undefined) {
    way.doubts = contradiction(first, { way });
    return text;
  }
  way.doubts = [
    `see whether the panel is ${host}, and not ${longer}: write it with a dot at its end (${host}.), or ` +
    `take that domain out of ${RESOLV_CONF}`,
  ];
  const [subject, list] = [hopText(way), addresses.join(", ")];
  return `${subject} is ${list}, which is the address of ${longer}, by a search domain of ${RESOLV_CONF}`;
}

/** The longer name whose address the system has given, by a search domain; `undefined` where it is by none. */
export async function searchedName(
  answers: readonly NameAnswer[],
  { way, sources, signal }: { way: Way; sources: NameSources; signal: AbortSignal },
): Promise<string | undefined> {
  const isOurs = ({ addresses }: NameAnswer) => addresses.some((it) => way.addresses.includes(it));
  if (answers.some(isOurs) || !answers.some((it) => !isSilent(it))) return undefined;
  for (const domain of (sources.search ?? []).slice(0, MAX_SEARCHED)) {
    const name = `${firstHop(way).host}.${domain}`;
    const asked = await askEach(name, sources, { signal, times: 1 });
    if (asked.some(isOurs)) return name;
  }
  return undefined;
}

/** A doubt where a name server contradicts the addresses that the system has, from that line or a cache. */
export function contradiction(
  answers: readonly NameAnswer[],
  { way, line }: { way: Way; line?: number },
): string[] {
  const found = answers.find(({ addresses }) => addresses.length > 0);
  if (found === undefined || found.addresses.some((it) => way.addresses.includes(it))) return [];
  const { host } = firstHop(way);
  const [ours, theirs] = [way.addresses, found.addresses].map((all) => all.join(", "));
  return [
    line === undefined
      ? `see which address is right: the system has ${ours}, and ${found.server} answers ${theirs}; a cache ` +
        "may be old: resolvectl flush-caches, or nscd -i hosts"
      : `correct or remove line ${line} of /etc/hosts, if ${host} is not at ${ours}: ${found.server} answers ` +
        theirs,
  ];
}
