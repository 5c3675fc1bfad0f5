// The sections beside tiles and plots: presence, log, probes, basic info, and that for developers.

import {
  byId,
  bytes,
  duration,
  isNumber,
  latency,
  make,
  model,
  NONE,
  nowMs,
  number,
  resultsOf,
  setText,
  t,
} from "./base.js";

/** Time that a report keeps the node online, as in the panel. */
const PRESENCE_MS = 35_000;

const ageText = (age) => t(`report ${age} ago`, `${age}前上报`);

export function showPresence() {
  const ageMs = model.report === undefined ? undefined : nowMs() - model.report.atMs;
  const online = ageMs !== undefined && ageMs < PRESENCE_MS;
  const presence = !model.connected
    ? "gone"
    : ageMs === undefined
    ? "waiting"
    : online
    ? "online"
    : "offline";
  const words = {
    gone: t("No panel", "面板已停止"),
    waiting: t("Waiting", "等待中"),
    online: t("Online", "在线"),
    offline: t("Offline", "离线"),
  };
  byId("presence").dataset.presence = presence;
  setText(byId("presence-word"), words[presence]);
  setText(
    byId("age"),
    ageMs === undefined
      ? t("no report yet", "还没有上报")
      : ageText(duration(Math.max(Math.round(ageMs / 1000), 0))),
  );
  const { by } = model.report ?? {};
  byId("transport").hidden = by === undefined;
  setText(
    byId("transport"),
    by === undefined ? "" : by.replace("websocket", "WebSocket")
      .replace("post", "POST"),
  );
  document.title = `${words[presence]} – Komari agent`;
}

/** Keeps the log at its last line, unless its reader has scrolled up. */
export function buildLog() {
  const log = byId("log");
  let follows = true;
  log.addEventListener("scrollend", () => {
    follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  const scrollToEnd = () => {
    if (follows) log.scrollTop = log.scrollHeight;
  };
  new ResizeObserver(scrollToEnd).observe(log);
  new MutationObserver(scrollToEnd).observe(log, { childList: true });
}

export function showLog() {
  const log = byId("log");
  const lines = model.log.map(({ atMs, line }) => {
    // The log's own time is of no use beside others of the page.
    const text = line.replace(/^\S*\d\d:\d\d:\d\d\S* +/, "");
    return make("p", { className: /^(warning|error)/.exec(text)?.[0] ?? "" }, [
      make("time", { textContent: new Date(atMs).toLocaleTimeString("en-GB") }),
      text.slice(0, 1000),
    ]);
  });
  if (lines.length > 0) log.replaceChildren(...lines);
}

const PROBES_SHOWN = 20;

export function showProbes() {
  const shown = model.tasks.slice(0, PROBES_SHOWN);
  const rows = shown.map((task) => {
    const values = resultsOf(task).map((result) => result[2]);
    const answered = values.filter((value) => value >= 0);
    const lost = values.length - answered.length;
    const mean = answered.reduce((sum, value) => sum + value, 0) / answered.length;
    const last = values.at(-1);
    const cell = (label, text, bad = false) => {
      const element = make("td", {
        className: bad ? "number bad" : "number",
        textContent: text,
      });
      element.dataset.label = label;
      return element;
    };
    return make("tr", {}, [
      make("td", { className: "name" }, [
        task.name.slice(0, 80),
        make("span", { className: "kind", textContent: task.type.slice(0, 12) }),
      ]),
      make("td", { className: "target", textContent: task.target.slice(0, 120) }),
      cell(t("Interval", "间隔"), `${number(task.interval)} s`),
      cell(t("Last", "最近"), latency(last), last < 0),
      cell(t("Mean", "平均"), isNumber(mean) && mean > 0 ? `${number(mean, 1)} ms` : latency(mean)),
      cell(
        t("Lost", "丢失"),
        values.length === 0
          ? NONE
          : `${number(lost)} ${t("of", "/")} ${number(values.length)} (${
            number((100 * lost) / values.length)
          }\u00a0%)`,
        lost > 0,
      ),
    ]);
  });
  byId("probes-section").hidden = rows.length === 0;
  byId("probes").replaceChildren(...rows);
  const more = byId("more-probes");
  more.hidden = model.tasks.length <= PROBES_SHOWN;
  const rest = number(model.tasks.length - PROBES_SHOWN);
  setText(more, t(`and ${rest} more`, `另有 ${rest} 个`));
}

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

export function buildDevelopers() {
  byId("fault-choice").addEventListener("change", (event) => {
    setFault(event.target.value).catch((error) => setText(byId("fault-word"), error.message));
  });
}

async function setFault(fault) {
  const response = await fetch("/demo/fault", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fault }),
  });
  if (!response.ok) throw new Error(await response.text());
}

export function showCounts() {
  const { counts } = model;
  if (counts === undefined) return;
  const some = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;
  setText(
    byId("counts"),
    t(
      `Accepted: ${some(counts.reports, "report")}, ${some(counts.basicInfos, "basic info")}, ${
        some(counts.pingResults, "ping result")
      }. Refused: ${some(counts.refused, "message")}.`,
      `已接收：${number(counts.reports)} 次上报、${number(counts.basicInfos)} 次基本信息、${
        number(counts.pingResults)
      } 个探测结果。拒绝 ${number(counts.refused)} 条消息。`,
    ),
  );
}

export function showFault() {
  byId("fault").hidden = model.fault === "";
  setText(
    byId("fault"),
    t(`The panel misbehaves on purpose: ${model.fault}`, `面板正在模拟故障：${model.fault}`),
  );
  const choice = byId("fault-choice");
  if (choice.options.length === 1) {
    choice.append(...model.faults.map(([name]) => make("option", { value: name, text: name })));
  }
  choice.value = model.fault;
  const [, english, chinese] = model.faults.find(([name]) => name === model.fault) ?? [];
  setText(
    byId("fault-word"),
    english === undefined
      ? t("The panel behaves well.", "面板工作正常。")
      : t(`The panel ${english}.`, `面板${chinese}。`),
  );
}
