// Remote control: whether the page may use it, and the commands that it runs.

import { byId, refresh, setText } from "./dom.js";
import { model } from "./model.js";
import { t } from "./text.js";

/** The key that permits to run programs; it stands in the address that was printed at the start. */
export const key = location.hash.slice(1);

/** Posts JSON to the panel and returns its answer. */
export async function postJson(path, value) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  if (!response.ok) throw new Error(await response.text());
  return await response.json();
}

export function buildRemoteControl() {
  const { remoteControl } = document.body.dataset;
  const isOn = remoteControl === "on" && key !== "";
  byId("remote-on").hidden = !isOn;
  byId("remote-off").hidden = isOn;
  setText(
    byId("remote-off"),
    remoteControl === "on"
      ? t(
        "Open this page by the address that was printed at the start.",
        "请用启动时显示的地址打开本页。",
      )
      : t(
        "Remote control is off. Start the demo with --enable-remote-control to run commands and " +
          "terminals on this machine.",
        "远程控制未启用。用 --enable-remote-control 启动演示，即可在本机运行命令和终端。",
      ),
  );
  if (remoteControl === "on" && !isOn) byId("developers").open = true;
  byId("run").addEventListener("click", runCommand);
  byId("command").addEventListener("keydown", (event) => {
    if (event.key === "Enter") runCommand();
  });
}

async function runCommand() {
  setText(byId("remote-word"), t("Running…", "正在运行…"));
  byId("output").hidden = true;
  byId("exit").hidden = true;
  try {
    const command = byId("command").value;
    model.taskId = (await postJson("/demo/command", { key, command })).taskId;
    refresh(showResult);
  } catch (error) {
    setText(byId("remote-word"), error.message);
  }
}

export function showResult() {
  const { taskId, result, exitCode } = model.commandResult ?? {};
  if (taskId === undefined || taskId !== model.taskId) return;
  setText(byId("remote-word"), "");
  const exit = byId("exit");
  exit.hidden = false;
  exit.className = exitCode === 0 ? "exit" : "exit bad";
  const meaning = exitCode === 124 ? t(" (timed out)", "（超时）") : "";
  setText(exit, t(`exit code ${exitCode}${meaning}`, `退出码 ${exitCode}${meaning}`));
  byId("output").hidden = result === "";
  setText(byId("output"), result);
}
