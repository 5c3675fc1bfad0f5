import { assertEquals } from "@std/assert";
import { LinkReader } from "../../lib/exporter/links.ts";
import { LINK_FILES } from "../../lib/sandbox/shell.ts";
import { fakeHost, fakeSource } from "../metrics/fake_host.ts";
import { samplesOf } from "./exposition.ts";

const row = (name: string) => `${name}:${" 1".repeat(16)}\n`;

/** The files of an interface; a card that is up by default. */
function link(
  name: string,
  changes: Record<string, string> = {},
  sys = "/sys",
): Record<string, string> {
  const texts: Record<string, string> = {
    ...{ operstate: "up", carrier: "1", carrier_changes: "2", flags: "0x1003", ifindex: "4" },
    ...{ mtu: "1500", type: "1", speed: "1000", tx_queue_len: "1000" },
    ...{ "statistics/rx_nohandler": "3", address: "02:fc:00:00:00:01" },
    ...{ broadcast: "ff:ff:ff:ff:ff:ff", duplex: "full", ifalias: "uplink", ...changes },
  };
  const files = Object.entries(texts);
  return Object.fromEntries(
    files.map(([file, text]) => [`${sys}/class/net/${name}/${file}`, `${text}\n`]),
  );
}

async function lines(reader: LinkReader, onGap = () => {}): Promise<string[]> {
  return samplesOf(await reader.read(onGap));
}

Deno.test("LinkReader.read() gives state, speed in bytes and size of each interface", async () => {
  const host = fakeHost({ "/proc/net/dev": row("eth0"), ...link("eth0") });
  assertEquals(await lines(new LinkReader(host, "/proc/net")), [
    'node_network_info{device="eth0",address="02:fc:00:00:00:01",broadcast="ff:ff:ff:ff:ff:ff",' +
    'duplex="full",ifalias="uplink",operstate="up"} 1',
    'node_network_up{device="eth0"} 1',
    'node_network_carrier{device="eth0"} 1',
    'node_network_carrier_changes_total{device="eth0"} 2',
    'node_network_flags{device="eth0"} 4099',
    'node_network_iface_id{device="eth0"} 4',
    'node_network_mtu_bytes{device="eth0"} 1500',
    'node_network_protocol_type{device="eth0"} 1',
    'node_network_speed_bytes{device="eth0"} 125000000',
    'node_network_transmit_queue_length{device="eth0"} 1000',
    'node_network_receive_nohandler_total{device="eth0"} 3',
  ]);
});

Deno.test("LinkReader.read() leaves out what the kernel does not answer", async () => {
  const down = { operstate: "down", carrier: "", speed: "-1", duplex: "" };
  const files = { ...link("lo", { operstate: "unknown" }), ...link("eth0", down) };
  const host = fakeHost({ "/proc/net/dev": row("lo") + row("eth0"), ...files });
  const shown = await lines(new LinkReader(host, "/proc/net"));
  const of = (name: string) => shown.filter((line) => line.startsWith(`node_network_${name}{`));
  assertEquals(of("carrier").length, 1);
  assertEquals(of("speed_bytes")[1], 'node_network_speed_bytes{device="eth0"} -125000');
  assertEquals(of("up").map((line) => line.slice(-1)), ["0", "0"]);
  assertEquals(of("receive_nohandler_total").length, 1);
});

Deno.test("LinkReader.read() has an empty label where the kernel refuses an answer", async () => {
  const files: Record<string, string> = { "/proc/net/dev": row("eth0"), ...link("eth0") };
  const open = (path: string) =>
    fakeSource(() => {
      if (/duplex|speed/.test(path)) throw new Error("EINVAL");
      return files[path];
    });
  const shown = await lines(new LinkReader({ ...fakeHost(files), open }, "/proc/net"));
  assertEquals(shown[0]?.includes('duplex="",ifalias="uplink"'), true);
  assertEquals(shown.length, 10);
});

Deno.test("LinkReader.read() asks the shell for interfaces that come later", async () => {
  let devices = row("eth0");
  let eth0: Record<string, string> = link("eth0");
  const host = {
    ...fakeHost({}),
    open: (path: string) => fakeSource(() => path === "/proc/net/dev" ? devices : eth0[path]),
  };
  const reader = new LinkReader(host, "/proc/net");
  const asked: string[] = [];
  reader.useShell({
    link(name) {
      asked.push(name);
      if (name === "gone") return Promise.resolve(undefined);
      if (name === "odd") return Promise.reject(new Error("it has ended"));
      return Promise.resolve(LINK_FILES.map((file) => file === "operstate" ? "up" : "7"));
    },
  });
  assertEquals((await lines(reader)).length, 11);
  assertEquals(asked, []);
  devices += row("wg0") + row("gone") + row("odd");
  // The interface of this name is another one now.
  eth0 = {};
  const shown = await lines(reader);
  assertEquals(asked, ["eth0", "wg0", "gone", "odd"]);
  assertEquals(shown.filter((line) => line.includes('"wg0"')).length, 11);
  assertEquals(shown.filter((line) => line.startsWith("node_network_up")).length, 2);
});

Deno.test("LinkReader keeps 32 interfaces open, and asks for 64 others at most", async () => {
  const names = Array.from({ length: 200 }, (_, index) => `veth${index}`);
  let opened = 0;
  const host = {
    ...fakeHost({}),
    open: (path: string) => {
      opened++;
      return fakeSource(() => path === "/proc/net/dev" ? names.map(row).join("") : "1\n");
    },
  };
  const reader = new LinkReader(host, "/proc/net");
  assertEquals(opened, 1 + 32 * LINK_FILES.length);
  let asked = 0;
  reader.useShell({ link: () => Promise.resolve((asked++, LINK_FILES.map(() => "1"))) });
  let gaps = 0;
  const up = (await lines(reader, () => gaps++)).filter((line) =>
    line.startsWith("node_network_up")
  );
  assertEquals(gaps, 1);
  assertEquals([asked, up.length], [64, 96]);
  names.length = 32 + 64;
  await lines(reader, () => gaps++);
  assertEquals([asked, gaps], [128, 1], "as many as can be asked for are no gap");
});

Deno.test("LinkReader.read() shows another machine's interfaces by its own /sys, and none where that is the container's", async () => {
  let asked = 0;
  const shown = async (sys: string) => {
    const files = { "/host/proc/1/net/dev": row("eth0"), ...link("eth0", {}, sys) };
    const host = { ...fakeHost(files), roots: { proc: "/host/proc", sys, root: "/host" } };
    const reader = new LinkReader(host, "/host/proc/1/net");
    if (sys === "/sys") {
      reader.useShell({ link: () => Promise.resolve((asked++, LINK_FILES.map(() => "1"))) });
    }
    return (await lines(reader)).length;
  };
  assertEquals([await shown("/sys"), asked, await shown("/host/sys")], [0, 0, 11]);
});

Deno.test("LinkReader.read() shows nothing of an interface of which the shell knows nothing", async () => {
  let isBroken = true;
  const open = (path: string) =>
    fakeSource(() => {
      if (isBroken) throw new Error(`Cannot read ${path}`);
      return path === "/proc/net/dev" ? row("eth0") : "";
    });
  const reader = new LinkReader({ ...fakeHost({}), open }, "/proc/net");
  // It could open nothing at the start.
  isBroken = false;
  reader.useShell({ link: () => Promise.resolve(LINK_FILES.map(() => "")) });
  assertEquals(await lines(reader), []);
});
