import { REMOTE_CONTROL, testTransport } from "./setup.ts";

testTransport({
  transport: "v2 websocket",
  first: "v2 WebSocket",
  setup: { args: [REMOTE_CONTROL] },
  takesCommands: true,
});

testTransport({
  transport: "v2 post",
  first: "v2 POST",
  setup: { panel: { fault: { name: "upgrade-403" } } },
  takesCommands: true,
});

testTransport({
  transport: "v1 post",
  first: "v1 POST",
  setup: { panel: { generation: "1.1" } },
  takesCommands: false,
});

testTransport({
  transport: "v1 websocket",
  first: "v1 POST",
  setup: { panel: { generation: "1.1" }, args: [REMOTE_CONTROL] },
  takesCommands: true,
});
