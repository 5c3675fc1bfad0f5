import { assertEquals } from "@std/assert";
import { exists } from "../../exists.ts";
import { TempFolder } from "../../temp_folder.ts";
import { outputOf, skipReason } from "./command.ts";
import { Podman } from "./podman.ts";

const lack = Podman.missing();

/** Opens one with something mounted below it, and waits to be killed. */
const RUN = `
  import { Podman } from "${new URL("podman.ts", import.meta.url)}";
  const [within] = Deno.args;
  const { folder } = await Podman.open(within);
  Deno.mkdirSync(folder + "/memory");
  new Deno.Command("mount", { args: ["-t", "tmpfs", "tmpfs", folder + "/memory"] }).outputSync();
  console.log(folder);
  setInterval(() => {}, 1_000);
`;

Deno.test({
  name: `Podman.open() removes what a killed run has left, and nothing of others${
    skipReason(lack)
  }`,
  ignore: lack !== undefined,
  async fn() {
    using within = new TempFolder();
    await using other = await Podman.open(within.path);
    await using run = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", RUN, within.path],
      stdout: "piped",
    }).spawn();
    const lines = run.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const folder = (await lines.read()).value?.trim() ?? "";
    assertEquals(outputOf("findmnt", "-no", "FSTYPE", `${folder}/memory`), "tmpfs\n");
    {
      await using _second = await Podman.open(within.path);
      assertEquals([exists(folder), exists(other.folder)], [true, true]);
    }
    run.kill("SIGKILL");
    await run.status;
    await lines.cancel();
    await using _third = await Podman.open(within.path);
    assertEquals([exists(folder), exists(other.folder)], [false, true]);
  },
});
