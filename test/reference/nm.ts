/** Oracle of spmm: y = act(x Wᵀ + b) in float64 from the dense weight. Knows nothing of packing, patterns or kernels. */
export interface DenseLinear {
  x: ArrayLike<number>;
  weight: ArrayLike<number>;
  bias?: ArrayLike<number> | undefined;
  tokens: number;
  inputs: number;
  outputs: number;
  activation?: 'none' | 'relu' | 'gelu' | 'gelu-tanh' | 'silu' | undefined;
}

/** erf by its Taylor series, which converges everywhere, and 1 - tail by its continued fraction where that cancels. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 3) {
    let fraction = a;
    for (let k = 60; k > 0; k--) fraction = a + k / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
  }
  let term = x;
  let sum = x;
  for (let k = 1; k < 80; k++) {
    term *= (-x * x) / k;
    sum += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export const activationOf = {
  none: (x: number) => x,
  relu: (x: number) => (x < 0 ? 0 : x),
  gelu: (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  'gelu-tanh': (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x: number) => x / (1 + Math.exp(-x)),
};

export function denseLinear({ x, weight, bias, tokens, inputs, outputs, activation = 'none' }: DenseLinear): Float64Array {
  const act = activationOf[activation];
  const y = new Float64Array(tokens * outputs);
  for (let t = 0; t < tokens; t++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias ? (bias[o] as number) : 0;
      for (let i = 0; i < inputs; i++) {
        const w = weight[o * inputs + i] as number;
        if (w !== 0) sum += w * (x[t * inputs + i] as number);
      }
      y[t * outputs + o] = act(sum);
    }
  }
  return y;
}

/** The mask of magnitude pruning by sorting each group: an implementation that shares nothing with lib/nm/prune.ts. */
export function pruneBySorting(weight: ArrayLike<number>, outputs: number, inputs: number, n: number, m: number): Float32Array {
  const pruned = new Float32Array(outputs * inputs);
  const key = (v: number) => (Number.isNaN(v) ? -1 : Math.abs(v));
  for (let o = 0; o < outputs; o++) {
    for (let g = 0; g < inputs; g += m) {
      const indices = Array.from({ length: Math.min(m, inputs - g) }, (_, i) => o * inputs + g + i);
      indices.sort((a, b) => key(weight[b] as number) - key(weight[a] as number) || a - b);
      for (const i of indices.slice(0, n)) pruned[i] = weight[i] as number;
    }
  }
  return pruned;
}
