/**
 * The checks of this machine: what is counted, what can't be measured, and what the agent may do.
 *
 * @module
 */

import { isRootUntilSealed, isSealable, sealNeeds, ShellNames } from "../agent/shell_names.ts";
import { unmatchedNotices } from "../agent/startup_log.ts";
import { settlesWithin } from "../async/timeout.ts";
import { attempt } from "../attempt.ts";
import { UsageError } from "../config/usage_error.ts";
import { diagnoseOwn } from "../diagnosis/diagnose.ts";
import { isInContainer } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { mayHang } from "../metrics/mount_filter.ts";
import { STATFS_TIMEOUT_MS } from "../metrics/nonblocking_statfs.ts";
import { hostRoots, openMachine } from "../metrics/open_machine.ts";
import { type CollectorFailure, takeSnapshot } from "../metrics/snapshot.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import { accountNames } from "../parse/passwd.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { isWhole, sealGap, sealProcess } from "../sandbox/seal.ts";
import { startShell } from "../sandbox/shell.ts";
import { agentSays, pingProblem, seenProblem, systemProgram } from "./agent_problems.ts";
import { failed, type Finding, finding, ok, skipped, warning } from "./check.ts";
import { given } from "./options.ts";
import { checkStateFolder, type Here } from "./state_folder.ts";
import { usedUpOf } from "./state_trouble.ts";

/** A check that is not made yet. */
export type Look = readonly [
  id: string,
  title: string,
  look: (signal: AbortSignal) => Finding | Promise<Finding>,
];

/** The checks of this machine, in their order, but for the seal. */
export function machineLooks(here: Here): readonly Look[] {
  const { config } = here;
  let open: Promise<Machine> | undefined;
  const machine = () =>
    open ??= openMachine(config, here).then(async (opened) => {
      await opened.refresh?.();
      return opened;
    });
  return [
    ["interfaces", "Interfaces", async () => {
      try {
        return judgeCounted(here, await machine(), "nics");
      } catch (error) {
        if (config.hostProc === "" || !(error instanceof UsageError)) throw error;
        return failed(
          describeError(error),
          "let the host's be there (docker run -v /:/host:ro,rslave -e HOST_PROC=/host/proc), or leave HOST_PROC out",
        );
      }
    }],
    ["measurements", "Measurements", async () => {
      const failures: CollectorFailure[] = [];
      takeSnapshot((await machine()).collectors, (failure) => failures.push(failure));
      const texts = failures.map(({ subject, error }) => `${subject}: ${describeError(error)}`);
      return texts.length === 0 ? ok("all values of a report") : warning(
        `can't be measured, and the panel does not show it: ${texts.join("; ")}`,
        /list all processes/.test(texts.join()) &&
          "see whether /proc is mounted with hidepid, or its unit has ProtectProc=: findmnt /proc",
      );
    }],
    ["disks", "Disks", async () => await checkDisks(here, await machine())],
    ["ping", "ICMP probes", async (signal) => await checkPing(here, await machine(), signal)],
    ["remote", "Remote control", () => judgeRemote(here)],
    ["state", "State folder", () => checkStateFolder(here)],
    ...config.metrics === undefined
      ? []
      : [["metrics", "Metrics", () => checkMetrics(here)] as const],
  ];
}

/** The running agent's seal; where none runs, this process is sealed, and starts no programs any more. */
export async function trySeal(
  { config, health, os }: Pick<Here, "config" | "health" | "os">,
  signal: AbortSignal,
): Promise<Finding> {
  if (health !== undefined && health.seal !== "") {
    return finding(
      isWhole(health.seal) || config.remoteControl ? "ok" : "warning",
      health.seal,
    );
  }
  if (config.remoteControl) return skipped("not used: remote control is on");
  const leavesRoot = isRootUntilSealed(config);
  const shell = startShell({ ...hostRoots(config.hostProc), os, leavesRoot });
  const needs = await sealNeeds(config, { names: new ShellNames(shell), shell, signal });
  await shell?.close();
  const gap = sealGap(await sealProcess(needs));
  const can = "the kernel and the runtime can seal the agent";
  return gap === undefined ? ok(can) : warning(`the agent can't be sealed as a whole: ${gap}`);
}

/** More names are not shown. */
const MAX_NAMES = 6;

/** Judges which interfaces, or mounts, are counted, and whether options name what is not here. */
function judgeCounted(here: Here, machine: Machine, of: "nics" | "mountpoint"): Finding {
  takeSnapshot(machine.collectors);
  const all = of === "nics"
    ? machine.interfaces().map(({ name, counted }) => ({ name, counted }))
    : machine.mounts().map(({ mountPoint: name, counted }) => ({ name, counted }));
  const counted = all.filter((it) => it.counted).map(({ name }) => name);
  const names = of === "nics" ? all.map(({ name }) => name) : counted;
  const notice = unmatchedNotices(here.config, machine).find((text) => text.includes(of));
  const [, flag] = /^--(\S+)/.exec(notice ?? "") ?? [];
  if (notice !== undefined && flag !== undefined) {
    const shown = names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ", …" : "");
    return finding(
      of === "nics" && counted.length === 0 ? "failed" : "warning",
      shown === "" ? notice : `${notice}; those of this machine: ${shown}`,
      `name existing ones: ${given(here, `--${flag} NAMES`)}`,
      `or leave that option out: ${given(here, `--unset ${flag}`)}`,
    );
  }
  const lost = of === "nics" ? "traffic" : "disk space";
  const choice = of === "nics" ? "--include-nics NAMES" : "--include-mountpoint PATHS";
  return counted.length > 0
    ? ok(`${counted.join(", ")} counted, ${all.length - counted.length} left out`)
    : warning(
      `none is counted, so no ${lost} is reported`,
      `--dry-run says why each is left out; this chooses them: ${given(here, choice)}`,
    );
}

/** Which disks are counted, which don't answer, and which are full. */
async function checkDisks(here: Here, machine: Machine): Promise<Finding> {
  const found = judgeCounted(here, machine, "mountpoint");
  const { statfs } = await import("node:fs/promises");
  // One that is not counted hangs other programs all the same, but automounts would be mounted for it.
  const asked = machine.mounts().filter((it) =>
    it.counted || (mayHang(it) && it.type !== "autofs")
  );
  const states = await Promise.all(asked.map(async ({ mountPoint, counted }) => {
    // A mount of another namespace, as in a container, is not here at all, and answers with an error.
    const used = statfs(mountPoint).then(usedUpOf, () => undefined);
    const isAnswered = await settlesWithin(used, STATFS_TIMEOUT_MS);
    return { mountPoint, counted, state: isAnswered ? await used : "hangs" };
  }));
  const hanging = states.filter(({ state }) => state === "hangs");
  const paths = hanging.map(({ mountPoint }) => mountPoint);
  if (hanging.length > 0) {
    return finding(
      hanging.some(({ counted }) => counted) ? "failed" : "warning",
      ...hangingDisks(paths),
    );
  }
  const [full] = states.filter(({ counted, state }) => counted && state === "space");
  return found.status !== "ok" || full === undefined || full.mountPoint.startsWith("/snap/")
    ? found
    : warning(
      ...fullDisk(full.mountPoint),
    );
}

/** The text and the advice for mount points that don't answer. Another user may have chosen their names. */
export function hangingDisks(paths: readonly string[]): [text: string, ...advice: string[]] {
  const first = quoteShellWord(foreignWords(paths[0] ?? "", 300));
  return [
    `${foreignWords(paths.join(", "), 300)} does not answer within ${STATFS_TIMEOUT_MS / 1000} s`,
    `see whether its server answers: findmnt -T ${first}`,
    `if it is not needed, unmount it: umount -l ${first}`,
  ];
}

/** The text and the advice for a mount point without space. */
export function fullDisk(path: string): [text: string, advice: string] {
  const word = quoteShellWord(foreignWords(path, 300));
  return [
    `${
      foreignWords(path, 300)
    } is full: it has no space for users other than root, such as for an update or a log`,
    `make room: df -h ${word}; du -xh ${word} | sort -h | tail`,
  ];
}

/** Whether this process can ping, and what the running agent says of its own pings. */
async function checkPing(
  { config, health, os }: Here,
  { roots }: Machine,
  signal: AbortSignal,
): Promise<Finding> {
  const seen = seenProblem(health, "ping");
  const shell = startShell({ ...roots, os, leavesRoot: isRootUntilSealed(config) });
  const adviceOn = (reason: string) =>
    !/socket|CAP_NET_RAW/.test(reason)
      ? diagnoseOwn("ping", reason).action
      : isInContainer()
      ? "start the container with --cap-add NET_RAW, and in Docker without no-new-privileges"
      : "see whether its unit takes that right (systemctl cat komari-agent-deno), or have it written anew: " +
        "komari-agent-deno install";
  try {
    await new IcmpProbe(shell).probe(["127.0.0.1"], { signal });
    return seen === undefined ? ok("ping works") : failed(agentSays(seen), adviceOn(seen));
  } catch (error) {
    signal.throwIfAborted();
    const reason = pingProblem(describeError(error));
    // Its user has a right that this one has not.
    if (health !== undefined && seen === undefined && /may not open its socket/.test(reason)) {
      return skipped(
        "this user may not ping, but the running agent, of another user, can",
      );
    }
    return finding(
      seen === undefined ? "warning" : "failed",
      `they don't work: ${reason}`,
      adviceOn(reason),
    );
  } finally {
    await shell?.close();
  }
}

/** Whether a panel may run commands here, and as whom. */
function judgeRemote(here: Here): Finding {
  const { config, health } = here;
  const turnOn = given(here, "--enable-remote-control");
  const refused = seenProblem(health, "remote");
  if (refused !== undefined) {
    return warning(
      agentSays(refused),
      `if the panel is to run commands, terminals and files here, turn it on: ${turnOn}`,
    );
  }
  const terminal = seenProblem(health, "terminal");
  const isMissing = health === undefined && !isSealable(config) &&
    systemProgram("script") === undefined;
  if (terminal !== undefined || isMissing) {
    const { reason, action } = diagnoseOwn("terminal", terminal ?? 'there is no "script" command');
    return failed(
      terminal === undefined ? `terminals don't work: ${reason}` : agentSays(terminal),
      action,
    );
  }
  if (isSealable(config)) {
    return skipped(
      `off: commands, terminals and files of the panel are refused; this turns it on: ${turnOn}`,
    );
  }
  const uid = attempt(() => Deno.statSync(`/proc/${health?.pid ?? "self"}`).uid) ?? Deno.uid() ?? 0;
  if (uid === 0) return ok("on, as root");
  const names = accountNames(attempt(() => Deno.readTextFileSync("/etc/passwd")) ?? "");
  return ok(`on, as user ${names.get(uid) ?? uid}, with its rights alone`);
}

/** Asks the agent that serves them; where none runs, whether the address is free. */
function checkMetrics(here: Here): Finding {
  const { hostname = "", port = 0 } = here.config.metrics ?? {};
  const other = given(here, "--metrics ADDRESS");
  const advice = `choose another address of this machine, or a port from 1024 on: ${other}; ` +
    `or see what listens there: ss -ltnp "sport = :${port}"`;
  const seen = seenProblem(here.health, "metrics");
  if (seen !== undefined) return failed(agentSays(seen), advice);
  if (here.health !== undefined) return ok(`the agent serves them on ${hostname} port ${port}`);
  try {
    Deno.listen({ hostname, port }).close();
    return ok(`${hostname} port ${port} is free`);
  } catch (error) {
    return failed(`can't be served on ${hostname} port ${port}: ${describeError(error)}`, advice);
  }
}
