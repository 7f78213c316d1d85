/** Which part of the table a file belongs to. */
import { basename, dirname } from 'node:path/posix';
import type { Row } from './table.js';
import type { Use } from './uses.js';

export interface Place {
  readonly row: Row;
  /** What the placeholders of the row stand for here, for instance `{ verb: 'spmm' }`. */
  readonly names: Readonly<Record<string, string>>;
}

/** The first row that matches decides. `isaFiles` belong to the row of their folder that ends in `/<isa>`. */
export function placeOf(file: string, rows: readonly Row[], isaFiles: ReadonlySet<string>): Place | undefined {
  for (const row of rows) {
    if (row.part.endsWith('/<isa>') && !isaFiles.has(file)) continue;
    const names = match(file, row.part.replace(/\/<isa>$/, ''));
    if (names) return { row, names };
  }
  return undefined;
}

function match(file: string, part: string): Record<string, string> | undefined {
  if (/\.\w+$/.test(part)) return file === part ? {} : undefined;
  const segments = file.split('/').slice(0, -1);
  const names: Record<string, string> = {};
  for (const [i, expected] of part.split('/').entries()) {
    const segment = segments[i];
    if (segment === undefined) return undefined;
    const placeholder = /^<(\w+)>$/.exec(expected)?.[1];
    if (placeholder) names[placeholder] = segment;
    else if (segment !== expected) return undefined;
  }
  return names;
}

/** The files compiled with the flags of an ISA (`avx2.cc`, `avx2_int8.cc`), and the headers of their own folder that they reach. */
export function isaFilesOf(files: readonly string[], isas: readonly string[], uses: readonly Use[]): Set<string> {
  const reached = new Set(
    files.filter((file) => /^native\/[^/]+\/\w+\.cc$/.test(file) && isas.includes(basename(file, '.cc').split('_')[0] ?? '')),
  );
  for (const file of reached) {
    for (const { from, to } of uses) if (from === file && dirname(to) === dirname(file)) reached.add(to);
  }
  return reached;
}

/** The names that cmake/isa.cmake gives flags. */
export function isaNames(isaCmake: string): string[] {
  return [...isaCmake.matchAll(/^set\(SK_ISA_FLAGS_(\w+)/gm)].map((match) => match[1] ?? '');
}
