/** Arbitrary weights, scopes and activations for the laws of pruning. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';

export interface Weight {
  data: Float32Array;
  dims: readonly [out: number, inputs: number];
}

export const sparsity = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100);
export const pattern = fc.integer({ min: 2, max: 32 }).chain((m) => fc.integer({ min: 1, max: m - 1 }).map((n) => `${n}:${m}` as const));
export const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const rows = fc.integer({ min: 1, max: 9 });
const either = fc.constantFrom('global' as const, 'row' as const);

/** Single weights compete. */
export const single: fc.Arbitrary<prune.Scope> = fc.oneof(
  fc.record({ scope: either, sparsity }),
  fc.record({ scope: fc.constant('nm' as const), pattern }),
);

export const scope: fc.Arbitrary<prune.Scope> = fc.oneof(
  single,
  fc.record({ scope: either, sparsity, block: fc.tuple(rows, rows) }),
  fc.record({ scope: fc.constant('nm' as const), pattern, rows }),
  fc.record({ scope: fc.constant('venom' as const), pattern: fc.constantFrom('2:8' as const, '1:5' as const, '4:16' as const), rows }),
  fc.record({ scope: fc.constant('transposable' as const), pattern: fc.constantFrom('1:4' as const, '2:4' as const, '3:4' as const) }),
);

const sized = (element: fc.Arbitrary<number>, most: readonly [number, number]): fc.Arbitrary<Weight> =>
  fc
    .tuple(fc.integer({ min: 1, max: most[0] }), fc.integer({ min: 1, max: most[1] }))
    .chain((dims) => of(element, ...dims).map((data) => ({ data, dims })));

/** [out, inputs] of these elements. */
export const of = (element: fc.Arbitrary<number>, out: number, inputs: number): fc.Arbitrary<Float32Array> =>
  fc.array(element, { minLength: out * inputs, maxLength: out * inputs }).map((values) => Float32Array.from(values));

/** The largest float32. */
export const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** Any numbers, NaN and infinities among them. */
export const matrix = sized(
  fc.oneof(
    { weight: 4, arbitrary: fc.float() },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, -0, LARGEST, -LARGEST) },
  ),
  [20, 40],
);

export const integer = fc.integer({ min: -1000, max: 1000 });

/** Sums are exact, so that scaling and reordering cannot change their order. */
export const exact = sized(integer, [20, 40]);

/** The same, smaller. */
export const small = sized(integer, [8, 12]);

/** The transpose. */
export function transposed<T extends Float32Array | Uint8Array>(data: T, [out, inputs]: readonly number[]): T {
  const result = data.slice() as T;
  for (let i = 0; i < data.length; i++)
    result[i] = data[(i % (out as number)) * (inputs as number) + Math.floor(i / (out as number))] as number;
  return result;
}

/** Rows, or columns, in this order. */
export function reordered<T extends Float32Array | Uint8Array>(data: T, inputs: number, row: (r: number) => number): T {
  return data.map((_, i) => data[row(Math.floor(i / inputs)) * inputs + (i % inputs)] as number) as T;
}

export const ones = (mask: { data: Uint8Array }) => mask.data.reduce((sum, one) => sum + one, 0);

/** A calibration of these tokens and one more for each input, whose only value is `unit`: no input is dead, no Hessian singular. */
export function calibrated(tokens: Float32Array, inputs: number, unit: number): prune.Calibration {
  const calibration = new prune.Calibration(inputs, { hessian: true });
  calibration.add({ data: tokens, dims: [tokens.length / inputs, inputs] });
  if (unit !== 0)
    calibration.add({
      data: Float32Array.from({ length: inputs ** 2 }, (_, i) => (i % (inputs + 1) === 0 ? unit : 0)),
      dims: [inputs, inputs],
    });
  return calibration;
}
