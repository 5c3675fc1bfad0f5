/** A language of the help. */
export type Language = "en" | "zh";

/** A text in each language. */
export type Translation = Readonly<Record<Language, string>>;

/** The language of the environment: `LC_ALL`, else `LC_MESSAGES`, else `LANG`. */
export function languageOf(env: Readonly<Record<string, string>>): Language {
  const locale = env.LC_ALL || env.LC_MESSAGES || env.LANG || "";
  return /^zh(?![a-z])/i.test(locale) ? "zh" : "en";
}
