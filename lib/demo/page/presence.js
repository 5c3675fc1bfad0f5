// Whether the agent reports, and how.

import { byId, setText } from "./dom.js";
import { model, nowMs } from "./model.js";
import { duration, t } from "./text.js";

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
