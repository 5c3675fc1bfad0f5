import { assertEquals, assertRejects } from "@std/assert";
import { NodeStore } from "../../lib/panel/node_store.ts";
import { openRegistration } from "../../lib/panel/registration.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { withRawServer } from "../net/raw_server.ts";
import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";

/** Finds the node of a machine whose state is in `folder`; gives its token. */
async function findToken(
  { folder, endpoint = "http://panel.example", args = [] }: {
    folder: string;
    endpoint?: string;
    args?: readonly string[];
  },
): Promise<string> {
  const config = configOf([
    ...["-e", endpoint, "--auto-discovery", "d1scovery-k3y", "--state-dir", `${folder}/state`],
    ...args,
  ]);
  await using node = await openRegistration(config, {
    signal: patience(),
    onToken: () => {},
    observer: undefined,
  });
  assertEquals(await node.find(), true);
  return node.token;
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  Deno.mkdirSync(`${folder.path}/state`, { mode: 0o700 });
  await collectedLog(() => use(folder.path));
}

async function saveNode(folder: string, endpoint: string): Promise<void> {
  using store = new NodeStore(`${folder}/state`, { ignoreDamage: false });
  await store.open();
  await store.save({ endpoint, uuid: "u", token: "known" });
}

Deno.test("openRegistration() imports the node of the official file once, and leaves that as it is", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/official.json`;
    Deno.writeTextFileSync(path, JSON.stringify({ uuid: "o", token: "official" }));
    await withRawServer(async (peer) => {
      while (await peer.request() !== undefined) {
        await peer.answer('{"id":1,"error":{"code":-32601}}', [], "400 Bad Request");
      }
    }, async ({ origin }) => {
      const args = ["--auto-discovery-file", path];
      assertEquals(await findToken({ folder, endpoint: origin, args }), "official");
      assertEquals(JSON.parse(Deno.readTextFileSync(path)), { uuid: "o", token: "official" });
      // It is known from now on, and nobody is asked.
      Deno.writeTextFileSync(path, JSON.stringify({ uuid: "x", token: "another" }));
      assertEquals(await findToken({ folder, endpoint: origin, args }), "official");
    });
  });
});

Deno.test("openRegistration() throws when no node can be saved, unless there is one", async () => {
  await withFolder(async (folder) => {
    const lock = `${folder}/state/auto-discovery.lock`;
    // A folder whose files can't be trusted.
    Deno.symlinkSync("elsewhere", lock);
    await assertRejects(() => findToken({ folder }), Error, "its token can't be saved");
    Deno.removeSync(lock);
    await saveNode(folder, "http://panel.example");
    Deno.removeSync(lock);
    Deno.symlinkSync("elsewhere", lock);
    assertEquals(await findToken({ folder }), "known");
  });
});

Deno.test("openRegistration() takes a damaged file for none with --rediscover only", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/state/auto-discovery.state`, "{");
    await assertRejects(() => findToken({ folder }), Error, "it is damaged");
    await withRawServer(async (peer) => {
      while (await peer.request() !== undefined) {
        await peer.answer('{"status":"success","data":{"uuid":"n","token":"new"}}');
      }
    }, async ({ origin }) => {
      assertEquals(await findToken({ folder, endpoint: origin, args: ["--rediscover"] }), "new");
    });
  });
});
