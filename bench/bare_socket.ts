// A Deno program that sends one fixed message once a second by the runtime's WebSocket.
const [url = "", message = ""] = Deno.args;
const socket = new WebSocket(url);
socket.onmessage = (event) => JSON.parse(event.data);
socket.onopen = () => {
  socket.send(message);
  setInterval(() => socket.send(message), 1000);
};
