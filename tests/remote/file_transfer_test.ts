import { assertEquals, assertMatch } from "@std/assert";
import { type FilesUnderTest, withFiles } from "./file_requests_fixture.ts";

const CONTENT = Uint8Array.from({ length: 5000 }, (_, at) => at * 7);

/** The arguments for a part of a file of 5000 bytes. */
async function download(files: FilesUnderTest) {
  await Deno.writeFile(`${files.folder}/file`, CONTENT);
  const info = await files.result("stat", { path: "~/file" });
  const { size, modified_at } = Object.assign({ size: 0, modified_at: "" }, info);
  return {
    ...{ path: "~/file", offset: 1000, length: 2500, chunk_index: 1, file_size: size, modified_at },
    ...{ transfer_id: "t1", transfer_token: "secret" },
  };
}

withFiles.test("sendFilePart() sends exactly the part that was asked for", async (files) => {
  const args = await download(files);
  assertEquals(await files.result("download_stream", args), { sent: 2500 });
  assertEquals(files.transfers.sent.get("t1"), CONTENT.slice(1000, 3500));
  const rest = { ...args, offset: 4999, length: 1, transfer_id: "t2" };
  assertEquals(await files.result("download_stream", rest), { sent: 1 });
  assertEquals(files.transfers.sent.get("t2"), CONTENT.slice(4999));
});

withFiles.test("sendFilePart() sends a whole file to a panel that asks for it at once", async (files) => {
  const args = await download(files);
  const length = 200 * 1024 * 1024;
  await Deno.truncate(`${files.folder}/file`, length);
  let lengthBytes = 0;
  files.transfers.send = (_ticket, body) => {
    lengthBytes = body.lengthBytes;
    return Promise.resolve();
  };
  const whole = { ...args, offset: 0, length, file_size: length, modified_at: "" };
  assertEquals(await files.result("download_stream", whole), { sent: length });
  assertEquals(lengthBytes, length);
});

withFiles.test("sendFilePart() takes the time that it gave, with and without fractions", async (files) => {
  const args = await download(files);
  const path = `${files.folder}/file`;
  await Deno.utime(path, 1000, 1_700_000_000.25);
  const given = ["2023-11-14T22:13:20.25Z", "2023-11-15T00:13:20.250+02:00", "", "?"];
  for (const modified_at of [...given, "0001-01-01T00:00:00Z"]) {
    assertEquals(await files.result("download_stream", { ...args, modified_at }), { sent: 2500 });
  }
  const other = { ...args, modified_at: "2023-11-14T22:13:20.26Z" };
  assertMatch(await files.error("download_stream", other), /has changed/);
});

withFiles.test("sendFilePart() refuses a file of another size and parts beyond its end", async (files) => {
  const args = await download(files);
  let pieces = 0;
  files.transfers.beforePiece = () => {
    pieces++;
    return Promise.resolve();
  };
  for (const change of [{ file_size: 5001 }, { offset: 4000 }, { offset: 5000, length: 1 }]) {
    assertMatch(await files.error("download_stream", { ...args, ...change }), /has changed/);
  }
  const wrong = [
    { offset: -1 },
    { offset: 0.5 },
    { length: 0 },
    { length: 2 ** 53 },
    { transfer_id: "" },
    { transfer_id: "../x" },
    { length: "5" },
  ];
  for (const change of wrong) {
    assertMatch(await files.error("download_stream", { ...args, ...change }), /^invalid argument/);
  }
  assertEquals(pieces, 0);
});

withFiles.test("sendFilePart() sends what a growing file had at the start", async (files) => {
  const args = await download(files);
  const grow = () => Deno.writeFile(`${files.folder}/file`, new Uint8Array(99), { append: true });
  await grow();
  files.transfers.beforePiece = grow;
  assertEquals(await files.result("download_stream", args), { sent: 2500 });
  assertEquals(files.transfers.sent.get("t1"), CONTENT.slice(1000, 3500));
  const end = { ...args, offset: 4000, length: 1001 };
  assertMatch(await files.error("download_stream", end), /\/file: the file has changed/);
});

withFiles.test("sendFilePart() fails when the file becomes shorter meanwhile", async (files) => {
  const args = await download(files);
  let pieces = 0;
  files.transfers.beforePiece = async () => {
    if (++pieces === 2) await Deno.truncate(`${files.folder}/file`, 1500);
  };
  assertMatch(await files.error("download_stream", args), /has changed/);
});

withFiles.test("sendFilePart() refuses folders, devices and FIFOs at once", async (files) => {
  const args = await download(files);
  await new Deno.Command("mkfifo", { args: [`${files.folder}/fifo`] }).output();
  await Deno.symlink("fifo", `${files.folder}/link`);
  for (const path of ["~/fifo", "~/link", "~", "/dev/zero", "/dev/tty"]) {
    assertMatch(
      await files.error("download_stream", { ...args, path }),
      /not a regular file/,
      path,
    );
  }
});
