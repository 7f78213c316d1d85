/** Oracle of sparse convolution: float64, dense volumes and a mask, site by site. Knows nothing of keys, pairs or maps. */
export interface Volume {
  batch: number;
  shape: number[];
  channels: number;
  /** [batch, ...shape]: whether the site is there. */
  active: boolean[];
  /** [batch, ...shape, channels], zero where no site is. */
  data: Float64Array;
}

export interface Kernel {
  /** [out, ...size, in / groups] */
  weight: ArrayLike<number>;
  bias?: ArrayLike<number> | undefined;
  out: number;
  groups?: number;
  size: number[];
  stride: number[];
  padding: number[];
  dilation: number[];
  relu?: boolean;
}

/** Every index of a box, last axis fastest. */
export function* indices(shape: readonly number[]): Iterable<number[]> {
  const total = shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < total; i++) {
    const index: number[] = [];
    for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
      index.unshift(rest % (shape[axis] as number));
      rest = Math.floor(rest / (shape[axis] as number));
    }
    yield index;
  }
}

export function place(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((sum, i, axis) => sum * (shape[axis] as number) + i, 0);
}

/**
 * Which sites the output has: all that some active input reaches (undefined), or those of a mask [batch, ...outShape].
 * `transposed`: input i reaches output i * stride - padding + r * dilation, else output o sees input o * stride - padding + r * dilation.
 */
export function denseConv(x: Volume, kernel: Kernel, outShape: number[], transposed: boolean, sites?: boolean[]): Volume {
  const { size, stride, padding, dilation, groups = 1 } = kernel;
  const sizeOut = x.batch * outShape.reduce((a, b) => a * b, 1);
  const reached = new Array<boolean>(sizeOut).fill(false);
  const data = new Float64Array(sizeOut * kernel.out);
  for (let o = 0; o < sizeOut; o++) for (let c = 0; c < kernel.out; c++) data[o * kernel.out + c] = kernel.bias?.[c] ?? 0;
  const inGroup = x.channels / groups;
  const outGroup = kernel.out / groups;
  const from = transposed ? x.shape : outShape;
  const to = transposed ? outShape : x.shape;
  for (const [batch = 0, ...near] of indices([x.batch, ...from])) {
    let r = -1;
    for (const cell of indices(size)) {
      r++;
      const far = near.map((n, a) => n * (stride[a] as number) - (padding[a] as number) + (cell[a] as number) * (dilation[a] as number));
      if (far.some((f, a) => f < 0 || f >= (to[a] as number))) continue;
      const i = place([x.batch, ...x.shape], [batch, ...(transposed ? near : far)]);
      const o = place([x.batch, ...outShape], [batch, ...(transposed ? far : near)]);
      if (!x.active[i]) continue;
      reached[o] = true;
      for (let c = 0; c < kernel.out; c++) {
        const first = Math.floor(c / outGroup) * inGroup;
        for (let k = 0; k < inGroup; k++) {
          const w = kernel.weight[(c * size.reduce((a, b) => a * b, 1) + r) * inGroup + k] as number;
          data[o * kernel.out + c] = (data[o * kernel.out + c] as number) + w * (x.data[i * x.channels + first + k] as number);
        }
      }
    }
  }
  const active = sites ?? reached;
  for (let e = 0; e < data.length; e++) {
    if (!active[Math.floor(e / kernel.out)]) data[e] = 0;
    else if (kernel.relu && (data[e] as number) < 0) data[e] = 0;
  }
  return { batch: x.batch, shape: outShape, channels: kernel.out, active, data };
}

/** The active sites of a volume in ascending order, and their features. */
export function activeRows(v: Volume): { coords: number[]; features: number[] } {
  const coords: number[] = [];
  const features: number[] = [];
  let i = 0;
  for (const index of indices([v.batch, ...v.shape])) {
    if (v.active[i]) {
      coords.push(...index);
      features.push(...v.data.subarray(i * v.channels, (i + 1) * v.channels));
    }
    i++;
  }
  return { coords, features };
}
