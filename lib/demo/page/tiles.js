// The tiles: the values of the last report.

import {
  byId,
  bytes,
  duration,
  make,
  model,
  NONE,
  number,
  percent,
  rate,
  setText,
  t,
} from "./base.js";

const CARDS_SHOWN = 16;

const share = (usage) => usage?.total > 0 ? (100 * usage.used) / usage.total : undefined;
const outOf = (usage) =>
  usage && t(
    `${bytes(usage.used)} of ${bytes(usage.total)}`,
    `${bytes(usage.used)} / ${bytes(usage.total)}`,
  );
/** A value stays on one line with its arrow and its unit. */
const unbroken = (text) => text.replaceAll(" ", "\u00a0");

const tiles = [
  {
    title: "CPU",
    big: (report) => percent(report.cpu.usage),
    meter: (report) => report.cpu.usage,
    small: (report) =>
      `${t("load", "负载")} ${number(report.load.load1, 2)} · ${number(report.load.load5, 2)} · ${
        number(report.load.load15, 2)
      }`,
  },
  {
    title: t("Memory", "内存"),
    big: (report) => percent(share(report.ram)),
    meter: (report) => share(report.ram),
    small: (report) => outOf(report.ram),
  },
  {
    title: t("Disk", "磁盘"),
    big: (report) => percent(share(report.disk)),
    meter: (report) => share(report.disk),
    small: (report) => outOf(report.disk),
  },
  {
    title: t("Swap", "交换"),
    big: (report) => percent(share(report.swap)),
    meter: (report) => share(report.swap) ?? 0,
    small: (report) => report.swap.total > 0 ? outOf(report.swap) : t("none", "无"),
  },
  {
    title: t("Network", "网络"),
    isPair: true,
    big: (report) => `↑ ${rate(report.network.up)}`,
    second: (report) => `↓ ${rate(report.network.down)}`,
    small: (report) =>
      `${t("total", "总计")} ${unbroken(`↑ ${bytes(report.network.totalUp)}`)} ${
        unbroken(`↓ ${bytes(report.network.totalDown)}`)
      }`,
  },
  {
    title: t("Connections", "连接"),
    isPair: true,
    big: (report) => `${number(report.connections.tcp)} TCP`,
    second: (report) => `${number(report.connections.udp)} UDP`,
    small: (report) => t(`${number(report.process)} processes`, `${number(report.process)} 个进程`),
  },
  {
    title: t("Uptime", "运行时间"),
    big: (report) => duration(report.uptime),
    small: (report) =>
      `${t("since", "自")} ${
        new Date(report.atMs - report.uptime * 1000).toLocaleString(t("en-GB", "zh-CN"), {
          dateStyle: "medium",
          timeStyle: "short",
        })
      }`,
  },
];

export function buildTiles() {
  for (const tile of tiles) {
    tile.bigElement = make("p", { className: tile.isPair ? "big pair" : "big", textContent: NONE });
    tile.smallElement = make("p", { className: "soft" });
    const parts = [make("h3", { textContent: tile.title }), tile.bigElement];
    if (tile.second) {
      tile.secondElement = make("p", { className: "big pair", textContent: NONE });
      parts.push(tile.secondElement);
    }
    if (tile.meter) {
      tile.meterElement = make("div", { className: "meter", role: "meter" }, [make("div")]);
      tile.meterElement.ariaLabel = `${tile.title} ${t("used", "已用")}`;
      tile.meterElement.ariaValueMin = "0";
      tile.meterElement.ariaValueMax = "100";
      tile.meterElement.ariaValueNow = "0";
      parts.push(tile.meterElement);
    }
    parts.push(tile.smallElement);
    // The last one fills its row.
    const className = tile === tiles.at(-1) ? "card tile wide" : "card tile";
    byId("tiles").append(make("div", { className }, parts));
  }
  byId("tiles").append(
    make("div", { id: "cards", className: "card wide", hidden: true }, [
      make("h3", { textContent: t("Graphics cards", "显卡") }),
    ]),
    make("div", { id: "message-card", className: "card wide", hidden: true }, [
      make("h3", { textContent: t("Message", "消息") }),
      make("p", { id: "message", textContent: NONE }),
    ]),
  );
}

export function showReport() {
  const { report } = model;
  if (report === undefined) return;
  for (const tile of tiles) {
    setText(tile.bigElement, tile.big(report));
    if (tile.second) setText(tile.secondElement, tile.second(report));
    setText(tile.smallElement, tile.small(report) ?? "");
    if (tile.meter) {
      const value = Math.min(Math.max(tile.meter(report) ?? 0, 0), 100);
      tile.meterElement.firstChild.style.width = `${value}%`;
      tile.meterElement.ariaValueNow = value.toFixed(1);
    }
  }
  showCards(report.gpu?.detailed_info ?? []);
  byId("message-card").hidden = report.message === "";
  setText(byId("message"), report.message.slice(0, 1000));
}

/** One line per card; a 0 of memory or temperature means unknown. */
function showCards(cards) {
  const lines = cards.slice(0, CARDS_SHOWN).map((card) =>
    [
      `${card.name.slice(0, 80)}: ${percent(card.utilization)}`,
      card.memory_total > 0 ? `${bytes(card.memory_used)} of ${bytes(card.memory_total)}` : "",
      card.temperature === 0 ? "" : `${number(card.temperature)} °C`,
    ].filter((text) => text !== "").join(" · ")
  );
  const element = byId("cards");
  element.hidden = lines.length === 0;
  while (element.children.length - 1 > lines.length) element.lastChild.remove();
  lines.forEach((line, index) =>
    setText(element.children[index + 1] ?? element.appendChild(make("p")), line)
  );
}
