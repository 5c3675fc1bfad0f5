// A Deno program that does nothing: what the runtime costs by itself.
setInterval(() => {}, 60_000);
