/**
 * The dependency table of HACKING.md: one row per part of the project and what it may use, as code spans.
 *
 * | part | may use |
 * |---|---|
 * | `native/<verb>` | `native/core`, `native/<verb>/<isa>`, `<c++>` |
 */
export interface Row {
  /** A file, a folder, or a folder with placeholders: `<verb>` and `<domain>` stand for any folder name, `<isa>` for the ISA files. */
  readonly part: string;
  /** Names of parts, `<header.h>`, `<c++>` (any header of the C++ standard library), `<*>`, `node:*`, `npm:<package>` or `npm:*`. */
  readonly mayUse: readonly string[];
}

export function parseTable(markdown: string): Row[] {
  const lines = markdown.split('\n');
  const head = lines.findIndex((line) => /^\|\s*part\s*\|\s*may use\s*\|/i.test(line));
  if (head < 0) throw new Error("HACKING.md has no table with the head '| part | may use |'");
  const rows: Row[] = [];
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith('|')) break;
    const [part, mayUse] = line.split('|').slice(1, 3).map(codeSpans);
    if (part?.length !== 1 || !part[0] || !mayUse) throw new Error(`HACKING.md: expected '| \`part\` | \`use\`, ... |' but found: ${line}`);
    rows.push({ part: part[0], mayUse });
  }
  return rows;
}

function codeSpans(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}
