import { assertEquals } from "@std/assert";
import {
  authenticatedTarget,
  callAuthenticated,
  LearnedTokenPlace,
} from "../../lib/panel/authentication.ts";
import { timed } from "../fake_time.ts";

const PANEL = { endpoint: "https://panel.example.com/x", token: "a+b/c=&d" };

Deno.test("authenticatedTarget() escapes the token and what follows it", () => {
  const { url, headers } = authenticatedTarget(PANEL, "/api/clients/terminal", { id: "1&token=2" });
  assertEquals(
    url,
    "https://panel.example.com/x/api/clients/terminal?token=a%2Bb%2Fc%3D%26d&id=1%26token%3D2",
  );
  assertEquals(new URL(url).searchParams.getAll("token"), ["a+b/c=&d"]);
  assertEquals(headers, []);
});

Deno.test("authenticatedTarget() has the token in one place only", () => {
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("header") };
  assertEquals(authenticatedTarget(access, "/rpc"), {
    url: "https://panel.example.com/x/rpc",
    headers: [["authorization", "Bearer a+b/c=&d"]],
  });
  const { url } = authenticatedTarget(access, "/terminal", { id: "1" });
  assertEquals(url, "https://panel.example.com/x/terminal?id=1");
});

/** Calls a panel that answers by where the token is; gives the places of the calls. */
async function callsTo(
  access: typeof PANEL & { tokenPlace: LearnedTokenPlace },
  statuses: { query: number; header: number },
): Promise<string> {
  const places: string[] = [];
  const { status } = await callAuthenticated(access, {
    path: "/rpc",
    isAccepted: ({ status }) => status === 200,
  }, ({ url, headers }) => {
    const place = headers.length > 0 ? "header" : "query";
    assertEquals(url.includes("token="), place === "query");
    places.push(place);
    return Promise.resolve({ status: statuses[place] });
  });
  return [...places, status].join(" ");
}

Deno.test("callAuthenticated() learns that a panel takes the header only, and keeps it", async () => {
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("auto") };
  assertEquals(await callsTo(access, { query: 401, header: 200 }), "query header 200");
  assertEquals(await callsTo(access, { query: 401, header: 200 }), "header 200");
  // The panel's place was taken by one that reads the query.
  assertEquals(await callsTo(access, { query: 200, header: 401 }), "header query 200");
});

timed.test("callAuthenticated() tries the header for a wrong token once in ten minutes", async (time) => {
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("auto") };
  const wrong = { query: 401, header: 401 };
  assertEquals(await callsTo(access, wrong), "query header 401");
  assertEquals(await callsTo(access, wrong), "query 401");
  assertEquals(await callsTo({ ...access, token: "another" }, wrong), "query header 401");
  time.tick(10 * 60_000);
  assertEquals(await callsTo(access, { query: 401, header: 503 }), "query header 401");
  assertEquals(await callsTo(access, { query: 200, header: 200 }), "query 200");
});

timed.test("callAuthenticated() tries the header again after ten minutes, not before", async (time) => {
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("auto") };
  const wrong = { query: 401, header: 401 };
  assertEquals(await callsTo(access, wrong), "query header 401");
  time.tick(10 * 60_000 - 1);
  assertEquals(await callsTo(access, wrong), "query 401");
  time.tick(1);
  assertEquals(await callsTo(access, wrong), "query header 401");
});

Deno.test("callAuthenticated() sends the token nowhere else than it was told to", async () => {
  for (const place of ["query", "header"] as const) {
    const access = { ...PANEL, tokenPlace: new LearnedTokenPlace(place) };
    assertEquals(await callsTo(access, { query: 401, header: 401 }), `${place} 401`);
  }
  const other = { ...PANEL, token: "日本", tokenPlace: new LearnedTokenPlace("auto") };
  assertEquals(await callsTo(other, { query: 401, header: 200 }), "query 401");
  const spaced = { ...PANEL, token: "a b", tokenPlace: new LearnedTokenPlace("auto") };
  assertEquals(await callsTo(spaced, { query: 401, header: 200 }), "query 401");
  // What is no 401 says nothing about the token.
  const access = { ...PANEL, tokenPlace: new LearnedTokenPlace("auto") };
  assertEquals(await callsTo(access, { query: 403, header: 200 }), "query 403");
});
