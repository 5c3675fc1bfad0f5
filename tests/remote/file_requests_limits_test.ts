import { assertEquals, assertMatch } from "@std/assert";
import { ConnectionStream, type Dialer } from "../../lib/net/byte_stream.ts";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { type FilesUnderTest, openFiles } from "./file_requests_fixture.ts";
import { type TransferServer, withTransferServer } from "./transfer_server.ts";
import { onlyIf } from "../only_on.ts";
import { mountedInMemory } from "../mounted.ts";

const MIB = 1024 * 1024;

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
