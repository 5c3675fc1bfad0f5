/** A language of the help. */
export type Language = "en" | "zh";

/** A text in each language. */
export type Translation = Readonly<Record<Language, string>>;
