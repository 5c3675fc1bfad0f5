// A Deno program that posts one fixed body at the agent's pace: what a report costs at the least.
const [url = "", body = "", intervalMs = "1000"] = Deno.args;
const headers = { "content-type": "application/json" };

async function post(): Promise<void> {
  const response = await fetch(url, { method: "POST", headers, body });
  await response.text();
}

await post();
setInterval(post, Number(intervalMs));
