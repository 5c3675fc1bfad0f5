/**
 * The checks of `doctor` on this machine.
 *
 * @module
 */

import { deadline } from "@std/async/deadline";
import { sealNeeds, ShellNames } from "../agent/shell_names.ts";
import type { Config } from "../config/config.ts";
import { readHealth } from "../state/health_reader.ts";
import { runtimeFolders, stateFolder } from "../state/paths.ts";
import { describeSandbox, sealGap, sealProcess } from "../sandbox/sandbox.ts";
import { startShell } from "../sandbox/shell.ts";
import { PACKAGE_MANAGERS, packageOf, thisProgram } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { mayHang, type MountDecision } from "../metrics/mount_filter.ts";
import { STATFS_TIMEOUT_MS } from "../metrics/nonblocking_statfs.ts";
import { hostRoots, openMachine, type Platform } from "../metrics/open_machine.ts";
import { takeSnapshot } from "../metrics/snapshot.ts";
import { dirname } from "../parse/path.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { findService, serviceText } from "../service/installed_service.ts";
import { knowsReleases, VERSION } from "../version.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import { checkHealth } from "./health.ts";
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

/** The checks of this machine, in their order. The last one seals this process. */
export function machineChecks(
  config: Config,
  options: Platform & { env: Environment },
): readonly Check[] {
  let open: Machine | undefined;
  const machine = async () => open ??= await openMachine(config, options);
  return [
    check("agent", { en: "Running agent", zh: "运行中的 Agent" }, () => checkAgent(config)),
    check(
      "service",
      { en: "Service", zh: "服务" },
      (signal) => checkService(config, { ...options, signal }),
    ),
    check(
      "interfaces",
      { en: "Interfaces", zh: "网卡" },
      async () => checkInterfaces(await machine()),
    ),
    check("disks", { en: "Disks", zh: "磁盘" }, async () => await checkDisks(await machine())),
    check(
      "ping",
      { en: "ICMP probes", zh: "ICMP 探测" },
      async (signal) => await checkPing(await machine(), { ...options, signal }),
    ),
    check("state", { en: "State folder", zh: "状态目录" }, () => checkStateFolder(config)),
    check("version", { en: "Version", zh: "版本" }, (signal) => checkVersion(config, signal)),
    check("seal", { en: "Seal", zh: "封闭" }, () => checkSeal(config, options)),
  ];
}

function checkAgent(config: Config): CheckResult {
  const folders = runtimeFolders(config);
  const health = readHealth(folders);
  if (health?.isRunning !== true) {
    return result("skipped", {
      en: "no agent runs here that this user can see",
      zh: "没有看到正在运行的 Agent",
    });
  }
  const { text, isHealthy } = checkHealth(folders);
  const words = `version ${health.version}, process ${health.pid}: ${
    text.trim().replace(/^\w+: /, "")
  }`;
  if (isHealthy) return result("ok", words);
  return result("failed", words, {
    en: "see the checks above, and its log",
    zh: "请看上面的检查和它的日志",
  });
}

async function checkService(
  config: Config,
  options: Platform & { env: Environment; signal: AbortSignal },
): Promise<CheckResult> {
  const service = await findService(config.serviceName, options);
  if (service === undefined) {
    return result("skipped", { en: "not installed as a service", zh: "没有安装为服务" }, {
      en: "`install` starts it at every boot",
      zh: "用 `install` 可以让它开机自动启动",
    });
  }
  const text = serviceText(service);
  if (service.isActive && service.isEnabled) return result("ok", text);
  return result("failed", text, {
    en: `see its log: ${service.logHint}; \`install\` again repairs the service`,
    zh: `请看它的日志：${service.logHint}；再次执行 \`install\` 可修复服务`,
  });
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
  { os, signal }: { os: string; signal: AbortSignal },
): Promise<CheckResult> {
  const shell = startShell({ ...roots, os });
  try {
    const ms = await new IcmpProbe(shell).probe(["127.0.0.1"], { signal });
    return result("ok", {
      en: `ping works (127.0.0.1 in ${ms} ms)`,
      zh: `ping 可用（127.0.0.1：${ms} ms）`,
    });
  } catch (error) {
    signal.throwIfAborted();
    return result("warning", `they don't work: ${describeError(error)}`);
  } finally {
    await shell?.close();
  }
}

async function checkStateFolder(config: Config): Promise<CheckResult> {
  if (config.monthRotate === 0 && config.autoDiscoveryKey === "") {
    return result("skipped", {
      en: "not used without --month-rotate",
      zh: "不用 --month-rotate 时不使用",
    });
  }
  const { access, constants } = await import("node:fs/promises");
  const folder = stateFolder(config);
  for (let path = folder;; path = dirname(path)) {
    try {
      await access(path, constants.W_OK | constants.X_OK);
      return path === folder
        ? result("ok", folder)
        : result("ok", { en: `${folder} can be made`, zh: `${folder} 可以创建` });
    } catch (error) {
      if (isMissing(error) && path !== "/" && path !== "") continue;
      return result("failed", `${folder} can't be written: ${describeError(error)}`, {
        en: "run this as the agent's user, or choose another one with --state-dir",
        zh: "请以 Agent 的用户身份运行，或用 --state-dir 另选目录",
      });
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
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
async function checkSeal(config: Config, { os }: { os: string }): Promise<CheckResult> {
  const health = readHealth(runtimeFolders(config));
  if (health?.isRunning && health.sandbox !== "") {
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
