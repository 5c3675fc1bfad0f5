/** Targets of compiled programs: their names, as in Go, and the compiler's. */
export const TARGETS: Readonly<Record<string, string>> = {
  "linux-amd64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "darwin-amd64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
};
