import { assert, assertEquals, assertMatch } from "@std/assert";
import { ConnectionStream, type Dialer } from "../../lib/net/byte_stream.ts";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { type FilesUnderTest, openFiles } from "./file_requests_fixture.ts";
import { type TransferServer, withTransferServer } from "./transfer_server.ts";
import { V8_FLAGS } from "../../build/runtime_flags.ts";
import { onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";
import { mountedInMemory } from "../mounted.ts";

const MIB = 1024 * 1024;

/** Parts of 128 MiB that are moved each way; 16 of them are 2 GiB. */
const PARTS = Number(Deno.env.get("FILE_TEST_PARTS") ?? 2);

const dialer: Dialer = {
  async dial({ hostname, port }, { signal }) {
    return {
      stream: new ConnectionStream(await Deno.connect({ hostname, port: Number(port), signal })),
    };
  },
};

/** File requests whose transfers go over HTTP to a server on loopback. */
async function withServer(
  use: (files: FilesUnderTest, server: TransferServer) => Promise<void>,
): Promise<void> {
  await withTransferServer(async (server) => {
    const access = { endpoint: server.origin, token: "node" };
    const transfers = new FileTransferClient(access, { dialer, headers: [] });
    await using files = openFiles({ transfers });
    await use(files, server);
  });
}

Deno.test("FileRequests moves long files, and cut ones, without growing", async () => {
  // In a process of its own, since other tests take memory and descriptors of this one.
  const program = new URL("transfer_costs.ts", import.meta.url).pathname;
  const output = await denoOutput("run -A --no-prompt --no-check", [
    V8_FLAGS,
    program,
    String(PARTS),
  ]);
  const { downloads, uploads, cuts } = JSON.parse(output);
  const table = Object.entries({ downloads, uploads, cuts });
  for (const [name, { grewBytes, leftDescriptors }] of table) {
    assert(grewBytes < 16 * MIB, `${name}: memory grew by ${grewBytes / MIB} MiB`);
    assertEquals(leftDescriptors, 0, name);
  }
  assertEquals([downloads.movedBytes, uploads.movedBytes], Array(2).fill(PARTS * 128 * MIB));
  assertEquals([cuts.count, cuts.leftFiles], [100, 0]);
  for (const error of cuts.errors) {
    assertMatch(error, /^unexpected eof: the connection was (closed|lost)/);
  }
});

Deno.test("FileRequests gives the panel's reason when a transfer is refused", async () => {
  await withServer(async (files) => {
    await Deno.writeTextFile(`${files.folder}/long`, "12345");
    const transfer = { transfer_id: "used", transfer_token: "secret" };
    const args = { path: "~/long", offset: 0, length: 5, ...transfer };
    assertMatch(await files.error("download_stream", args), /does not know|401/);
  });
});

const asLinuxRoot = onlyIf(Deno.build.os === "linux" && Deno.uid() === 0);

asLinuxRoot.test("FileRequests says that the disk is full, and leaves nothing on it", async () => {
  await withServer(async (files, server) => {
    const disk = `${files.folder}/disk`;
    await Deno.mkdir(disk);
    await using mount = await mountedInMemory(disk, "size=1m");
    if (mount === undefined) return;
    server.open("t1", { givesBytes: 4 * MIB });
    const upload = { path: "~/disk/file", upload_id: "u1", total_size: 4 * MIB };
    const part = { chunk_index: 0, offset: 0, chunk_size: 8 * MIB, first: true };
    const args = { ...upload, ...part, transfer_id: "t1", transfer_token: "secret" };
    assertEquals(
      await files.error("upload_stream", args),
      `${disk}/file: no space left on device`,
    );
    await files.result("upload_cancel", { upload_id: "u1", path: "~/disk/file" });
    await Deno.writeFile(`${files.folder}/large`, new Uint8Array(2 * MIB));
    const copy = { source: "~/large", destination: "~/disk/copy" };
    assertEquals(await files.error("copy", copy), `${files.folder}/large: no space left on device`);
    assertEquals([...Deno.readDirSync(disk)], []);
  });
});
