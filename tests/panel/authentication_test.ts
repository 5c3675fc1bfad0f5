import { assertEquals } from "@std/assert";
import {
  authenticatedTarget,
  callAuthenticated,
  LearnedTokenPlace,
} from "../../lib/panel/authentication.ts";
import { timed } from "../fake_time.ts";

const PANEL = { endpoint: "https://panel.example.com/x", token: "a+b/c=&d" };

Deno.test("authenticatedTarget() has the token in one place only, and escapes it and what follows it", () => {
  const { url, headers } = authenticatedTarget(PANEL, "/terminal", { id: "1&token=2" });
  const query = "?token=a%2Bb%2Fc%3D%26d&id=1%26token%3D2";
  assertEquals([url, headers], [`https://panel.example.com/x/terminal${query}`, []]);
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("header") };
  assertEquals(authenticatedTarget(access, "/rpc", { id: "1" }), {
    url: "https://panel.example.com/x/rpc?id=1",
    headers: [["authorization", "Bearer a+b/c=&d"]],
  });
});

/** Calls a panel that answers so by where the token is: the places of the calls, and the last status. */
async function callsTo(
  tokenPlace: LearnedTokenPlace,
  answers: { query: number; header: number },
  token = PANEL.token,
): Promise<string> {
  const places: string[] = [];
  const { status } = await callAuthenticated({ ...PANEL, token, tokenPlace }, {
    ...{ path: "/rpc", isAccepted: ({ status }) => status === 200 },
  }, ({ url, headers }) => {
    const place = url.includes("token=") ? "query" : "header";
    places.push(headers.length > 0 && place === "query" ? "both" : place);
    return Promise.resolve({ status: answers[place] });
  });
  return [...places, status].join(" ");
}

Deno.test("callAuthenticated() learns that a panel takes the header only, and keeps it", async () => {
  const place = new LearnedTokenPlace("auto");
  assertEquals(await callsTo(place, { query: 401, header: 200 }), "query header 200");
  assertEquals(await callsTo(place, { query: 401, header: 200 }), "header 200");
  // The panel's place was taken by one that reads the query.
  assertEquals(await callsTo(place, { query: 200, header: 401 }), "header query 200");
});

timed.test("callAuthenticated() tries the header for a wrong token once in ten minutes", async (time) => {
  const place = new LearnedTokenPlace("auto");
  const wrong = { query: 401, header: 401 };
  assertEquals(await callsTo(place, wrong), "query header 401");
  assertEquals(await callsTo(place, wrong), "query 401");
  assertEquals(await callsTo(place, wrong, "another"), "query header 401");
  time.tick(10 * 60_000 - 1);
  assertEquals(await callsTo(place, wrong, "another"), "query 401");
  time.tick(1);
  const busy = { query: 401, header: 503 };
  assertEquals(await callsTo(place, busy, "another"), "query header 401");
  assertEquals(await callsTo(place, { query: 200, header: 200 }), "query 200");
});

Deno.test("callAuthenticated() sends the token nowhere else than it was told to", async () => {
  for (const place of ["query", "header"] as const) {
    const fixed = new LearnedTokenPlace(place);
    assertEquals(await callsTo(fixed, { query: 401, header: 401 }), `${place} 401`);
  }
  // What is no 401 says nothing about the token, and not every token can be in a header.
  for (const [query, token] of [[403, "t"], [401, "日本"], [401, "a b"]] as const) {
    const auto = new LearnedTokenPlace("auto");
    assertEquals(await callsTo(auto, { query, header: 200 }, token), `query ${query}`);
  }
});
