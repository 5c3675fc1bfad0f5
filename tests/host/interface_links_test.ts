import { assert, assertEquals } from "@std/assert";
import { openInterfaceLinks } from "../../lib/host/interface_links.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "InterfaceLinks.find() tells the index of this machine's interfaces, and nothing of others",
  ignore: !isLinux,
  fn() {
    const links = openInterfaceLinks("/proc/net/dev");
    assert(links !== undefined);
    assertEquals(links.find("lo"), { index: 1, isMaster: false, isSlave: false });
    for (const name of ["", "no-such", "lo\0", "a".repeat(16), "é".repeat(8)]) {
      assertEquals(links.find(name), undefined, name);
    }
  },
});

Deno.test({
  name: "openInterfaceLinks() knows nothing of other files than this network's net/dev",
  ignore: !isLinux,
  fn() {
    for (const path of ["/proc/net/route", "/no/such/file", "/proc/self/net/dev_mcast"]) {
      assertEquals(openInterfaceLinks(path), undefined, path);
    }
  },
});

/** Makes, renames and removes interfaces, and says after each step whether that was noticed. */
const CHANGES = `
  import { openInterfaceLinks } from "${new URL(
  "../../lib/host/interface_links.ts",
  import.meta.url,
)}";
  const links = openInterfaceLinks("/proc/1/net/dev") === undefined
    ? openInterfaceLinks("/proc/net/dev")
    : "another network's";
  const ip = (...args) => new Deno.Command("ip", { args }).outputSync().success;
  const seen = [];
  const look = (...args) => {
    const done = args.length === 0 || ip(...args);
    seen.push([done, links.hasChanged(), links.hasChanged()]);
  };
  links.hasChanged();
  look();
  look("link", "add", "veth1", "type", "veth", "peer", "name", "veth2");
  const [a, b] = [links.find("veth1").index, links.find("veth2").index];
  look("link", "set", "veth1", "name", "veth3");
  look("link", "set", "veth2", "name", "veth1");
  look("link", "set", "veth3", "name", "veth2");
  seen.push([links.find("veth1").index === b, links.find("veth2").index === a]);
  look("link", "del", "veth1");
  seen.push([links.find("veth1") === undefined]);
  console.log(JSON.stringify(seen));
`;

Deno.test({
  name: "InterfaceLinks.hasChanged() tells each change of its own network once",
  ignore: !hasOwnNetwork,
  async fn() {
    const [command = "", ...args] = OWN_NETWORK;
    const { stdout, stderr } = await new Deno.Command(command, {
      args: [...args, Deno.execPath(), "eval", "--no-check", CHANGES],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text !== "", new TextDecoder().decode(stderr));
    const noticed = [true, true, false];
    assertEquals(JSON.parse(text), [
      [true, false, false],
      noticed,
      noticed,
      noticed,
      noticed,
      [true, true],
      noticed,
      [true],
    ]);
  },
});
