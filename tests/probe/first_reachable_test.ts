import { assertEquals, assertRejects } from "@std/assert";
import { firstReachable, UnreachableError } from "../../lib/probe/first_reachable.ts";

Deno.test("firstReachable() tries the next address only when there is no route", async () => {
  const tried: string[] = [];
  const attempt = (address: string): Promise<string> => {
    tried.push(address);
    return address.includes(".")
      ? Promise.reject(new UnreachableError("no way"))
      : Promise.resolve(address);
  };
  assertEquals(await firstReachable(["1.1.1.1", "::1", "::2"], attempt), "::1");
  assertEquals(tried, ["1.1.1.1", "::1"]);
});

Deno.test("firstReachable() rejects with the first failure that is not a missing route", async () => {
  const tried: string[] = [];
  const refuse = (address: string): Promise<string> => {
    tried.push(address);
    return Promise.reject(new Error("refused"));
  };
  await assertRejects(() => firstReachable(["1.1.1.1", "::1"], refuse), Error, "refused");
  assertEquals(tried, ["1.1.1.1"]);
});

Deno.test("firstReachable() rejects with the first address's error when there is a route to none", async () => {
  const attempt = (address: string): Promise<string> =>
    Promise.reject(new UnreachableError(`no way to ${address}`));
  await assertRejects(
    () => firstReachable(["1.1.1.1", "::1"], attempt),
    UnreachableError,
    "no way to 1.1.1.1",
  );
  await assertRejects(() => firstReachable([], attempt), UnreachableError, "it has no address");
});
