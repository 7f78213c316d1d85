import type { attention, KernelInfo } from 'sparse-kernels';
import { firstMismatch, type Mismatch } from '../reference/compare.js';
import { poolWindow } from '../reference/pool.js';
import { roundTo } from '../reference/round.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';
import { type Companions, onCpu } from './companions.js';

const kinds: readonly attention.PoolKind[] = ['mean', 'sum', 'max', 'min', 'minmax', 'weighted', 'similarity'];

/** Dims around one vector and around four of 4, 8 and 16 lanes. */
const dims = [1, 7, 16, 33, 64, 80];

const windows = [
  { block: 4 }, // 4 divides the tokens or not
  { block: 8, stride: 3 },
  { block: 8, stride: 3, tail: 'keep' },
  { offsets: Int32Array.of(0, 0, 1, 6, 11) },
] as const;

export function poolChecks({ isa }: KernelInfo): Iterable<Check> {
  return poolChecksOf(onCpu(isa));
}

/** Every kind over every form of windows, on any kind of device. */
export function* poolChecksOf(device: Companions): Iterable<Check> {
  for (const kind of kinds) {
    for (const dim of dims) {
      for (const tokens of [11, 12]) {
        yield { name: `${kind}, ${tokens} tokens of ${dim}`, run: () => check(kind, tokens, dim) };
      }
    }
  }

  async function check(kind: attention.PoolKind, tokens: number, dim: number): Promise<Mismatch | null> {
    const [batch, heads] = [2, 3];
    const exact = kind !== 'mean' && kind !== 'weighted' && kind !== 'similarity';
    const x = (exact ? smallIntegers : uniform)(batch * heads * tokens * dim, 1);
    const data = misaligned(device.type === 'float32' ? x : x.map((v) => roundTo(device.type as 'float16', v)));
    const logits = { data: uniform(batch * heads * tokens, 2).map((x) => 4 * x), dims: [batch, heads, tokens] };
    for (const w of windows) {
      const { pooled, start, count } = await device.pool(
        { data, dims: [batch, heads, tokens, dim] },
        { kind, ...w },
        kind === 'weighted' ? logits : undefined,
      );
      const expected: number[] = [];
      for (let s = 0; s < batch * heads; s++) {
        const x = data.subarray(s * tokens * dim, (s + 1) * tokens * dim);
        const l = logits.data.subarray(s * tokens, (s + 1) * tokens);
        for (let p = 0; p < start.length; p++) expected.push(...poolWindow(x, dim, start[p] as number, count[p] as number, kind, l));
      }
      const wrong = firstMismatch(pooled.data, expected, exact ? 0 : 2e-6);
      if (wrong) return wrong;
    }
    return null;
  }
}
