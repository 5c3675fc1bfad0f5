// Holds many connections over loopback: `listen` prints its port and keeps what comes, `dial PORT N`
// opens N of them and prints "ready".
const [role = "", port = "0", count = "0"] = Deno.args;
const kept: Deno.Conn[] = [];

if (role === "listen") {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  for await (const connection of listener) kept.push(connection);
} else {
  for (let opened = 0; opened < Number(count); opened++) {
    kept.push(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  }
  console.log("ready");
  setInterval(() => {}, 60_000);
}
