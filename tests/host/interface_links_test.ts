import { assert, assertEquals } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { InterfaceLinks, openInterfaceLinks } from "../../lib/host/interface_links.ts";
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

Deno.test({
  name: "InterfaceLinks hands no socket on to a program",
  ignore: !isLinux,
  fn() {
    // The name of each socket of this process, by its number; other tests open some, too.
    const open = () =>
      new Map(
        [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
          const link = attempt(() => Deno.readLinkSync(`/proc/self/fd/${name}`));
          return link?.startsWith("socket:") ? [[link, name] as const] : [];
        }),
      );
    const before = open();
    const links = new InterfaceLinks();
    const flags = [...open()].filter(([link]) => !before.has(link)).flatMap(([, name]) => {
      const text = attempt(() => Deno.readTextFileSync(`/proc/self/fdinfo/${name}`)) ?? "";
      const [, digits] = /^flags:\s+(\d+)$/m.exec(text) ?? [];
      return digits === undefined ? [] : [Number.parseInt(digits, 8)];
    });
    assertEquals(links.hasChanged(), false);
    assert(flags.length >= 2, `${flags.length} sockets`);
    const closesOnExec = 0o2000000;
    assertEquals(flags.filter((it) => (it & closesOnExec) === 0), []);
  },
});

Deno.test({
  name: "InterfaceLinks.find() tells a bond and its parts by the kernel's flags",
  ignore: !isLinux,
  fn() {
    let flags = 0;
    const { dlopen } = Deno;
    Reflect.set(Deno, "dlopen", () => ({
      symbols: {
        socket: () => 3,
        bind: () => 0,
        recv: () => -1,
        ioctl(_: number, what: number, request: Uint8Array<ArrayBuffer>) {
          const view = new DataView(request.buffer);
          if (what === 0x8933) view.setInt32(16, 7, true);
          else view.setUint16(16, flags, true);
          return 0;
        },
      },
      close() {},
    }));
    let links: InterfaceLinks;
    try {
      links = new InterfaceLinks();
    } finally {
      Reflect.set(Deno, "dlopen", dlopen);
    }
    const table = [[0x1443, true, false], [0x1843, false, true], [0x1043, false, false]] as const;
    for (const [value, isMaster, isSlave] of table) {
      flags = value;
      assertEquals(links.find("bond0"), { index: 7, isMaster, isSlave });
    }
  },
});
