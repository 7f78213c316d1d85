/** The real `#include` and `import` lines of the project. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import ts from 'typescript';
import { read, root } from '../project.js';

export interface Use {
  readonly from: string;
  /** A file of the project, `<header>`, `node:name` or `npm:name`. */
  readonly to: string;
}

/** What one file uses, in the order of its lines. */
export function usesOf(file: string): Use[] {
  const targets = file.endsWith('.ts') ? imports(file) : includes(file);
  return [...new Set(targets)].map((to) => ({ from: file, to }));
}

function includes(file: string): string[] {
  return [...read(file).matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].map(([, quote, name = '']) =>
    quote === '<' ? `<${name}>` : join(dirname(file), name),
  );
}

function imports(file: string): string[] {
  return specifiers(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest)).map((name) => {
    if (name.startsWith('node:')) return name;
    if (name === 'sparse-kernels') return 'lib/index.ts';
    if (!name.startsWith('.')) return `npm:${name.split('/', name.startsWith('@') ? 2 : 1).join('/')}`;
    return source(join(dirname(file), name));
  });
}

/** `import` and `export ... from`, import types, and the argument of `import()` and `require()`. */
function specifiers(node: ts.Node): string[] {
  const found: string[] = [];
  const add = (specifier: ts.Node | undefined) => {
    if (specifier && ts.isStringLiteral(specifier)) found.push(specifier.text);
  };
  const visit = (child: ts.Node): void => {
    if (ts.isImportDeclaration(child) || ts.isExportDeclaration(child)) add(child.moduleSpecifier);
    if (ts.isImportTypeNode(child) && ts.isLiteralTypeNode(child.argument)) add(child.argument.literal);
    if (ts.isCallExpression(child) && isImporter(child.expression)) add(child.arguments[0]);
    ts.forEachChild(child, visit);
  };
  visit(node);
  return found;
}

function isImporter(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

/** The file behind a relative specifier: `./x.js` names `x.ts` or `x.d.ts`. */
function source(specifier: string): string {
  const stem = specifier.replace(/\.[mc]?js$/, '');
  return [`${stem}.ts`, `${stem}.d.ts`].find((file) => existsSync(join(root, file))) ?? specifier;
}
