/** A text of the source code; `{}` stands for each value in it. */
export interface SourceText {
  /** The path of its file below `lib/`. */
  readonly file: string;
  readonly text: string;
  /** Whether it is a line of the log, of level info at least. */
  readonly isLogged: boolean;
}

const LIB = new URL("../../lib/", import.meta.url);

/** All texts in the files of a folder below `lib/`, joined where the code joins them by `+`. */
export function sourceTexts(folder: string): SourceText[] {
  return filesIn(folder).flatMap((file) => textsOf(file, sourceOf(file)));
}

/** All texts in the files of a folder below `lib/` that have Chinese in them. */
export function chineseTexts(folder: string): SourceText[] {
  return filesIn(folder).flatMap((file) => textsOf(file, sourceOf(file), { isChinese: true }))
    .filter(({ text }) => /[\u4e00-\u9fff]/.test(text));
}

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(`./${folder}`, LIB))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return filesIn(`${folder}${name}/`);
    return name.endsWith(".ts") ? [folder + name] : [];
  });
}

function sourceOf(file: string): string {
  return Deno.readTextFileSync(new URL(file, LIB));
}

/**
 * The texts in a source file, but for those that stand in both languages beside each other; with
 * `isChinese` those too.
 */
export function textsOf(file: string, source: string, { isChinese = false } = {}): SourceText[] {
  const found: SourceText[] = [];
  let translations = 0;
  const visit = (node: Deno.lint.Expression) => {
    const { parent } = node;
    if (!isText(node) || (parent.type === "BinaryExpression" && isText(parent))) return;
    if (NOT_VALUES.includes(parent.type) || (translations > 0 && !isChinese)) return;
    found.push({ file, text: skeleton(node), isLogged: isLogged(node, parent) });
  };
  const create = (): Deno.lint.LintVisitor => ({
    Literal: visit,
    TemplateLiteral: visit,
    BinaryExpression: visit,
    Property: (node) => void (translations += Number(isTranslation(node))),
    "Property:exit": (node) => void (translations -= Number(isTranslation(node))),
  });
  Deno.lint.runPlugin({ name: "texts", rules: { texts: { create } } }, file, source);
  return found;
}

const NOT_VALUES = ["ImportDeclaration", "ExportNamedDeclaration", "TSLiteralType"];

function isText(node: Deno.lint.Expression | Deno.lint.PrivateIdentifier): boolean {
  if (node.type === "Literal") return typeof node.value === "string";
  if (node.type === "TemplateLiteral") return true;
  return node.type === "BinaryExpression" && node.operator === "+" &&
    (isText(node.left) || isText(node.right));
}

function skeleton(node: Deno.lint.Expression | Deno.lint.PrivateIdentifier): string {
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type === "BinaryExpression" && isText(node)) {
    return skeleton(node.left) + skeleton(node.right);
  }
  if (node.type !== "TemplateLiteral") return "{}";
  return node.quasis.map(({ cooked }, at) => {
    const value = node.expressions[at];
    return cooked + (value === undefined ? "" : skeleton(value));
  }).join("");
}

function isLogged(node: Deno.lint.Expression, parent: Deno.lint.Node): boolean {
  return parent.type === "CallExpression" && parent.arguments[0] === node &&
    parent.callee.type === "MemberExpression" && parent.callee.property.type === "Identifier" &&
    ["info", "warning", "error"].includes(parent.callee.property.name);
}

/** Whether the value of a property is a text of one language. */
function isTranslation({ key }: Deno.lint.Property): boolean {
  return key.type === "Identifier" && ["en", "zh"].includes(key.name);
}
