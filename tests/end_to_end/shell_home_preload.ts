import { setAccountHome } from "../shell_home.ts";

// Loaded by an agent before its own code, so that the terminals of a test have a home of their own.
setAccountHome(Deno.env.get("TEST_SHELL_HOME") ?? "/nowhere");
