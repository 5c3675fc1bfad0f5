/** A language of what is printed for people. */
export type Language = "en" | "zh";

/** A text in each language. */
export type Translation = Readonly<Record<Language, string>>;

/**
 * The language of the environment: `LC_ALL`, else `LC_MESSAGES`, else `LANG`; English for the
 * journal, whatever the locale of the machine.
 */
export function languageOf(env: Readonly<Record<string, string>>): Language {
  if (env.JOURNAL_STREAM) return "en";
  const locale = env.LC_ALL || env.LC_MESSAGES || env.LANG || "";
  return /^zh(?![a-z])/i.test(locale) ? "zh" : "en";
}
