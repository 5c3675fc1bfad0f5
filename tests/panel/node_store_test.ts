import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NodeStore } from "../../lib/panel/node_store.ts";

const NODE = { endpoint: "https://panel.example", uuid: "u", token: "t", registeredAtMs: 1 };
const OTHER = { ...NODE, endpoint: "https://other.example", token: "t2" };

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "node-store-" });
  try {
    await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function open(folder: string, forgives = false): NodeStore {
  return new NodeStore(folder, { forgives });
}

Deno.test("NodeStore keeps a node for each panel, for its owner alone", async () => {
  await withFolder(async (folder) => {
    assertEquals(open(folder).read(), []);
    await open(folder).keep(NODE);
    await open(folder).keep(OTHER);
    assertEquals(open(folder).find(NODE.endpoint), NODE);
    assertEquals(open(folder).find(OTHER.endpoint), OTHER);
    assertEquals(open(folder).find("https://third.example"), undefined);
    await open(folder).keep({ ...NODE, token: "t3" });
    assertEquals(open(folder).find(NODE.endpoint)?.token, "t3");
    assertEquals((Deno.statSync(open(folder).path).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("NodeStore does not take a damaged file for none, unless it is to forgive", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/auto-discovery.json`, '{"version":1,');
    assertThrows(() => open(folder).find(NODE.endpoint), Error, "it is damaged");
    await assertRejects(() => open(folder).keep(NODE), Error, "it is damaged");
    const store = open(folder, true);
    assertEquals(store.read(), []);
    await store.keep(NODE);
    assertEquals(open(folder).read(), [NODE]);
    assertEquals(Deno.readTextFileSync(`${folder}/auto-discovery.json.damaged`), '{"version":1,');
  });
});

Deno.test("NodeStore.lock() is given to one at a time, and apart from that of the month", async () => {
  await withFolder(async (folder) => {
    const lock = open(`${folder}/new`).lock();
    assert(lock !== undefined);
    assertEquals(open(`${folder}/new`).lock(), undefined);
    lock.close();
    open(`${folder}/new`).lock()?.close();
    assertEquals([...Deno.readDirSync(`${folder}/new`)].map(({ name }) => name), [
      "auto-discovery.lock",
    ]);
    await Promise.resolve();
  });
});

Deno.test("NodeStore.prove() leaves nothing behind, and throws where nothing can be written", async () => {
  await withFolder(async (folder) => {
    await open(folder).prove();
    assertEquals([...Deno.readDirSync(folder)], []);
    await assertRejects(() => open(`${folder}/none`).prove(), Error, "Cannot write to the folder");
    assertThrows(() => open("/dev/null/state").lock(), Error, "Cannot use the folder");
  });
});

Deno.test("NodeStore.prove() writes to nothing that a link leads to, and says why it can't", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/auto-discovery.json.try`;
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
    Deno.symlinkSync("theirs", path);
    await open(folder).prove();
    assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
    Deno.mkdirSync(`${path}/full`, { recursive: true });
    const { cause } = await assertRejects(() => open(folder).prove(), Error);
    assert(cause instanceof Deno.errors.AlreadyExists, String(cause));
  });
});

Deno.test("NodeStore.prove() throws when no space is left, and leaves nothing of its own", async () => {
  await withFolder(async (folder) => {
    if (!await run("mount", "-t", "tmpfs", "-o", "size=8k", "tiny", folder)) {
      return console.log("skipped: no file system can be mounted here");
    }
    try {
      Deno.writeFileSync(`${folder}/big`, new Uint8Array(8192));
      await assertRejects(() => open(folder).prove(), Error, "Cannot write to the folder");
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["big"]);
    } finally {
      await run("umount", folder);
    }
  });
});

async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    const options = { args, stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(command, options).output()).success;
  } catch {
    return false;
  }
}
