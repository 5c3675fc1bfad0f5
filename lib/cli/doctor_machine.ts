/**
 * The checks of `doctor` on this machine.
 *
 * @module
 */

import { deadline } from "@std/async/deadline";
import { sealNeeds, ShellNames } from "../agent/shell_names.ts";
import type { Config } from "../config/config.ts";
import type { Translation } from "../config/language.ts";
import { writeAll } from "../io/write_all.ts";
import type { ProblemPart } from "../state/health_file.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { stateFolder } from "../state/paths.ts";
import { describeSandbox, sealGap, sealProcess } from "../sandbox/sandbox.ts";
import { startShell } from "../sandbox/shell.ts";
import {
  isInContainerImage,
  PACKAGE_MANAGERS,
  packageOf,
  thisProgram,
} from "../host/this_program.ts";
import { descriptorLimit, LEAST_DESCRIPTORS } from "../host/descriptor_limit.ts";
import { describeError } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { mayHang, type MountDecision } from "../metrics/mount_filter.ts";
import { STATFS_TIMEOUT_MS } from "../metrics/nonblocking_statfs.ts";
import { hostRoots, openMachine, type Platform } from "../metrics/open_machine.ts";
import { takeSnapshot } from "../metrics/snapshot.ts";
import { dirname } from "../parse/path.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { agentFolders } from "../service/installed_service.ts";
import { knowsReleases, VERSION } from "../version.ts";
import { agentProblems } from "./agent_problems.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import { findUpdate } from "./update.ts";

type Environment = Readonly<Record<string, string>>;

/** The check of the configuration, which was read without a mistake. */
export function configCheck(config: Config): Check {
  return check("config", { en: "Configuration", zh: "配置" }, () => {
    const { configPath, isConfigInstalled, notices } = config;
    const source = configPath === undefined
      ? { en: "from flags and variables", zh: "来自命令行和环境变量" }
      : isConfigInstalled
      ? { en: `${configPath}, of the installed service`, zh: `${configPath}，已安装的服务` }
      : { en: configPath, zh: configPath };
    if (notices.length === 0) return result("ok", source);
    const words = notices.join("; ");
    return result("warning", { en: `${source.en}: ${words}`, zh: `${source.zh}：${words}` });
  });
}

/** The check of the limit of open files, below which nothing works as it should. */
export function descriptorCheck(limit = descriptorLimit()): Check {
  return check("open_files", { en: "Open files", zh: "打开文件数" }, () => {
    if (limit === undefined) return result("ok", { en: "not limited", zh: "没有限制" });
    const text = { en: `${limit} at a time`, zh: `最多同时 ${limit} 个` };
    if (limit >= LEAST_DESCRIPTORS) return result("ok", text);
    return result("failed", text, {
      en: `an agent needs ${LEAST_DESCRIPTORS}: raise LimitNOFILE= of its unit, or "ulimit -n"`,
      zh: `Agent 需要 ${LEAST_DESCRIPTORS} 个：请提高其单元的 LimitNOFILE=，或 "ulimit -n"`,
    });
  });
}

/** The checks of this machine, in their order. The last one seals this process. */
export function machineChecks(
  config: Config,
  options: Platform & { env: Environment },
): readonly Check[] {
  let open: Machine | undefined;
  const found = readHealth(agentFolders(config, options.env));
  const health = found?.isRunning ? found : undefined;
  const machine = async () => open ??= await openMachine(config, options);
  return [
    descriptorCheck(),
    check(
      "interfaces",
      { en: "Interfaces", zh: "网卡" },
      async () => checkInterfaces(await machine()),
    ),
    check("disks", { en: "Disks", zh: "磁盘" }, async () => await checkDisks(await machine())),
    check(
      "ping",
      { en: "ICMP probes", zh: "ICMP 探测" },
      async (signal) => await checkPing(await machine(), { ...options, health, signal }),
    ),
    check("state", { en: "State folder", zh: "状态目录" }, () => checkStateFolder(config, health)),
    ...config.metrics === undefined ? [] : [
      check("metrics", { en: "Metrics", zh: "指标" }, () => checkMetrics(config.metrics, health)),
    ],
    check("seal", { en: "Seal", zh: "封闭" }, () => checkSeal(config, options, health)),
  ];
}

/** The check for a newer version of this program. */
export function versionCheck(config: Config): Check {
  return check("version", { en: "Version", zh: "版本" }, (signal) => checkVersion(config, signal));
}

function checkInterfaces(machine: Machine): CheckResult {
  takeSnapshot(machine.collectors);
  const all = machine.interfaces();
  const counted = all.filter((it) => it.counted).map(({ name }) => name);
  const ignored = all.length - counted.length;
  if (counted.length > 0) {
    return result("ok", {
      en: `${counted.join(", ")} counted, ${ignored} left out`,
      zh: `统计 ${counted.join("、")}，不统计 ${ignored} 个`,
    });
  }
  return result("warning", {
    en: "none is counted, so no traffic is reported",
    zh: "没有统计任何网卡，不会上报流量",
  }, {
    en: "--dry-run says why each is left out; --include-nics chooses them",
    zh: "--dry-run 会说明每个网卡为何不统计；可用 --include-nics 指定",
  });
}

async function checkDisks(machine: Machine): Promise<CheckResult> {
  takeSnapshot(machine.collectors);
  const all = machine.mounts();
  const { statfs } = await import("node:fs/promises");
  // One that is not counted hangs other programs all the same; automounts would be mounted for it.
  const suspects = all.filter((it) => it.counted || (mayHang(it) && it.type !== "autofs")).map((
    it,
  ) => it.mountPoint);
  const hanging = await hangingMounts(suspects, { statfs, timeoutMs: STATFS_TIMEOUT_MS });
  return disksResult(all, hanging);
}

/** The result for these mounts; `hanging` are the mount points that do not answer. */
export function disksResult(
  all: readonly MountDecision[],
  hanging: readonly string[],
): CheckResult {
  const counted = all.filter((it) => it.counted).map(({ mountPoint }) => mountPoint);
  if (hanging.length > 0) {
    const isCounted = hanging.some((path) => counted.includes(path));
    return result(isCounted ? "failed" : "warning", {
      en: `${hanging.join(", ")} does not answer within ${STATFS_TIMEOUT_MS / 1000} s`,
      zh: `${hanging.join("、")} 在 ${STATFS_TIMEOUT_MS / 1000} 秒内没有响应`,
    }, {
      en: "check the server of the mount, or unmount it with umount -l",
      zh: "请检查该挂载所在的服务器，或用 umount -l 卸载",
    });
  }
  if (counted.length > 0) {
    return result("ok", {
      en: `${counted.join(", ")} counted, ${all.length - counted.length} left out`,
      zh: `统计 ${counted.join("、")}，不统计 ${all.length - counted.length} 个`,
    });
  }
  return result("warning", {
    en: "none is counted, so no disk space is reported",
    zh: "没有统计任何磁盘",
  }, {
    en: "--dry-run says why each is left out; --include-mountpoint chooses them",
    zh: "--dry-run 会说明每个挂载点为何不统计；可用 --include-mountpoint 指定",
  });
}

/** The paths whose file system does not answer in time. */
export async function hangingMounts(
  paths: readonly string[],
  { statfs, timeoutMs }: { statfs: (path: string) => Promise<unknown>; timeoutMs: number },
): Promise<string[]> {
  const answers = await Promise.all(paths.map(async (path) => {
    try {
      await deadline(statfs(path), timeoutMs);
      return undefined;
    } catch (error) {
      // A mount of another namespace, as in a container, is not here at all.
      const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
      return isTimeout ? path : undefined;
    }
  }));
  return answers.filter((path) => path !== undefined);
}

async function checkPing(
  { roots }: Machine,
  { os, health, signal }: { os: string; health: Health | undefined; signal: AbortSignal },
): Promise<CheckResult> {
  const seen = seenProblem(health, "ping");
  const shell = startShell({ ...roots, os });
  try {
    const ms = await new IcmpProbe(shell).probe(["127.0.0.1"], { signal });
    if (seen !== undefined) return result("failed", agentSays(seen), pingAdvice(seen.en));
    return result("ok", {
      en: `ping works (127.0.0.1 in ${ms} ms)`,
      zh: `ping 可用（127.0.0.1：${ms} ms）`,
    });
  } catch (error) {
    signal.throwIfAborted();
    const reason = describeError(error);
    const isUsed = health?.panels.some(({ kinds }) => (kinds?.icmp ?? 0) > 0);
    return result(isUsed ? "failed" : "warning", {
      en: `they don't work: ${reason}`,
      zh: `不可用：${reason}`,
    }, pingAdvice(reason));
  } finally {
    await shell?.close();
  }
}

function pingAdvice(reason: string): Translation | undefined {
  if (!isInContainerImage()) return undefined;
  if (!/socket|CAP_NET_RAW/.test(reason)) return undefined;
  return {
    en: "start the container with --cap-add NET_RAW, and in Docker without no-new-privileges",
    zh: "启动容器时加上 --cap-add NET_RAW；在 Docker 中不要使用 no-new-privileges",
  };
}

/** The problem of a part that the running agent has seen; `undefined` when that works. */
function seenProblem(health: Health | undefined, part: ProblemPart): Translation | undefined {
  return health && agentProblems(health).find((problem) => problem.part === part)?.text;
}

function agentSays({ en, zh }: Translation): Translation {
  return { en: `the running agent says: ${en}`, zh: `运行中的 Agent 报告：${zh}` };
}

/** More than a state takes. */
const TRIED_BYTES = 64 * 1024;

/** Asks the agent that writes there, and tries to write. */
async function checkStateFolder(config: Config, health: Health | undefined): Promise<CheckResult> {
  if (config.monthRotate === 0 && config.autoDiscoveryKey === "") {
    return result("skipped", {
      en: "not used without --month-rotate",
      zh: "不用 --month-rotate 时不使用",
    });
  }
  const folder = stateFolder(config);
  const seen = seenProblem(health, "state");
  if (seen !== undefined) return result("failed", agentSays(seen), stateAdvice(folder, seen.en));
  for (let path = folder;; path = dirname(path) || "/") {
    try {
      await tryToWrite(path);
      return path === folder
        ? result("ok", folder)
        : result("ok", { en: `${folder} can be made`, zh: `${folder} 可以创建` });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && path !== "/" && path.startsWith("/")) continue;
      const reason = describeError(error);
      return result("failed", {
        en: `${folder} can't be written: ${reason}`,
        zh: `${folder} 无法写入：${reason}`,
      }, stateAdvice(folder, reason));
    }
  }
}

/** Writes a new file in a folder, brings it to the disk and removes it. @throws {Error} When it can't. */
async function tryToWrite(folder: string): Promise<void> {
  const path = `${folder === "/" ? "" : folder}/.doctor-${crypto.randomUUID()}`;
  const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    await writeAll(file, new Uint8Array(TRIED_BYTES));
    await file.syncData();
  } finally {
    file.close();
    await Deno.remove(path);
  }
}

function stateAdvice(folder: string, reason: string): Translation {
  if (/no space|quota/i.test(reason)) {
    return { en: `make room on the disk of ${folder}`, zh: `请在 ${folder} 所在的磁盘上腾出空间` };
  }
  if (isInContainerImage()) {
    return {
      en: `give the container a volume at ${folder} that its user can write`,
      zh: `请为容器在 ${folder} 挂载一个其用户可写的卷`,
    };
  }
  if (/another agent uses/.test(reason)) {
    return {
      en: "give each agent a --state-dir of its own",
      zh: "请用 --state-dir 让每个 Agent 使用自己的目录",
    };
  }
  if (/read-only/i.test(reason)) {
    return {
      en: "make its disk writable (mount -o remount,rw), or choose another folder with --state-dir",
      zh: "请让该磁盘可写（mount -o remount,rw），或用 --state-dir 另选目录",
    };
  }
  if (/was deleted|restart the agent/.test(reason)) {
    return { en: "repair that, and restart the agent", zh: "修复后请重启 Agent" };
  }
  return {
    en: `give the folder to the agent's user (chown), or choose another one with --state-dir`,
    zh: "请用 chown 把目录交给 Agent 的用户，或用 --state-dir 另选目录",
  };
}

/** Asks the agent that serves them; where none runs, whether the address is free. */
function checkMetrics(
  address: Config["metrics"],
  health: Health | undefined,
): CheckResult {
  const { hostname = "", port = 0 } = address ?? {};
  const where = { en: `${hostname} port ${port}`, zh: `${hostname} 端口 ${port}` };
  const adviceFor = (reason: string): Translation =>
    /assign requested address/i.test(reason)
      ? {
        en: `no interface here has ${hostname}: choose an address of this machine (ip address)`,
        zh: `本机没有网卡使用 ${hostname}：请选择本机的地址（ip address）`,
      }
      : {
        en: `stop what listens there (ss -ltnp "sport = :${port}"), or choose another --metrics`,
        zh: `请停止占用该地址的程序（ss -ltnp "sport = :${port}"），或为 --metrics 另选地址`,
      };
  const seen = seenProblem(health, "metrics");
  if (seen !== undefined) return result("failed", agentSays(seen), adviceFor(seen.en));
  if (health !== undefined) {
    return result("ok", {
      en: `the agent serves them on ${where.en}`,
      zh: `由 Agent 在 ${where.zh} 提供`,
    });
  }
  try {
    Deno.listen({ hostname, port }).close();
    return result("ok", { en: `${where.en} is free`, zh: `${where.zh} 可用` });
  } catch (error) {
    const reason = describeError(error);
    return result("failed", {
      en: `can't be served on ${where.en}: ${reason}`,
      zh: `无法在 ${where.zh} 提供：${reason}`,
    }, adviceFor(reason));
  }
}

async function checkVersion(config: Config, signal: AbortSignal): Promise<CheckResult> {
  if (!knowsReleases(config)) {
    return result("skipped", {
      en: `${VERSION}; this build has no release address`,
      zh: `${VERSION}；此构建没有发布地址`,
    });
  }
  try {
    const release = await findUpdate(config, thisProgram(), signal);
    if (release.decision !== "newer") {
      return result("ok", { en: `${VERSION} is up to date`, zh: `${VERSION} 已是最新` });
    }
    const packaged = packageOf(thisProgram());
    const advice = packaged === undefined
      ? { en: "`update --now` installs it", zh: "用 `update --now` 更新" }
      : {
        en: `a newer package brings it, by ${PACKAGE_MANAGERS[packaged]}`,
        zh: `用 ${PACKAGE_MANAGERS[packaged]} 安装新的软件包来更新`,
      };
    return result("warning", {
      en: `${VERSION}; version ${release.version} is available`,
      zh: `${VERSION}；有新版本 ${release.version}`,
    }, advice);
  } catch (error) {
    signal.throwIfAborted();
    return result("warning", `${VERSION}; ${describeError(error)}`);
  }
}

/** Says how the running agent is sealed, or seals this process to find out. */
async function checkSeal(
  config: Config,
  { os }: { os: string },
  health: Health | undefined,
): Promise<CheckResult> {
  if (health !== undefined && health.sandbox !== "") {
    const isSealed = health.sandbox === describeSandbox({ kernelError: undefined });
    return result(isSealed || config.remoteControl ? "ok" : "warning", health.sandbox);
  }
  if (config.remoteControl) {
    return result("skipped", {
      en: "not used: remote control is on",
      zh: "没有使用：已开启远程控制",
    });
  }
  const shell = startShell({ ...hostRoots(config.hostProc), os });
  const needs = await sealNeeds(config, new ShellNames(shell));
  await shell?.close();
  const sandbox = sealProcess(needs);
  const { kernelError } = sandbox;
  if (sealGap(sandbox) === undefined) {
    return result("ok", {
      en: "the kernel and the runtime can seal the agent",
      zh: "内核和运行时都能封闭 Agent",
    });
  }
  if (kernelError !== undefined) {
    return result("warning", `only the runtime can seal the agent: ${kernelError}`);
  }
  return result("warning", {
    en: `the kernel and the runtime can seal the agent, but files can be read: ${needs.readsFiles}`,
    zh: `内核和运行时都能封闭 Agent，但仍可读取文件：${needs.readsFiles}`,
  });
}
