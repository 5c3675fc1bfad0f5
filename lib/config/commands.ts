import type { Translation } from "./language.ts";

/** A command of the program, as the help shows it. */
export interface CommandRow {
  /** What follows the program's name on the command line. */
  readonly usage: readonly string[];
  readonly help: Translation;
}

/** Every command of the program, in the order of the help. Without any, the program reports. */
export const COMMANDS = {
  "report": {
    usage: ["-e URL -t TOKEN [options]"],
    help: { en: "report to a panel", zh: "向面板上报" },
  },
  "demo": {
    usage: ["demo [options]"],
    help: { en: "try it without a panel", zh: "不需要面板，先试用" },
  },
  "traffic show": {
    usage: ["traffic show [--json]"],
    help: { en: "show the month's traffic", zh: "显示月流量" },
  },
  "traffic set": {
    usage: ["traffic set --up N --down N"],
    help: { en: "set the month's traffic", zh: "设置月流量" },
  },
  "install": {
    usage: ["install [options] [--print]"],
    help: { en: "run it as a service, with these options", zh: "以这些选项安装为服务" },
  },
  "uninstall": {
    usage: ["uninstall [--print]"],
    help: { en: "remove the service and all its files", zh: "删除服务及其全部文件" },
  },
  "health": {
    usage: ["health [--json]"],
    help: { en: "say whether the panel accepts its reports", zh: "检查面板是否接受上报" },
  },
  "update": {
    usage: ["update [--check|--now]"],
    help: { en: "look for a newer version, or install it", zh: "查看或安装新版本" },
  },
  "version": {
    usage: ["version [--json]"],
    help: { en: "show the version", zh: "显示版本" },
  },
} as const satisfies Readonly<Record<string, CommandRow>>;

/** A command of the program. */
export type Command = keyof typeof COMMANDS;

/** Whether a text is the name of a command. */
export function isCommand(text: string): text is Command {
  return Object.hasOwn(COMMANDS, text);
}
