// Compares the dependency table of HACKING.md with the real #include and import lines, both ways: a use that the table does not allow
// is wrong, and so is a line of the table that nothing needs.
import { isaFilesOf, isaNames, type Place, placeOf } from './architecture/parts.js';
import { parseTable } from './architecture/table.js';
import { type Use, usesOf } from './architecture/uses.js';
import { conclude, filesIn, read } from './project.js';

const rows = parseTable(read('HACKING.md'));
const files = [
  ...filesIn(['native', 'test', 'bench'], /\.(h|cc|cu|cuh|def)$/),
  ...filesIn(['lib', 'types', 'test', 'bench', 'examples', 'scripts'], /\.ts$/),
];
const uses = files.flatMap(usesOf);
const isaFiles = isaFilesOf(files, isaNames(read('cmake/isa.cmake')), uses);
const place = (file: string) => placeOf(file, rows, isaFiles);
const problems = [...strangers(), ...forbiddenAndUnused(), ...cycles(), ...environment()];
conclude('check-architecture', problems, 'Move the code, or change the table of HACKING.md in the same commit; then: npm run check');

/** Files that no row describes, and rows that describe no file. */
function strangers(): string[] {
  const described = new Set(files.map((file) => place(file)?.row));
  return [
    ...files.filter((file) => !place(file)).map((file) => `${file}: no row of the table of HACKING.md describes it`),
    ...rows.filter((row) => !described.has(row)).map((row) => `HACKING.md: no file belongs to the part '${row.part}'`),
  ];
}

function forbiddenAndUnused(): string[] {
  const unused = new Map(rows.map((row) => [row, new Set(row.mayUse)]));
  const forbidden: string[] = [];
  for (const use of uses) {
    const from = place(use.from);
    if (!from) continue;
    const token = permission(from, use);
    if (token === undefined) {
      const allowed = from.row.mayUse.join(', ') || 'nothing else';
      forbidden.push(`${use.from}: uses ${use.to}, but '${from.row.part}' may use only its own files and: ${allowed}`);
    } else {
      unused.get(from.row)?.delete(token);
    }
  }
  const idle = [...unused].flatMap(([row, tokens]) =>
    [...tokens].map((token) => `HACKING.md: '${row.part}' may use '${token}', but no file there does: delete it from the table`),
  );
  return [...forbidden, ...idle];
}

/** The entry of the table that allows the use; '' for the part's own files. */
function permission(from: Place, { to }: Use): string | undefined {
  const target = place(to);
  if (target) {
    if (target.row === from.row && sameNames(target, from)) return '';
    return from.row.mayUse.find((token) => token === target.row.part && sameNames(target, from));
  }
  return from.row.mayUse.find((token) => covers(token, to));
}

/** A placeholder that both rows have must stand for the same folder: a verb may use its own ISA files, not another verb's. */
function sameNames(a: Place, b: Place): boolean {
  return Object.entries(a.names).every(([name, value]) => (b.names[name] ?? value) === value);
}

function covers(token: string, target: string): boolean {
  if (token === '<*>') return target.startsWith('<') && target !== '<napi.h>';
  if (token === '<c++>') return /^<[a-z_]+>$/.test(target); // only the standard library has headers without a suffix
  return token.endsWith(':*') ? target.startsWith(token.slice(0, -1)) : token === target;
}

/** Files that use each other, directly or through others. */
function cycles(): string[] {
  const targets = new Map(files.map((file) => [file, uses.filter((use) => use.from === file).map((use) => use.to)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file)) return;
    done.add(file);
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
  };
  for (const file of files) visit(file, []);
  return found.map((cycle) => `cycle: ${cycle}`);
}

/** The library reads the environment in two files only. */
function environment(): string[] {
  const readers: [RegExp, RegExp, string][] = [
    [/^(lib|types)\//, /\bprocess\s*(\.|\?\.|\[\s*['"])\s*env\b|['"]node:process['"]/, 'lib/native.ts'],
    [/^native\//, /\b(secure_)?getenv\b|\benviron\b/, 'native/core/cpu.cc'],
  ];
  return readers.flatMap(([where, pattern, only]) =>
    files
      .filter((file) => where.test(file) && file !== only && pattern.test(read(file)))
      .map((file) => `${file}: reads the environment, which only ${only} may`),
  );
}
