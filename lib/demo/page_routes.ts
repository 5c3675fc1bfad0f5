/**
 * Answers the requests of the page.
 *
 * A foreign page in the same browser must not succeed: every request has to name this machine as its
 * host, a change has to come from the page's own origin, and a request that runs a program has to
 * bring the key.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import { isJsonObject, parseJson } from "../parse/json.ts";
import { type Fault, parseFault } from "./fault.ts";
import { type Answer, jsonAnswer, textAnswer, writeAnswer, writeRawAnswer } from "./http_answer.ts";
import { readHead, type ReceivedRequest, type RequestHead } from "./http_request.ts";
import type { UpgradeRequest } from "./listener.ts";
import { textIn } from "./messages.ts";
import type { PanelNode } from "./node.ts";
import { emulatorAnswer, PAGE_FILES_PATH, pageFileAnswer } from "./page.ts";
import { stateAnswer, streamEvents } from "./page_events.ts";
import type { TerminalSessions } from "./terminal_sessions.ts";

/** The panel, as far as the page sees and changes it. */
export interface PageContext {
  readonly node: PanelNode;
  readonly terminals: TerminalSessions;
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  /** The key that permits to run programs; absent when remote control is off. */
  readonly key: string | undefined;
  setFault(fault: Fault | undefined): Promise<void>;
}

/** Answers a request below `/demo/`. */
export async function answerPage(
  request: ReceivedRequest,
  response: ServerResponse,
  panel: PageContext,
): Promise<void> {
  const { method, path } = request;
  const { node, key } = panel;
  const refusal = refuseForeignHost(request.headers["host"]);
  if (refusal !== undefined) return writeAnswer(response, refusal);
  if (method === "POST") return writeAnswer(response, await change(request, panel));
  if (path === "/demo/events") return streamEvents(response, node, panel);
  if (path === "/demo/state") return writeAnswer(response, stateAnswer(node));
  if (path === "/demo/xterm.js" || path === "/demo/xterm.css") {
    if (key === undefined) return writeAnswer(response, textAnswer(404, "Remote control is off"));
    const file = path === "/demo/xterm.js" ? "xterm.js" : "xterm.css";
    return writeAnswer(response, await emulatorAnswer(file));
  }
  const file = path.startsWith(PAGE_FILES_PATH)
    ? pageFileAnswer(path.slice(PAGE_FILES_PATH.length))
    : undefined;
  writeAnswer(response, file ?? textAnswer(404, "No such thing"));
}

/** Refuses requests by a foreign host name, such as one that was made to resolve to loopback. */
function refuseForeignHost(host: string | undefined): Answer | undefined {
  const name = host?.replace(/:\d+$/, "");
  return name === "127.0.0.1" || name === "localhost" || name === "[::1]"
    ? undefined
    : textAnswer(403, "This page is available on this machine only.");
}

/** Refuses requests that don't come from the page itself. */
export function refuseForeignPage({ headers }: RequestHead): Answer | undefined {
  return refuseForeignHost(headers["host"]) ??
    (headers["origin"] === `http://${headers["host"]}`
      ? undefined
      : textAnswer(403, "This is available to the panel's own page only."));
}

/** Refuses requests to run a program without the key, and all when remote control is off. */
export function refuseWithoutKey(
  given: string | null,
  key: string | undefined,
): Answer | undefined {
  if (key === undefined) return textAnswer(403, "Remote control is off.");
  return given === key
    ? undefined
    : textAnswer(403, "Open the page by the address that was printed at the start.");
}

async function change(request: ReceivedRequest, panel: PageContext): Promise<Answer> {
  const refusal = refuseForeignPage(request);
  if (refusal !== undefined) return refusal;
  const value = parseJson(request.body);
  if (request.headers["content-type"] !== "application/json" || !isJsonObject(value)) {
    return textAnswer(400, "This takes an object of JSON.");
  }
  try {
    switch (request.path) {
      case "/demo/fault": {
        const name = textIn(value, "fault");
        const fault = name === "" ? undefined : parseFault(name);
        if (fault?.isDown === true) return textAnswer(409, "The page could not end it.");
        await panel.setFault(fault);
        return jsonAnswer(200, {});
      }
      case "/demo/command": {
        const keyless = refuseWithoutKey(textIn(value, "key"), panel.key);
        if (keyless !== undefined) return keyless;
        const taskId = panel.node.sendCommand(textIn(value, "command"));
        return jsonAnswer(200, { taskId });
      }
    }
  } catch (error) {
    return textAnswer(409, error instanceof Error ? error.message : "It failed.");
  }
  return textAnswer(404, "No such thing");
}

/** The path of the page's terminal WebSocket; its query holds the key. */
export const PAGE_TERMINAL_PATH = "/demo/terminal";

/** Answers the page's request for a terminal; its query may name one that the page has left. */
export function answerPageTerminal(
  upgrade: UpgradeRequest,
  { terminals, key }: PageContext,
): void {
  const head = readHead(upgrade.request);
  const refusal = refuseForeignPage(head) ?? refuseWithoutKey(head.query.get("key"), key);
  if (refusal !== undefined) return writeRawAnswer(upgrade.socket, refusal);
  const requestId = head.query.get("id") ?? "";
  upgrade.accept({
    compress: false,
    onOpen: (socket) => connectTerminal(socket, terminals, requestId),
  });
}

function connectTerminal(socket: WebSocket, terminals: TerminalSessions, requestId: string): void {
  socket.on("error", () => {});
  const send = (message: Record<string, string>) => socket.send(JSON.stringify(message), () => {});
  let id: string;
  try {
    id = terminals.request(terminals.unfinished(requestId)?.id);
  } catch (error) {
    socket.send(error instanceof Error ? error.message : "It failed.", () => {});
    socket.close();
    return;
  }
  send({ type: "session", id });
  const terminal = terminals.get(id);
  // The screen as it was left.
  if (terminal.output !== "") socket.send(new TextEncoder().encode(terminal.output), () => {});
  const gone = new AbortController();
  terminal.listen((output) => {
    if (output === undefined) socket.close();
    else if (output.length > 0) socket.send(output, { binary: true }, () => {});
    else if (terminal.isConnected) send({ type: "connected" });
  }, { signal: gone.signal });
  // A text is a message, such as a resize; keystrokes are binary.
  socket.on("message", (data, isBinary) => {
    const bytes = new Uint8Array(data);
    const text = isBinary ? undefined : new TextDecoder().decode(bytes);
    if (text === '{"type":"close"}') terminal.close();
    else terminal.send(text ?? bytes);
  });
  socket.on("close", () => {
    gone.abort();
    terminal.detachBrowser();
  });
}
