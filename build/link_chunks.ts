/** What a minified chunk imports, at its begin, and exports, at its end: lists of `name as alias`. */
const IMPORT = /^import(?:\{([^}]*)\}from)?"\.\/([^"]+)";/;
const EXPORT = /export\{([^}]*)\};\s*$/;
/** The other chunks that it imports when it needs them. */
const LATER = /(?<![\w$.])import\("\.\/([^"]+)"\)/g;

interface Chunk {
  /** The names of what others export, here and there, by chunk. */
  readonly imports: ReadonlyMap<string, string>;
  readonly later: readonly string[];
  readonly code: string;
  readonly exports: string;
}

/**
 * Links the chunks that the bundler has split a program into: each is a function that returns what the chunk
 * exports.
 *
 * What is only imported later is the text of such a function, which the engine reads over at the start, and
 * neither parses nor keeps anything of. The bundler itself would make one file of them, in which all
 * that such an import reaches is in functions as well, which the engine parses twice.
 *
 * @param read Gives the text of a chunk.
 * @param entry The chunk that starts the program; it stays code of the module.
 */
export function linkChunks(read: (name: string) => string, entry: string): string {
  /** Each behind those that it imports. */
  const chunks = new Map<string, Chunk>();
  function add(name: string): void {
    if (chunks.has(name)) return;
    const chunk = parseChunk(read(name));
    for (const from of chunk.imports.keys()) add(from);
    chunks.set(name, chunk);
  }
  add(entry);
  const early = new Set(chunks.keys());
  for (const { later } of chunks.values()) later.forEach(add);

  function bodyOf({ imports, code }: Chunk): string {
    const taken = Array.from(imports, ([from, names]) => {
      const variable = variableOf(from);
      return `const{${names}}=${early.has(from) ? variable : `await ${variable}()`};`;
    });
    return taken.join("") + code.replaceAll(LATER, (_, other: string) => `${variableOf(other)}()`);
  }

  const lines = Array.from(chunks, ([name, chunk]) => {
    if (name === entry) return bodyOf(chunk);
    const body = `${bodyOf(chunk)};return{${chunk.exports}}`;
    if (early.has(name)) return `const ${variableOf(name)}=(function(){${body}})();`;
    const others = [...new Set([...chunk.imports.keys(), ...chunk.later])].map(variableOf).join();
    const text = JSON.stringify(`(async(${others})=>{"use strict";${body}})`);
    return `const ${variableOf(name)}=__once(()=>(0,eval)(${text})(${others}));`;
  });
  // What the entry's code calls at once may import the others.
  const ofEntry = lines.splice(early.size - 1, 1);
  return ["const __once=(f)=>{let p;return()=>p??=f()};", ...lines, ...ofEntry].join("\n");
}

/** The variable of a chunk: what it exports, or a function that gives that later. */
function variableOf(name: string): string {
  return `__${name.replaceAll(/\W/g, "_")}`;
}

function parseChunk(text: string): Chunk {
  const imports = new Map<string, string>();
  let code = text;
  for (let found = IMPORT.exec(code); found !== null; found = IMPORT.exec(code)) {
    const [whole, names = "", from = ""] = found;
    imports.set(from, names.replaceAll(" as ", ":"));
    code = code.slice(whole.length);
  }
  const [whole = "", exports = ""] = EXPORT.exec(code) ?? [];
  return {
    imports,
    later: Array.from(code.matchAll(LATER), ([, other = ""]) => other),
    code: code.slice(0, code.length - whole.length),
    exports: exports.replaceAll(/([\w$]+) as ([\w$]+)/g, "$2:$1"),
  };
}
