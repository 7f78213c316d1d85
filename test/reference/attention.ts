/** Oracle of attention: float64, from dense q, k, v and a dense mask. Knows nothing of tiles, chunks or kernels. */
export interface DenseAttention {
  batch: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  queries: number;
  keys: number;
  /** [batch, heads, queries, headDim] */
  q: ArrayLike<number>;
  /** [batch, kvHeads, keys, headDim] */
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  /** Whether head h's query i of batch entry b sees key j. */
  sees(b: number, h: number, i: number, j: number): boolean;
  scale: number;
  softcap?: number | undefined;
  /** Added to the score of a key. */
  bias?(b: number, kvHead: number, j: number): number;
  logWeight?: number | undefined;
  sink?: ArrayLike<number> | undefined;
  /** A result over other keys to continue from: as output and lse below. */
  initial?: { output: ArrayLike<number>; lse: ArrayLike<number> } | undefined;
}

/** Output [batch, heads, queries, headDim]; lse and rowMax [batch, heads, queries]. */
export interface DenseResult {
  output: Float64Array;
  lse: Float64Array;
  rowMax: Float64Array;
}

export function denseAttention(a: DenseAttention): DenseResult {
  const { batch, heads, kvHeads, headDim: d, queries, keys } = a;
  const output = new Float64Array(batch * heads * queries * d);
  const lse = new Float64Array(batch * heads * queries).fill(Number.NEGATIVE_INFINITY);
  const rowMax = lse.slice();
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor(h / (heads / kvHeads));
      for (let i = 0; i < queries; i++) {
        const row = (b * heads + h) * queries + i;
        const scores: [number, number][] = [];
        for (let j = 0; j < keys; j++) {
          if (!a.sees(b, h, i, j)) continue;
          let s = 0;
          const at = ((b * kvHeads + kvHead) * keys + j) * d;
          for (let x = 0; x < d; x++) s += (a.q[row * d + x] as number) * (a.k[at + x] as number);
          s *= a.scale;
          if (a.softcap !== undefined) s = a.softcap * Math.tanh(s / a.softcap);
          s += (a.bias?.(b, kvHead, j) ?? 0) + (a.logWeight ?? 0);
          if (s !== Number.NEGATIVE_INFINITY) scores.push([s, at]);
        }
        const before = a.initial?.lse[row] ?? Number.NEGATIVE_INFINITY;
        rowMax[row] = Math.max(...scores.map(([s]) => s));
        const max = Math.max(rowMax[row] as number, before);
        if (max === Number.NEGATIVE_INFINITY) continue;
        const sum = scores.reduce((total, [s]) => total + Math.exp(s - max), Math.exp(before - max));
        const whole = sum + (a.sink === undefined ? 0 : Math.exp((a.sink[h] as number) - max));
        for (const [s, at] of scores) {
          const p = Math.exp(s - max) / whole;
          for (let x = 0; x < d; x++) output[row * d + x] = (output[row * d + x] as number) + p * (a.v[at + x] as number);
        }
        if (a.initial && before !== Number.NEGATIVE_INFINITY) {
          const p = Math.exp(before - max) / whole;
          for (let x = row * d; x < (row + 1) * d; x++) output[x] = (output[x] as number) + p * (a.initial.output[x] as number);
        }
        lse[row] = max + Math.log(sum);
      }
    }
  }
  return { output, lse, rowMax };
}

/** What a pattern lists, written down pair by pair: [batch, sets, queries, keys], 1 for pairs that rules cut, 2 for pairs they do not. */
export interface ListedPattern {
  queryLength: number;
  keyLength: number;
  batch: number;
  sets: number;
  blockSize: readonly [number, number];
  unit: 'block' | 'token';
  tiles?: ListedRows;
  fullTiles?: ListedRows;
  columns?: ListedRows;
}

interface ListedRows {
  start: ArrayLike<number>;
  count: ArrayLike<number>;
  index: ArrayLike<number>;
}

export function listedPairs(p: ListedPattern): Uint8Array {
  const [bq, bk] = p.blockSize;
  const blocks = Math.ceil(p.queryLength / bq);
  const pairs = new Uint8Array(p.batch * p.sets * p.queryLength * p.keyLength);
  for (let group = 0; group < p.batch * p.sets; group++) {
    for (let i = 0; i < p.queryLength; i++) {
      const row = group * blocks + Math.floor(i / bq);
      const line = (group * p.queryLength + i) * p.keyLength;
      const mark = (lists: ListedRows | undefined, step: number, width: number, value: number) => {
        if (!lists) return;
        for (let n = 0; n < (lists.count[row] as number); n++) {
          const first = (lists.index[(lists.start[row] as number) + n] as number) * step;
          for (let j = first; j < Math.min(first + width, p.keyLength); j++) {
            if (pairs[line + j] !== 0) throw new Error(`row ${row} lists key ${j} twice`);
            pairs[line + j] = value;
          }
        }
      };
      mark(p.tiles, p.unit === 'block' ? bk : 1, bk, 1);
      mark(p.fullTiles, p.unit === 'block' ? bk : 1, bk, 2);
      mark(p.columns, 1, 1, 1);
    }
  }
  return pairs;
}

/** float16 or bfloat16 nearest to each number (ties to even), as bits, and the numbers that these bits stand for. */
export function rounded(values: Float32Array, type: 'float16' | 'bfloat16'): { bits: Uint16Array; values: Float64Array } {
  const fraction = type === 'float16' ? 10 : 7;
  const bias = type === 'float16' ? 15 : 127;
  const least = 1 - bias; // of normal numbers
  const bits = new Uint16Array(values.length);
  const exact = new Float64Array(values.length);
  values.forEach((value, i) => {
    const exponent = value === 0 ? least : Math.max(Math.floor(Math.log2(Math.abs(value))), least);
    const unit = 2 ** (exponent - fraction);
    const steps = Math.abs(value) / unit;
    const below = Math.floor(steps);
    const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
    const count = below + (up ? 1 : 0); // in units; 2^(fraction + 1) of them carry into the exponent by themselves
    const normal = count >= 2 ** fraction ? (exponent + bias - 1) * 2 ** fraction + count : count;
    bits[i] = normal + (value < 0 ? 0x8000 : 0);
    exact[i] = Math.sign(value) * count * unit;
  });
  return { bits, values: exact };
}
