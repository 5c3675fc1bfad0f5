/**
 * Why a name has no address, for `doctor`: what each server says about it, and what to do.
 *
 * @module
 */

import { isInContainerImage } from "../host/this_program.ts";
import { truncate } from "../parse/bounded_text.ts";
import { settingText } from "../service/loaded_unit.ts";
import { advised, type CheckResult, failed } from "./checks.ts";
import {
  hasSystemdResolved,
  REPLACE_LINK,
  START_RESOLVED,
  unresolvedAdvice,
} from "./doctor_name_advice.ts";
import {
  answerText,
  askEach,
  HOSTS,
  isSilent,
  type NameAnswer,
  type NameSources,
  RESOLV_CONF,
  RESOLVED_CONF,
} from "./doctor_name_servers.ts";
import { serverFamilyFinding } from "./doctor_family.ts";
import { detourOf, kernelRoutes, type RouteFinding, routeFinding } from "./doctor_route.ts";
import { sourceFinding } from "./doctor_source.ts";
import { covers, restart } from "./doctor_unit_settings.ts";
import { firstHop, hopText, type Way } from "./doctor_way.ts";
import { unitAdvice } from "./doctor_unit_network.ts";

/** A name without an address: what each server says about it, and what to do. */
export async function unresolved(
  message: string,
  { way, sources, answers, pings, signal }: {
    way: Way;
    sources: NameSources;
    answers: readonly NameAnswer[];
    /** How many pings to a silent server are lost; `undefined` where it answers none. */
    pings?: number | undefined;
    signal: AbortSignal;
  },
): Promise<CheckResult> {
  const { host } = firstHop(way);
  const subject = hopText(way);
  const { order, servers, asked, file, hostsLine, unreadable } = sources;
  const isOwn = way.config.nameServer !== undefined;
  if (hostsLine !== undefined && sources.leavesOutHosts) {
    return failed(
      `Cannot resolve ${subject}: line ${hostsLine} of /etc/hosts has it, and /etc/nsswitch.conf has ` +
        `"hosts: ${order?.join(" ")}", so that file is not read`,
      "add files to that line, before dns",
    );
  }
  if (!isOwn && order !== undefined && !order.some((it) => /^(dns|resolve)$/.test(it))) {
    return failed(
      `${message}: /etc/nsswitch.conf has "hosts: ${order.join(" ")}", so no name server is asked`,
      "add dns to that line",
    );
  }
  if (unreadable.includes(RESOLV_CONF)) {
    const hiding = way.unit.findLast(({ name, value }) =>
      name === "InaccessiblePaths" && covers(value, RESOLV_CONF)
    );
    const found = failed(
      `Cannot resolve ${subject}: this user may not read ${RESOLV_CONF}, which names the name servers`,
      hiding
        ? `remove ${settingText(hiding)}, and then: ${restart(way.config.serviceName)}`
        : `let everybody read it: chmod a+r ${RESOLV_CONF}; namei -l ${RESOLV_CONF} shows the folders ` +
          "on the way",
    );
    return { ...found, kind: "unreadable" };
  }
  if (!isOwn && servers.length === 0) {
    const { text, advice } = noServer(sources);
    return failed(`Cannot resolve ${subject}: ${text}`, ...advice);
  }
  const [only, ...more] = answers.map(answerText);
  // A single server that is asked directly is named once.
  const each = more.length === 0 ? only?.replace(`${asked}: `, "") : [only, ...more].join("; ");
  const finding = unitAdvice(way, undefined, answers.map(({ server }) => server)) === undefined
    ? await unreachedServers(answers, sources, signal)
    : undefined;
  const said = `Cannot resolve ${subject}: asked ${asked}: ${each}`;
  const text = finding === undefined ? said : `${said}; ${finding.text}`;
  const looks = unresolvedAdvice(answers, { host, way, sources, isUp: pings !== undefined });
  const [, , , unread] = isOwn || sources.stub !== undefined ? [] : servers;
  const ofLines = unread &&
    `put ${unread.host}, if it answers, among the first three of ${file}: the system reads no others`;
  const advice = finding === undefined || ofLines
    ? advised(ofLines, ...looks)
    : finding.isOne === false
    ? [...finding.advice, ...looks]
    : finding.advice;
  if (!unreadable.includes(HOSTS)) {
    const [server] = servers;
    const lost = server !== undefined && answers.every(isSilent)
      ? { address: server.host, port: server.port, uid: Deno.uid() ?? 0, isUdp: true }
      : undefined;
    return { ...failed(text, ...advice), lost };
  }
  const found = failed(
    `${text}; this user may not read ${HOSTS}`,
    `let everybody read ${HOSTS}, which may have the name: chmod a+r ${HOSTS}`,
    ...advice,
  );
  return { ...found, kind: "unreadable" };
}

/** A name that a server behind systemd-resolved knows, which does not answer, or not so. */
export async function lostInStub(
  answers: readonly NameAnswer[],
  { way, sources, signal }: { way: Way; sources: NameSources; signal: AbortSignal },
): Promise<CheckResult | undefined> {
  const { host } = firstHop(way);
  const known = answers.find(({ addresses }) => addresses.length > 0);
  if (sources.stub === undefined || known === undefined) return undefined;
  const ofStub = { ...sources, servers: [sources.stub] };
  const [answer] = await askEach(host, ofStub, { signal, times: 1 });
  if (answer === undefined || answer.addresses.length > 0) return undefined;
  const [own, above] = [answer, known].map(answerText);
  return failed(
    `Cannot resolve ${host}: asked systemd-resolved: ${own}; of those that it asks: ${above}`,
    isSilent(answer)
      ? "have systemd-resolved answer: systemctl restart systemd-resolved; journalctl -u systemd-resolved -n 30"
      : `see why it does not take that answer, as for DNSSEC or DNS over TLS: resolvectl query ${host}; ` +
        "resolvectl status",
  );
}

/** Why the system knows no name server, by the file that should name it. */
function noServer({ file, isMissing, target, noAddress, oddLine }: NameSources): RouteFinding {
  if (noAddress?.word.endsWith("\r") === true) {
    return {
      text:
        `line ${noAddress.line} of ${file} ends with a carriage return, as Windows writes lines`,
      advice: [`take those out: sed -i 's/\\r$//' ${file}`],
    };
  }
  if (noAddress !== undefined) {
    const word = truncate(noAddress.word, 80);
    return {
      text: `line ${noAddress.line} of ${file} names a server by no address: ${word}`,
      advice: ["write one address on each line: nameserver ADDRESS"],
    };
  }
  if (oddLine !== undefined) {
    const text = truncate(oddLine.text, 80);
    return {
      text: `line ${oddLine.line} of ${file} begins with no word that the system knows: ${text}`,
      advice: ["name a server so: nameserver ADDRESS"],
    };
  }
  if (file === RESOLVED_CONF) {
    const give =
      "give it one: DNS=ADDRESS in /etc/systemd/resolved.conf, and then: systemctl restart " +
      "systemd-resolved";
    return { text: "systemd-resolved has no name server", advice: [give] };
  }
  const none = `${file} names no name server`;
  if (isInContainerImage()) {
    return { text: none, advice: ["start the container with --dns ADDRESS"] };
  }
  if (target === undefined) {
    const write = "name one: echo nameserver ADDRESS >>/etc/resolv.conf";
    return isMissing
      ? { text: `there is no ${file}`, advice: [write, "or start the service that writes it"] }
      : { text: none, advice: [write, "or repair the service that writes it"] };
  }
  const isOfResolved = target.includes("systemd/resolve/") && hasSystemdResolved();
  return {
    text: isMissing
      ? `${file} is a link to ${target}, which is not there`
      : `${file} is a link to ${target}, which names no name server`,
    advice: [
      isOfResolved ? START_RESOLVED : `start the service that writes ${target}`,
      REPLACE_LINK,
    ],
  };
}

/** Why no question gets to any of the servers; `undefined` where nothing of one is seen. */
async function unreachedServers(
  answers: readonly NameAnswer[],
  { servers: [first], file }: NameSources,
  signal: AbortSignal,
): Promise<RouteFinding | undefined> {
  const askRoute = kernelRoutes();
  if (answers.every(isSilent)) {
    const asked = answers.map(({ server }) => server);
    const lack = serverFamilyFinding(asked, { file, askRoute });
    if (lack !== undefined) return lack;
  }
  // A connected socket, as the system's, is sent by the rules for its source.
  const found = answers.filter((answer) => isSilent(answer) || answer.code === "NOERROR")
    .flatMap(({ server }) => routeFinding(server, { askRoute }) ?? []);
  if (found.length === answers.length) return found[0];
  if (first === undefined || !answers.every(isSilent)) return undefined;
  const { host, port } = first;
  return await sourceFinding(host, { port, signal, askRoute }) ?? detourOf(host, askRoute);
}
