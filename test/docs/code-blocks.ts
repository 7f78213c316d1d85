/** The programs inside the documentation: fenced blocks of Markdown, and of TSDoc examples. */
export interface CodeBlock {
  /** `README.md:12`, where the code starts. */
  readonly at: string;
  readonly code: string;
}

/** Every fenced block in TypeScript or JavaScript. */
export function codeBlocks(file: string, markdown: string): CodeBlock[] {
  const fence = /^```(?:ts|js|typescript|javascript)\b.*\n([\s\S]*?)^```/gm;
  return [...markdown.matchAll(fence)].map((match) => ({
    at: `${file}:${markdown.slice(0, match.index).split('\n').length + 1}`,
    code: match[1] ?? '',
  }));
}

/** The comments of a source file, on the lines where they stand, without their asterisks; everything else is left empty. */
export function commentsOf(source: string): string {
  const kept = source.split('\n').map(() => '');
  for (const comment of source.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const first = source.slice(0, comment.index).split('\n').length - 1;
    for (const [i, line] of comment[0].split('\n').entries()) kept[first + i] = line.replace(/^\s*\* ?/, '');
  }
  return kept.join('\n');
}
