import { assertEquals } from "@std/assert";
import { closeOnAbort } from "../../lib/net/byte_stream.ts";

/** Counts how often it is closed. */
class CountedResource {
  closed = 0;

  close(): void {
    this.closed++;
  }
}

Deno.test("closeOnAbort() closes when the signal aborts, and at once when it has aborted", () => {
  const [early, late] = [new CountedResource(), new CountedResource()];
  const controller = new AbortController();
  const aborting = closeOnAbort(early, controller.signal);
  assertEquals(early.closed, 0);
  controller.abort();
  assertEquals(early.closed, 1);
  using _ = closeOnAbort(late, controller.signal);
  assertEquals(late.closed, 1);
  aborting[Symbol.dispose]();
});

Deno.test("closeOnAbort() leaves the resource alone after it was disposed of", () => {
  const resource = new CountedResource();
  const controller = new AbortController();
  closeOnAbort(resource, controller.signal)[Symbol.dispose]();
  controller.abort();
  assertEquals(resource.closed, 0);
});

Deno.test("closeOnAbort() takes a resource that is closed already", () => {
  const controller = new AbortController();
  const closed = {
    close(): void {
      throw new Deno.errors.BadResource("closed");
    },
  };
  using _ = closeOnAbort(closed, controller.signal);
  controller.abort();
});
