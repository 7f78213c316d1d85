import { attention, type Isa, type TensorLike } from 'sparse-kernels';

/** What chooses keys for attention, on one kind of device: its parity checks are the same on all. */
export interface Companions {
  /** Element type that operands are rounded to before; results are float32. */
  readonly type: 'float32' | 'float16' | 'bfloat16';
  pool(x: TensorLike, o: attention.PoolOptions, logits?: TensorLike): Promise<Pooled> | Pooled;
  score(q: TensorLike, k: TensorLike, o: attention.ScoreOptions): Promise<ArrayLike<number>> | ArrayLike<number>;
  lines(q: TensorLike, k: TensorLike, o: attention.LinesOptions): Promise<{ vertical: ArrayLike<number>; slash: ArrayLike<number> }>;
}

/** What pooling gives, in host memory. */
export interface Pooled {
  readonly pooled: { readonly data: Float32Array; readonly dims: readonly number[] };
  readonly start: Int32Array;
  readonly count: Int32Array;
}

export function onCpu(isa: Isa): Companions {
  return {
    type: 'float32',
    pool: (x, o, logits) => attention.poolSync(x, { ...o, isa, ...(logits && { logits }) }),
    score: (q, k, o) => attention.scoreSync(q, k, { ...o, isa }).data,
    lines: async (q, k, o) => {
      const { vertical, slash } = await attention.lines(q, k, { ...o, isa });
      return { vertical: vertical.data, slash: slash.data };
    },
  };
}
