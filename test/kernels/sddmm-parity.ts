import { type KernelInfo, nm } from 'sparse-kernels';
import { dotTolerance, firstMismatch, type Mismatch } from '../reference/compare.js';
import { smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

/** Shapes chosen against blocks of 64 tokens, vectors of 4 to 16 sums and tasks of 16 rows, with few, half and all places kept. */
export function* sddmmChecks(row: KernelInfo): Iterable<Check> {
  for (const [tokens, out, inputs] of [
    [0, 3, 5],
    [1, 1, 1],
    [63, 15, 16],
    [64, 16, 17],
    [65, 17, 33],
    [200, 33, 300],
  ] as const) {
    for (const keep of [0, 0.1, 0.5, 1]) {
      yield {
        name: `${tokens} tokens, ${out} x ${inputs}, ${keep} kept`,
        run: async () =>
          (await compare(row, tokens, out, inputs, keep, smallIntegers, 0)) ??
          compare(row, tokens, out, inputs, keep, uniform, dotTolerance(tokens, 1, 1, 0)),
      };
    }
  }
}

async function compare(
  row: KernelInfo,
  tokens: number,
  out: number,
  inputs: number,
  keep: number,
  fill: (length: number, seed: number) => Float32Array,
  tolerance: number,
): Promise<Mismatch | null> {
  const dy = fill(tokens * out, 1);
  const x = fill(tokens * inputs, 2);
  const mask = Uint8Array.from(uniform(out * inputs, 3), (u) => ((u + 1) / 2 < keep ? 1 : 0));
  const { data } = await nm.valueGradient(
    { data: dy, dims: [tokens, out] },
    { data: x, dims: [tokens, inputs] },
    { data: mask, dims: [out, inputs] },
    { isa: row.isa },
  );
  const expected = Float64Array.from(mask, (m, at) => {
    let sum = 0;
    for (let t = 0; t < tokens && m; t++)
      sum += (dy[t * out + Math.floor(at / inputs)] as number) * (x[t * inputs + (at % inputs)] as number);
    return sum;
  });
  return firstMismatch(data, expected, tolerance);
}
