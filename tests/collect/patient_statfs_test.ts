import { assertEquals } from "@std/assert";
import { PatientStatfs } from "../../lib/collect/patient_statfs.ts";
import type { FileSystemUse } from "../../lib/host/host.ts";

const USE = { blockSizeBytes: 1, blocks: 10, freeBlocks: 5, availableBlocks: 5 };

class SlowDisk {
  readonly asked: PromiseWithResolvers<FileSystemUse>[] = [];
  statfsAsync(): Promise<FileSystemUse> {
    const call = Promise.withResolvers<FileSystemUse>();
    this.asked.push(call);
    return call.promise;
  }
}

/** Lets everything that is settled take its course. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

Deno.test("PatientStatfs.ask() has one call under way, however long it takes", async () => {
  const disk = new SlowDisk();
  const patient = new PatientStatfs(disk);
  for (let time = 0; time < 3; time++) assertEquals(patient.ask("/nfs"), undefined);
  assertEquals(disk.asked.length, 1);
  disk.asked[0]?.resolve(USE);
  await settle();
  for (let time = 0; time < 3; time++) assertEquals(patient.ask("/nfs"), USE);
  assertEquals(disk.asked.length, 2);
});

Deno.test("PatientStatfs.ask() forgets its answer when the next one is an error", async () => {
  const disk = new SlowDisk();
  const patient = new PatientStatfs(disk);
  patient.ask("/nfs");
  disk.asked[0]?.resolve(USE);
  await settle();
  patient.ask("/nfs");
  disk.asked[1]?.reject(new Error("stale handle"));
  await settle();
  assertEquals(patient.ask("/nfs"), undefined);
  assertEquals(disk.asked.length, 3);
});

Deno.test("PatientStatfs.keepOnly() forgets other paths, but never asks one twice at once", async () => {
  const disk = new SlowDisk();
  const patient = new PatientStatfs(disk);
  patient.ask("/a");
  disk.asked[0]?.resolve(USE);
  await settle();
  patient.ask("/a");
  patient.keepOnly(new Set(["/b"]));
  assertEquals(patient.ask("/a"), undefined);
  assertEquals(disk.asked.length, 2);
});
