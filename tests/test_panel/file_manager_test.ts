import { assertEquals, assertRejects } from "@std/assert";
import { FileManager } from "./file_manager.ts";
import { PanelNode } from "../../lib/demo/node.ts";
import type { Order } from "../../lib/demo/event_queue.ts";
import type { PartTransfer } from "./file_transfers.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { jsonFields } from "../../lib/parse/json.ts";
import { FakeTime } from "../fake_time.ts";
import { fileErrorCode } from "../test_panel/file_contract.ts";
import { startTestPanel, type TestPanel } from "../test_panel/test_panel.ts";
import { deliverRpc, dial, envelope, type FakeSocket, postRpc } from "../test_panel/fake_agent.ts";

async function withNode(
  use: (panel: TestPanel, socket: FakeSocket) => Promise<void>,
): Promise<void> {
  using panel = await startTestPanel({ generation: "1.5" });
  const socket = await dial(panel, "v2").opened();
  await use(panel, socket);
  socket.socket.terminate();
}

/** Answers file operations with `answer`, as an agent does, until the connection ends. */
async function serveFiles(
  panel: TestPanel,
  socket: FakeSocket,
  // deno-lint-ignore no-explicit-any -- a test reads whatever the arguments hold
  answer: (op: string, args: any) => Promise<unknown>,
): Promise<void> {
  for (let index = 0; socket.ending === undefined; index++) {
    await socket.until(() => socket.received.length > index || socket.ending !== undefined);
    if (socket.ending !== undefined) return;
    const { params: { request_id, op, args } } = await socket.message(index);
    const outcome = await answer(op, args).then(
      (result) => ({ ok: true, result, error: "" }),
      (error) => ({ ok: false, error: String(error.message) }),
    );
    await deliverRpc(panel, "agent.file.result", { request_id, ...outcome });
  }
}

const transferUrl = (panel: TestPanel, id: string, token: string) =>
  `${panel.url}/api/clients/transfer/${id}?token=${panel.token}&transfer_token=${token}`;

const INFO = {
  name: "a",
  path: "/a",
  is_dir: false,
  is_symlink: false,
  size: 10,
  mode: "-rw-r--r--",
  mode_octal: "0644",
  uid: 0,
  gid: 0,
  owner: "root",
  group: "root",
  modified_at: "2026-01-02T03:04:05Z",
};

Deno.test("FileManager.request() returns results, and errors with the panel's code", () =>
  withNode(async (panel, socket) => {
    const serving = serveFiles(panel, socket, (op, args) => {
      if (op === "list") return Promise.resolve([{ ...INFO, path: args.path }]);
      return Promise.reject(new Error(args.path));
    });
    const list = await panel.files.request("list", { path: "/a" });
    assertEquals(JSON.stringify(list).includes('"path":"/a"'), true);
    for (
      const [text, code] of [
        ["unsupported file operation: x", -32050],
        ["Permission denied (os error 13)", -32041],
        ["operation not permitted", -32041],
        ["No such file or directory", -32044],
        ["web control is disabled", -32603],
      ] as const
    ) {
      const error = await assertRejects(
        () => panel.files.request("stat", { path: text }),
        Error,
        text,
      );
      assertEquals(fileErrorCode(error), code);
    }
    assertEquals(panel.state.violations, []);
    socket.socket.terminate();
    await serving;
    const lost = () => panel.files.request("stat", { path: "/" });
    await panel.state.until(({ sockets }) => sockets.present === undefined);
    await assertRejects(lost, Error, "can't be reached");
  }));

Deno.test("FileManager.receiveResult() records results that the contract forbids", () =>
  withNode(async (panel, socket) => {
    const stat = panel.files.request("stat", { path: "/a" });
    const { params: { request_id } } = await socket.message(0);
    const { size: _size, ...rest } = INFO;
    const result = { request_id, ok: true, result: rest, error: "" };
    await deliverRpc(panel, "agent.file.result", result);
    await stat;
    assertEquals(panel.state.violations.map(({ text }) => text), [
      "file result of stat: size is missing",
    ]);
    const [, again] = await postRpc(panel, envelope("agent.file.result", result, 1));
    assertEquals(again.error.code, -32004, "a second answer");
  }));

Deno.test("FileManager.download() joins the parts that the agent posts", () =>
  withNode(async (panel, socket) => {
    const bytes = new TextEncoder().encode("0123456789");
    const statuses: number[] = [];
    const serving = serveFiles(panel, socket, async (op, args) => {
      if (op === "stat") return INFO;
      const body = bytes.slice(args.offset, args.offset + args.length);
      const url = transferUrl(panel, args.transfer_id, args.transfer_token);
      for (const token of ["x", args.transfer_token, args.transfer_token]) {
        const to = transferUrl(panel, args.transfer_id, token);
        const response = await fetch(to, { method: "POST", body });
        statuses.push(response.status);
        const text = await response.text();
        if (response.ok) assertEquals(JSON.parse(text), { received: body.length });
      }
      assertEquals(url.includes(args.transfer_id), true);
      return { sent: body.length };
    });
    let text = "";
    panel.files.chunkBytes = 4;
    for await (const part of panel.files.download("/a")) {
      text += new TextDecoder().decode(part);
    }
    assertEquals(text, "0123456789");
    assertEquals(statuses, [401, 200, 409, 401, 200, 409, 401, 200, 409]);
    socket.socket.terminate();
    await serving;
  }));

Deno.test("FileManager.download() refuses a part of another length", () =>
  withNode(async (panel, socket) => {
    const serving = serveFiles(panel, socket, async (op, args) => {
      if (op === "stat") return INFO;
      const url = transferUrl(panel, args.transfer_id, args.transfer_token);
      const response = await fetch(url, { method: "POST", body: "short" });
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    });
    await assertRejects(
      async () => {
        for await (const _part of panel.files.download("/a")) { /* none comes */ }
      },
      Error,
      "status 400",
    );
    socket.socket.terminate();
    await serving;
  }));

Deno.test("FileManager.upload() offers parts, commits, and cancels after an error", () =>
  withNode(async (panel, socket) => {
    const ops: string[] = [];
    let text = "";
    let fails = false;
    const serving = serveFiles(panel, socket, async (op, args) => {
      ops.push(`${op} ${args.chunk_index ?? ""}`);
      if (op !== "upload_stream") return op === "upload_cancel" ? { cancelled: true } : commit;
      if (fails) throw new Error("no space left on device");
      const url = transferUrl(panel, args.transfer_id, args.transfer_token);
      const part = await (await fetch(url)).text();
      text += part;
      return { received: part.length, offset: args.offset + part.length };
    });
    const commit = { received: 0, final: true, offset: 10 };
    panel.files.chunkBytes = 4;
    await panel.files.upload("/a", new Blob(["0123456789"]));
    assertEquals(text, "0123456789");
    fails = true;
    const again = () => panel.files.upload("/a", new Blob(["x"]));
    await assertRejects(again, Error, "no space left");
    assertEquals(ops, [
      ...["upload_stream 0", "upload_stream 1", "upload_stream 2", "upload_commit 3"],
      ...["upload_stream 0", "upload_cancel "],
    ]);
    assertEquals(panel.state.violations, []);
    socket.socket.terminate();
    await serving;
  }));

Deno.test("FileManager.upload() looks by itself when the agent has forgotten an upload", () =>
  withNode(async (panel, socket) => {
    let size = 10;
    let error = "unknown upload session: its first part did not come";
    const serving = serveFiles(panel, socket, async (op, args) => {
      if (op === "upload_commit") throw new Error(error);
      if (op === "upload_cancel") return { cancelled: true };
      if (op === "stat") return { ...INFO, size };
      const url = transferUrl(panel, args.transfer_id, args.transfer_token);
      const part = await (await fetch(url)).text();
      return { received: part.length, offset: args.offset + part.length };
    });
    const upload = () => panel.files.upload("/a", new Blob(["0123456789"]));
    await upload();
    size = 9;
    await assertRejects(upload, Error, "unknown upload session");
    size = 10;
    error = "no space left on device";
    await assertRejects(upload, Error, "no space left");
    socket.socket.terminate();
    await serving;
  }));

/** A node that takes orders and never answers. */
class MuteNode extends PanelNode {
  override sendOrder(): boolean {
    return true;
  }
}

Deno.test("FileManager.request() waits 90 s for an answer, and half an hour for a stream", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const files = new FileManager(new MuteNode(new PanelState()), { signal });
  const [answerMs, streamMs] = [90_000, 30 * 60_000];
  for (
    const [op, afterMs] of [
      ["list", answerMs],
      ["upload_stream", streamMs],
      ["download_stream", streamMs],
    ] as const
  ) {
    const asked = files.request(op, {});
    assertEquals(await time.until(asked, { withinMs: 10 ** 7, stepMs: 10_000 }), afterMs);
    await assertRejects(() => asked, DOMException, `no answer within ${afterMs / 1000} s`);
  }
});

Deno.test("FileManager.upload() fails with the first error, also where its cancellation fails", async () => {
  /** A node that refuses every order. */
  class RefusingNode extends PanelNode {
    override sendOrder({ params }: Order): boolean {
      const { request_id, op } = params;
      queueMicrotask(() => files.receiveResult({ request_id, ok: false, error: `no ${op}` }));
      return true;
    }
  }
  const { signal } = new AbortController();
  const files = new FileManager(new RefusingNode(new PanelState()), { signal });
  await assertRejects(() => files.upload("/a", new Blob(["x"])), Error, "no upload_stream");
});

Deno.test("FileManager.request() fails when the panel closes, and when there is no node", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const files = new FileManager(new MuteNode(new PanelState()), { signal });
  const asked = files.request("list", {});
  controller.abort(new Error("The panel was closed"));
  await assertRejects(() => asked, Error, "The panel was closed");
  const alone = new FileManager(new PanelNode(new PanelState()), { signal });
  await assertRejects(() => alone.request("list", {}), Error, "the node can't be reached");
});

Deno.test("FileManager.upload() takes a file of the same size for one that was merged before", () =>
  withNode(async (panel, socket) => {
    let size = 1;
    const serving = serveFiles(panel, socket, (op) => {
      if (op === "upload_commit") return Promise.reject(new Error("Unknown upload session"));
      return Promise.resolve(op === "stat" ? { ...INFO, size } : { received: 1, offset: 1 });
    });
    await panel.files.upload("/a", new Blob(["x"]));
    size = 2;
    const again = () => panel.files.upload("/a", new Blob(["x"]));
    await assertRejects(again, Error, "Unknown upload session");
    socket.socket.terminate();
    await serving;
  }));

type Args = Readonly<Record<string, unknown>>;

/** File operations of a node that answers at once, and keeps what it was asked for. */
function filesOf(answer: (op: string, args: Args) => unknown) {
  const asked: [op: string, args: Args][] = [];
  const opened: PartTransfer[] = [];
  const node = new PanelNode(new PanelState());
  const files = new FileManager(node, new AbortController());
  const open = files.transfers.open.bind(files.transfers);
  files.transfers.open = (content) => {
    const transfer = open(content);
    opened.push(transfer);
    return transfer;
  };
  node.sendOrder = ({ params }: Order) => {
    const [op, args] = [String(params["op"]), jsonFields(params["args"])];
    asked.push([op, args]);
    queueMicrotask(() => {
      const result = answer(op, args);
      const outcome = result instanceof Error
        ? { ok: false, error: result.message }
        : { ok: true, result };
      files.receiveResult({ request_id: params["request_id"], ...outcome });
    });
    return true;
  };
  return { files, asked, opened };
}

const MIB = 1024 * 1024;

Deno.test("FileManager.download() asks for parts of 4 MiB, by a transfer each", async () => {
  const { files, asked, opened } = filesOf((op) => {
    if (op === "stat") return { size: 9 * MIB, modified_at: "then" };
    const transfer = opened.at(-1);
    if (transfer !== undefined) transfer.bytes = new Uint8Array(transfer.lengthBytes ?? 0);
    return {};
  });
  const parts = await Array.fromAsync(files.download("/a"));
  assertEquals(parts.map(({ length }) => length), [4 * MIB, 4 * MIB, MIB]);
  assertEquals(asked, [
    ["stat", { path: "/a" }],
    ...opened.map(({ id, token }, index): [string, Args] => ["download_stream", {
      ...{ path: "/a", offset: index * 4 * MIB, length: parts[index]?.length },
      ...{ chunk_index: index, file_size: 9 * MIB, modified_at: "then" },
      ...{ transfer_id: id, transfer_token: token },
    }]),
  ]);
  assertEquals(new Set(opened.flatMap(({ id, token }) => [id, token])).size, 6);
});

Deno.test("FileManager.download() fails where the agent says that it has sent, and has not", async () => {
  const { files } = filesOf((op) => op === "stat" ? { size: 3 } : { sent: 3 });
  const download = () => Array.fromAsync(files.download("/a"));
  await assertRejects(download, Error, "the agent has sent no bytes");
});

Deno.test("FileManager.upload() offers parts of 4 MiB, and makes an empty file without any", async () => {
  const { files, asked, opened } = filesOf(() => ({}));
  await files.upload("/a", new Blob([new Uint8Array(5 * MIB)]));
  assertEquals(opened.map(({ bytes }) => bytes?.length), [4 * MIB, MIB]);
  const upload_id = asked[0]?.[1]["upload_id"];
  const common = { path: "/a", upload_id, chunk_count: 2, total_size: 5 * MIB };
  const parts = opened.map(({ id, token }, index): [string, Args] => ["upload_stream", {
    ...{ ...common, chunk_size: 4 * MIB, offset: index * 4 * MIB, chunk_index: index },
    ...{ first: index === 0, final: false, transfer_id: id, transfer_token: token },
  }]);
  assertEquals(asked, [...parts, ["upload_commit", {
    ...{ ...common, chunk_size: 4 * MIB, offset: 5 * MIB, chunk_index: 2 },
    ...{ first: false, final: true },
  }]]);
  asked.length = 0;
  await files.upload("/b", new Blob([]));
  assertEquals(asked, [["create", { path: "/b" }]]);
});

Deno.test("FileManager closes the transfer of a part when the part has ended, also by an error", () =>
  withNode(async (panel) => {
    const statuses: number[] = [];
    const { files } = panel;
    for (const fails of [false, true]) {
      const url = { last: "" };
      const open = files.transfers.open.bind(files.transfers);
      files.transfers.open = (content) => {
        const transfer = open(content);
        url.last = transferUrl(panel, transfer.id, transfer.token);
        return transfer;
      };
      files.request = (op) => {
        return op === "upload_stream" && fails
          ? Promise.reject(new Error("no"))
          : Promise.resolve();
      };
      await files.upload("/a", new Blob(["x"])).catch(() => {});
      const response = await fetch(url.last);
      await response.body?.cancel();
      statuses.push(response.status);
    }
    assertEquals(statuses, [401, 401]);
  }));
