// A Deno program that sends one fixed message by the runtime's WebSocket at the agent's pace.
const [url = "", message = "", intervalMs = "1000"] = Deno.args;
const socket = new WebSocket(url);
socket.onmessage = (event) => JSON.parse(event.data);
socket.onopen = () => {
  socket.send(message);
  setInterval(() => socket.send(message), Number(intervalMs));
};
