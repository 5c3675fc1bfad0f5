import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { executableTarget } from "../../build/executable_target.ts";

/** The beginning of an ELF file. */
function elf({ machine = 0x3e, bits = 2, order = 1 } = {}): Uint8Array {
  const head = new Uint8Array(20);
  head.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  head.set([2, 0, machine & 0xff, machine >> 8], 16);
  return head;
}

function machO(processor: number): Uint8Array {
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  view.setUint32(0, 0xfeedfacf, true);
  view.setUint32(4, processor, true);
  return head;
}

Deno.test("executableTarget() distinguishes systems and processors", () => {
  assertEquals(executableTarget(elf()), "linux-amd64");
  assertEquals(executableTarget(elf({ machine: 0xb7 })), "linux-arm64");
  assertEquals(executableTarget(machO(0x0100_0007)), "darwin-amd64");
  assertEquals(executableTarget(machO(0x0100_000c)), "darwin-arm64");
  assertEquals(executableTarget(new TextEncoder().encode("#!/bin/sh\n")), "portable");
});

Deno.test("executableTarget() recognizes the running Deno", async () => {
  using file = await Deno.open(Deno.execPath());
  const head = new Uint8Array(64);
  await file.read(head);
  const arch = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  assertEquals(executableTarget(head), `${Deno.build.os}-${arch}`);
});

Deno.test("executableTarget() returns undefined for 32 bits, other processors and other files", () => {
  const others = [
    elf({ bits: 1 }),
    elf({ order: 2 }),
    elf({ machine: 0x28 }),
    elf({ machine: 0xf3 }),
    machO(7),
    elf().subarray(0, 19),
    new TextEncoder().encode("<!DOCTYPE html><html><head>"),
    new TextEncoder().encode("invalid link"),
    new Uint8Array(0),
    new Uint8Array(100),
  ];
  for (const head of others) assertEquals(executableTarget(head), undefined);
});

Deno.test("executableTarget() accepts any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    executableTarget(bytes);
  }));
  const around = new Uint8Array(40);
  around.set(elf(), 7);
  assertEquals(executableTarget(around.subarray(7, 27)), "linux-amd64");
});
