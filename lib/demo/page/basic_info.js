// Basic info: the facts of the machine.

import { byId, make, setText } from "./dom.js";
import { model } from "./model.js";
import { bytes, NONE, number, t } from "./text.js";

const facts = [
  [t("System", "系统"), (info) => info.os],
  [t("Kernel", "内核"), (info) => info.kernel_version],
  [t("Architecture", "架构"), (info) => info.arch],
  ["CPU", (info) => info.cpu_name],
  [
    t("Cores", "核心"),
    (info) =>
      info.cpu_cores === undefined ? undefined : info.cpu_physical_cores > 0
        ? t(
          `${number(info.cpu_cores)} (${number(info.cpu_physical_cores)} physical)`,
          `${number(info.cpu_cores)}（物理 ${number(info.cpu_physical_cores)}）`,
        )
        : number(info.cpu_cores),
  ],
  [t("Virtualization", "虚拟化"), (info) => info.virtualization],
  [t("Memory", "内存"), (info) => info.mem_total === undefined ? undefined : bytes(info.mem_total)],
  [
    t("Swap", "交换"),
    (info) =>
      info.swap_total === 0
        ? ""
        : info.swap_total === undefined
        ? undefined
        : bytes(info.swap_total),
  ],
  [t("Disk", "磁盘"), (info) => info.disk_total === undefined ? undefined : bytes(info.disk_total)],
  ["GPU", (info) => info.gpu_name === "None" ? "" : info.gpu_name],
  [t("Public IPv4", "公网 IPv4"), (info) => info.ipv4],
  [t("Public IPv6", "公网 IPv6"), (info) => info.ipv6],
  ["Agent", (info) => info.version],
];

export function buildBasicInfo() {
  for (const fact of facts) {
    const value = make("dd", { textContent: NONE });
    fact.push(value);
    const entry = make("div", { hidden: true }, [make("dt", { textContent: fact[0] }), value]);
    fact.push(entry);
    byId("machine").append(entry);
  }
}

export function showBasicInfo() {
  for (const [, read, element, entry] of facts) {
    const value = read(model.basicInfo);
    entry.hidden = value === undefined || value === "";
    setText(element, String(value).slice(0, 300));
  }
}
