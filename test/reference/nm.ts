/** Oracle of spmm: y = act(x Wᵀ + b) in float64 from the dense weight. Knows nothing of packing, patterns or kernels. */
export interface DenseLinear {
  x: ArrayLike<number>;
  weight: ArrayLike<number>;
  bias?: ArrayLike<number> | undefined;
  tokens: number;
  inputs: number;
  outputs: number;
  relu?: boolean;
}

export function denseLinear({ x, weight, bias, tokens, inputs, outputs, relu }: DenseLinear): Float64Array {
  const y = new Float64Array(tokens * outputs);
  for (let t = 0; t < tokens; t++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias ? (bias[o] as number) : 0;
      for (let i = 0; i < inputs; i++) {
        const w = weight[o * inputs + i] as number;
        if (w !== 0) sum += w * (x[t * inputs + i] as number);
      }
      y[t * outputs + o] = relu && sum < 0 ? 0 : sum;
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
