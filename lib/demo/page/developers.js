// The section for developers: the fault of the panel, and how many messages came.

import { byId, make, setText } from "./dom.js";
import { model } from "./model.js";
import { number, t } from "./text.js";

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
    // No request of the page would get through "refuse", not even the one that ends it.
    choice.append(
      ...model.faults.map(([name]) =>
        make("option", { value: name, text: name, disabled: name === "refuse" })
      ),
    );
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
