/**
 * SentencePiece unigram tokenizer: the Viterbi path through the pieces of the vocabulary (Kudo 2018,
 * https://arxiv.org/abs/1804.10959), with the choices of `@tensorflow-models/universal-sentence-encoder`.
 */

/** A piece of text and its log-probability; the id of a piece is its place in the vocabulary. */
export type Vocabulary = readonly (readonly [piece: string, score: number])[];

const WORD_START = '\u2581'; // SentencePiece writes a space as "lower one eighth block"
const UNKNOWN = 0;
const RESERVED = 6; // the first ids are control symbols that never match text

interface Step {
  readonly id: number;
  readonly length: number;
  readonly score: number;
}

export class Tokenizer {
  readonly #steps = new Map<string, Omit<Step, 'score'> & { logProbability: number }>();
  #longest = 1;

  constructor(vocabulary: Vocabulary) {
    vocabulary.forEach(([piece, logProbability], id) => {
      if (id < RESERVED) return;
      const length = [...piece].length;
      this.#steps.set(piece, { id, length, logProbability });
      this.#longest = Math.max(this.#longest, length);
    });
  }

  encode(text: string): number[] {
    const normalized = text.normalize('NFKC');
    if (normalized.length === 0) return [];
    const symbols = [...(WORD_START + normalized.replaceAll(' ', WORD_START))];
    return mergeUnknown(backtrack(this.#viterbi(symbols)));
  }

  /** `best[end]`: the last piece of the most probable segmentation of the first `end` symbols. */
  #viterbi(symbols: readonly string[]): Step[] {
    const best: (Step | undefined)[] = [];
    const scoreAt = (end: number) => best[end]?.score ?? 0;
    for (let start = 0; start < symbols.length; start++) {
      let matched = false;
      for (let length = 1; length <= this.#longest && start + length <= symbols.length; length++) {
        const piece = this.#steps.get(symbols.slice(start, start + length).join(''));
        if (piece === undefined) continue;
        matched = true;
        offer(best, start + length, { id: piece.id, length, score: scoreAt(start) + piece.logProbability });
      }
      if (!matched) offer(best, start + 1, { id: UNKNOWN, length: 1, score: scoreAt(start) });
    }
    return Array.from({ length: symbols.length + 1 }, (_, end) => best[end] ?? { id: UNKNOWN, length: 1, score: 0 });
  }
}

/** Of two equally probable segmentations the later start wins, as in the reference; a score of 0 means "not reached". */
function offer(best: (Step | undefined)[], end: number, step: Step): void {
  const current = best[end]?.score ?? 0;
  if (current === 0 || step.score >= current) best[end] = step;
}

function backtrack(best: readonly Step[]): number[] {
  const ids: number[] = [];
  for (let end = best.length - 1; end > 0; ) {
    const step = best[end] as Step;
    ids.push(step.id);
    end -= step.length;
  }
  return ids.reverse();
}

/** A run of unknown symbols is one unknown token. */
function mergeUnknown(ids: readonly number[]): number[] {
  return ids.filter((id, i) => id !== UNKNOWN || ids[i - 1] !== UNKNOWN);
}
