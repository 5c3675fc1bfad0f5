/** What a service manager starts, as far as its own file tells. */
export interface ServiceCommand {
  /** The program and its arguments; empty when the file names none. */
  readonly words: readonly string[];
  /** What the file sets, and not what the program inherits. */
  readonly env: Readonly<Record<string, string>>;
  /** Empty when the file names none. */
  readonly workingDirectory: string;
  /** Empty when the file names none. */
  readonly user: string;
}
