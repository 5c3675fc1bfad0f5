// A Deno program that posts one fixed body once a second: what a report costs at the least.
const [url = "", body = ""] = Deno.args;
const headers = { "content-type": "application/json" };

async function post(): Promise<void> {
  const response = await fetch(url, { method: "POST", headers, body });
  await response.text();
}

await post();
setInterval(post, 1000);
