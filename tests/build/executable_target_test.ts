import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { executableTarget } from "../../build/executable_target.ts";
import { same } from "../cases.ts";

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

Deno.test("executableTarget() tells systems and processors, and is undefined for other files", async () => {
  using file = await Deno.open(Deno.execPath());
  const running = new Uint8Array(64);
  await file.read(running);
  const text = (text: string) => new TextEncoder().encode(text);
  const shifted = new Uint8Array(40);
  shifted.set(elf(), 7);
  same(executableTarget, [
    [running, `${Deno.build.os}-${Deno.build.arch === "x86_64" ? "amd64" : "arm64"}`],
    [elf(), "linux-amd64"],
    [shifted.subarray(7, 27), "linux-amd64"],
    [elf({ machine: 0xb7 }), "linux-arm64"],
    [machO(0x0100_0007), "darwin-amd64"],
    [machO(0x0100_000c), "darwin-arm64"],
    [text("#!/bin/sh\n"), "portable"],
    [elf({ bits: 1 }), undefined],
    [elf({ order: 2 }), undefined],
    [elf({ machine: 0x28 }), undefined],
    [machO(7), undefined],
    [elf().subarray(0, 19), undefined],
    [text("<!DOCTYPE html><html><head>"), undefined],
    [new Uint8Array(0), undefined],
  ]);
  // Any bytes are accepted.
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (it) => void executableTarget(it)));
  assertEquals(executableTarget(new Uint8Array(100)), undefined);
});
