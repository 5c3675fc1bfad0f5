// The terminal.

import { byId, make, setText } from "./dom.js";
import { key } from "./remote_control.js";
import { t } from "./text.js";

export function buildTerminal() {
  byId("open-terminal").addEventListener("click", openTerminal);
}

/** The emulator adds style elements, which the page's policy forbids: their text is adopted. */
function adoptStyleElements() {
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    if (name !== "style") return create(name, options);
    const element = create("template");
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(sheet);
    Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text) });
    return element;
  };
}

async function loadEmulator() {
  if (globalThis.Terminal !== undefined) return;
  adoptStyleElements();
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetch("/demo/xterm.css")).text());
  document.adoptedStyleSheets.push(sheet);
  await new Promise((resolve, reject) => {
    const script = make("script", { src: "/demo/xterm.js", onload: resolve });
    script.onerror = () => reject(new Error("The terminal emulator can't be loaded."));
    document.head.append(script);
  });
}

async function openTerminal() {
  byId("open-terminal").disabled = true;
  setText(byId("remote-word"), t("Waiting for the agent…", "正在等待 Agent…"));
  try {
    await loadEmulator();
    // A session that was left by a reload is continued; a panel that has none opens a new one.
    const id = sessionStorage.getItem("terminal") ?? "";
    const query = new URLSearchParams({ key, id });
    connectTerminal(`ws://${location.host}/demo/terminal?${query}`);
  } catch (error) {
    byId("open-terminal").disabled = false;
    setText(byId("remote-word"), error.message);
  }
}

function connectTerminal(url) {
  const place = byId("terminal");
  place.hidden = false;
  const terminal = new Terminal({ fontSize: 13, cursorBlink: false });
  terminal.open(place);
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const send = (message) => socket.readyState === 1 && socket.send(message);
  const fit = () => {
    const screen = place.querySelector(".xterm-screen");
    const cell = { x: screen.clientWidth / terminal.cols, y: screen.clientHeight / terminal.rows };
    // The padding of the place, and the scroll bar beside the screen.
    const cols = Math.max(Math.floor((place.clientWidth - 16 - 14) / cell.x), 2);
    const rows = Math.max(Math.floor((place.clientHeight - 16) / cell.y), 2);
    if (cols !== terminal.cols || rows !== terminal.rows) terminal.resize(cols, rows);
    send(JSON.stringify({ type: "resize", cols: terminal.cols, rows: terminal.rows }));
  };
  const heartbeat = setInterval(() => send('{"type":"heartbeat"}'), 10_000);
  const closeByUser = () => send('{"type":"close"}');
  const observer = new ResizeObserver(fit);
  let ending = t("The terminal has ended.", "终端已结束。");
  terminal.onData((data) => send(new TextEncoder().encode(data)));
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const message = data.startsWith("{") ? JSON.parse(data) : { type: "error" };
      if (message.type === "error") ending = data;
      if (message.type === "session") sessionStorage.setItem("terminal", message.id);
      if (message.type === "connected") {
        setText(byId("remote-word"), "");
        byId("close-terminal").hidden = false;
        fit();
      }
      return;
    }
    terminal.write(new Uint8Array(data));
  };
  socket.onclose = () => {
    clearInterval(heartbeat);
    observer.disconnect();
    byId("close-terminal").removeEventListener("click", closeByUser);
    byId("close-terminal").hidden = true;
    terminal.dispose();
    place.replaceChildren();
    place.hidden = true;
    byId("open-terminal").disabled = false;
    setText(byId("remote-word"), ending);
  };
  byId("close-terminal").addEventListener("click", closeByUser);
  observer.observe(place);
  terminal.focus();
}
