import { Arm64Machine } from "./arm64_machine.ts";
import { debianArchive, debianFolder, DEBIANS } from "./debian.ts";

// Makes what the tests here need and keep on this machine, so that none of them waits for it.
for (const name of DEBIANS) {
  console.log(await (name === "image" ? debianArchive(name) : debianFolder(name)));
}
if (Arm64Machine.missing() === undefined) {
  using _machine = await Arm64Machine.open();
  console.log("arm64");
}
