/** CPU clocks of the kernel, which it brings up to now when they are read. */
export class CpuClock {
  readonly #time = new BigInt64Array(2);
  readonly #libc = Deno.dlopen("libc.so.6", {
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });

  /** Microseconds on a clock, by its number in the kernel; 0 when there is none. */
  readUs(clock: number): number {
    if (this.#libc.symbols.clock_gettime(clock, this.#time) !== 0) return 0;
    return Number(this.#time[0]) * 1e6 + Number(this.#time[1]) / 1e3;
  }
}
