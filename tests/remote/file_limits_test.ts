import { assert, assertEquals, assertMatch } from "@std/assert";
import { ConnectionLine } from "../../lib/line/connection_line.ts";
import type { Dialler } from "../../lib/line/line.ts";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { type FilesUnderTest, withFiles } from "./file_requests_fixture.ts";
import { type TransferServer, withTransferServer } from "./transfer_server.ts";

const MIB = 1024 * 1024;

/** The largest part that a panel may ask for. */
const PART_BYTES = 128 * MIB;

/** Parts of the long file; 16 of them are 2 GiB. */
const PARTS = Number(Deno.env.get("FILE_TEST_PARTS") ?? 2);

const dialler: Dialler = {
  async open({ hostname, port }, { signal }) {
    return {
      line: new ConnectionLine(await Deno.connect({ hostname, port: Number(port), signal })),
    };
  },
};

/** File requests whose transfers go over HTTP to a server on loopback. */
async function withServer(
  use: (files: FilesUnderTest, server: TransferServer) => Promise<void>,
): Promise<void> {
  await withTransferServer(async (server) => {
    const access = { endpoint: server.origin, token: "node" };
    const transfers = new FileTransferClient(access, { dialler, headers: [] });
    await withFiles((files) => use(files, server), { transfers });
  });
}

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Fails when memory or descriptors grow during `use`; it has run once before, to warm up. */
async function withoutGrowth(use: () => Promise<void>): Promise<void> {
  const files = openFiles();
  const baseline = Deno.memoryUsage().rss;
  let highest = baseline;
  const timer = setInterval(() => highest = Math.max(highest, Deno.memoryUsage().rss), 20);
  await use();
  clearInterval(timer);
  assert(highest - baseline < 16 * MIB, `memory grew by ${(highest - baseline) / MIB} MiB`);
  assertEquals(openFiles(), files);
}

function download(index: number, fileBytes: number): Record<string, unknown> {
  return {
    path: "~/long",
    offset: index * PART_BYTES,
    length: PART_BYTES,
    chunk_index: index,
    file_size: fileBytes,
    transfer_id: `d${index}`,
    transfer_token: "secret",
  };
}

Deno.test(`FileRequests sends ${PARTS * 128} MiB in bounded memory`, async () => {
  await withServer(async (files, server) => {
    const bytes = PARTS * PART_BYTES;
    await Deno.writeTextFile(`${files.folder}/long`, "");
    await Deno.truncate(`${files.folder}/long`, bytes);
    server.open("w", {});
    const short = { ...download(0, bytes), length: 4 * MIB, transfer_id: "w" };
    await files.result("download_stream", short);
    server.receivedBytes = 0;
    await withoutGrowth(async () => {
      for (let index = 0; index < PARTS; index++) {
        server.open(`d${index}`, {});
        const sent = await files.result("download_stream", download(index, bytes));
        assertEquals(sent, { sent: PART_BYTES });
      }
    });
    assertEquals(server.receivedBytes, bytes);
  });
});

function upload(index: number, parts: number): Record<string, unknown> {
  return {
    path: "~/long",
    upload_id: `u${parts}`,
    offset: index * PART_BYTES,
    chunk_index: index,
    chunk_count: parts,
    chunk_size: PART_BYTES,
    total_size: parts * PART_BYTES,
    first: index === 0,
    final: false,
    transfer_id: `u${index}`,
    transfer_token: "secret",
  };
}

Deno.test(`FileRequests receives ${PARTS * 128} MiB in bounded memory`, async () => {
  await withServer(async (files, server) => {
    server.open("u0", { givesBytes: 4 * MIB });
    const short = { ...upload(0, 1), total_size: 4 * MIB };
    await files.result("upload_stream", short);
    await files.result("upload_cancel", { upload_id: "u1", path: "~/long" });
    await withoutGrowth(async () => {
      for (let index = 0; index < PARTS; index++) {
        server.open(`u${index}`, { givesBytes: PART_BYTES });
        await files.result("upload_stream", upload(index, PARTS));
      }
      const commit = { ...upload(PARTS, PARTS), offset: PARTS * PART_BYTES, final: true };
      await files.result("upload_commit", commit);
    });
    assertEquals((await Deno.stat(`${files.folder}/long`)).size, PARTS * PART_BYTES);
  });
});

Deno.test("FileRequests keeps memory and descriptors when a hundred transfers are cut", async () => {
  await withServer(async (files, server) => {
    await Deno.writeTextFile(`${files.folder}/long`, "");
    await Deno.truncate(`${files.folder}/long`, PART_BYTES);
    const cut = async (count: number) => {
      const errors = await Promise.all(Array.from({ length: count }, async (_, at) => {
        if (at % 2 === 0) {
          server.open(`d${at}`, { cutAfterBytes: 100_000 });
          const args = { ...download(0, PART_BYTES), transfer_id: `d${at}` };
          return await files.error("download_stream", args);
        }
        server.open(`u${at}`, { givesBytes: PART_BYTES, cutAfterBytes: 100_000 });
        const args = { ...upload(0, 1), upload_id: "cut", transfer_id: `u${at}` };
        return await files.error("upload_stream", args);
      }));
      for (const error of errors) assertMatch(error, /connection was (lost|closed)/);
    };
    await cut(100);
    await files.result("upload_cancel", { upload_id: "cut", path: "~/long" });
    await withoutGrowth(async () => {
      await cut(100);
      await files.result("upload_cancel", { upload_id: "cut", path: "~/long" });
    });
    assertEquals([...Deno.readDirSync(files.folder)].length, 1);
  });
});

Deno.test("FileRequests gives the panel's reason when a transfer is refused", async () => {
  await withServer(async (files) => {
    await Deno.writeTextFile(`${files.folder}/long`, "12345");
    const args = { ...download(0, 5), length: 5 };
    assertMatch(await files.error("download_stream", args), /does not know|401/);
  });
});

Deno.test({
  name: "FileRequests says that the disk is full, and leaves nothing on it",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async () => {
    await withServer(async (files, server) => {
      const disk = `${files.folder}/disk`;
      await Deno.mkdir(disk);
      const mount = ["-t", "tmpfs", "-o", "size=1m", "none", disk];
      const { success } = await new Deno.Command("mount", { args: mount }).output();
      if (!success) return;
      try {
        server.open("u0", { givesBytes: 4 * MIB });
        const args = { ...upload(0, 1), path: "~/disk/file", total_size: 4 * MIB };
        assertEquals(await files.error("upload_stream", args), "no space left on device");
        await files.result("upload_cancel", { upload_id: "u1", path: "~/disk/file" });
        await Deno.writeFile(`${files.folder}/large`, new Uint8Array(2 * MIB));
        const copy = { source: "~/large", destination: "~/disk/copy" };
        assertEquals(await files.error("copy", copy), "no space left on device");
        assertEquals([...Deno.readDirSync(disk)], []);
      } finally {
        await new Deno.Command("umount", { args: [disk] }).output();
      }
    });
  },
});
