import { assertEquals } from "@std/assert";
import { virtualization } from "../../lib/metrics/virtualization.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { fakeHost } from "./fake_host.ts";

const METAL = parseCpuinfo("processor\t: 0\nflags\t: fpu vmx\n");
const GUEST = parseCpuinfo("processor\t: 0\nflags\t: fpu hypervisor\n");

Deno.test("virtualization() names the container before the hypervisor", () => {
  assertEquals(virtualization(fakeHost({ "/.dockerenv": "" }), GUEST), "docker");
});

Deno.test("virtualization() is none on bare metal", () => {
  assertEquals(virtualization(fakeHost({}), METAL), "none");
});

Deno.test("virtualization() is vm-other when the processor alone tells", () => {
  assertEquals(virtualization(fakeHost({}), GUEST), "vm-other");
});

Deno.test("virtualization() knows User Mode Linux", () => {
  const cpu = parseCpuinfo("vendor_id\t: User Mode Linux\nmodel name\t: UML\n");
  assertEquals(virtualization(fakeHost({}), cpu), "uml");
});

Deno.test("virtualization() gives nothing when the machine tells nothing", () => {
  assertEquals(virtualization(fakeHost({}), undefined), undefined);
});
