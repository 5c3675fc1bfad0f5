import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { ConnectionStream, type Dialer } from "../../lib/net/byte_stream.ts";
import { type FilesUnderTest, openFiles } from "./file_requests_fixture.ts";
import { type TransferServer, withTransferServer } from "./transfer_server.ts";

// How much memory and how many descriptors transfers take, in a process of its own; prints JSON.

const MIB = 1024 * 1024;

/** The largest part that a panel may ask for. */
const PART_BYTES = 128 * MIB;

/** Parts of the long file, from the command line; 16 of them are 2 GiB. */
const PARTS = Number(Deno.args[0]);

const dialer: Dialer = {
  async dial({ hostname, port }, { signal }) {
    return {
      stream: new ConnectionStream(await Deno.connect({ hostname, port: Number(port), signal })),
    };
  },
};

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

/** Connections and temporary files that are open; the runtime opens others at any time. */
function openDescriptors(): number {
  const connections = Deno.readTextFileSync("/proc/self/net/tcp");
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
      const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
      const isConnection = inode !== undefined && connections.includes(` ${inode} `);
      if (isConnection || target.includes("komari-upload")) count++;
    } catch {
      // The one that the folder itself is read by.
    }
  }
  return count;
}

/** What `use` takes at most and leaves behind, beside a baseline that was taken just before. */
async function measure(use: () => Promise<void>): Promise<object> {
  const descriptors = openDescriptors();
  const baseline = Deno.memoryUsage().rss;
  let highest = baseline;
  const timer = setInterval(() => highest = Math.max(highest, Deno.memoryUsage().rss), 20);
  await use();
  clearInterval(timer);
  // The server may take a moment to close its ends.
  for (let turn = 0; turn < 1000 && openDescriptors() > descriptors; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return { grewBytes: highest - baseline, leftDescriptors: openDescriptors() - descriptors };
}

async function downloads(files: FilesUnderTest, server: TransferServer): Promise<object> {
  const bytes = PARTS * PART_BYTES;
  await Deno.writeTextFile(`${files.folder}/long`, "");
  await Deno.truncate(`${files.folder}/long`, bytes);
  // Once before, for what loads at first use.
  server.open("w", {});
  await files.result("download_stream", { ...download(0, bytes), transfer_id: "w" });
  server.receivedBytes = 0;
  const measured = await measure(async () => {
    for (let index = 0; index < PARTS; index++) {
      server.open(`d${index}`, {});
      await files.result("download_stream", download(index, bytes));
    }
  });
  return { ...measured, movedBytes: server.receivedBytes };
}

async function uploads(files: FilesUnderTest, server: TransferServer): Promise<object> {
  server.open("u0", { givesBytes: MIB });
  await files.result("upload_stream", { ...upload(0, 1), total_size: MIB });
  await files.result("upload_cancel", { upload_id: "u1", path: "~/long" });
  const measured = await measure(async () => {
    for (let index = 0; index < PARTS; index++) {
      server.open(`u${index}`, { givesBytes: PART_BYTES });
      await files.result("upload_stream", upload(index, PARTS));
    }
    const commit = { ...upload(PARTS, PARTS), offset: PARTS * PART_BYTES, final: true };
    await files.result("upload_commit", commit);
  });
  return { ...measured, movedBytes: (await Deno.stat(`${files.folder}/long`)).size };
}

/** A hundred transfers at once, each cut in the middle. */
async function cuts(files: FilesUnderTest, server: TransferServer): Promise<object> {
  await Deno.writeTextFile(`${files.folder}/long`, "");
  await Deno.truncate(`${files.folder}/long`, PART_BYTES);
  const cut = async () => {
    const errors = await Promise.all(Array.from({ length: 100 }, async (_, at) => {
      if (at % 2 === 0) {
        server.open(`d${at}`, { cutAfterBytes: 100_000 });
        const args = { ...download(0, PART_BYTES), transfer_id: `d${at}` };
        return await files.error("download_stream", args);
      }
      server.open(`u${at}`, { givesBytes: PART_BYTES, cutAfterBytes: 100_000 });
      const args = { ...upload(0, 1), upload_id: "cut", transfer_id: `u${at}` };
      return await files.error("upload_stream", args);
    }));
    await files.result("upload_cancel", { upload_id: "cut", path: "~/long" });
    return errors.map((error) => error.replace(/^.*\): /, ""));
  };
  await cut();
  let errors: string[] = [];
  const measured = await measure(async () => {
    errors = await cut();
  });
  const leftFiles = [...Deno.readDirSync(files.folder)].length - 1;
  return { ...measured, leftFiles, count: errors.length, errors: [...new Set(errors)].sort() };
}

const results: Record<string, object> = {};
for (const [name, scenario] of Object.entries({ downloads, uploads, cuts })) {
  await withTransferServer(async (server) => {
    const access = { endpoint: server.origin, token: "node" };
    const transfers = new FileTransferClient(access, { dialer, headers: [] });
    await using files = openFiles({ transfers });
    results[name] = await scenario(files, server);
  });
}
console.log(JSON.stringify(results));
