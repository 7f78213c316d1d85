/** Masked images, and what networks do with them: float64 from dense volumes, times the mask. */
import { conv } from 'sparse-kernels';
import { expect } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { activeRows, denseConv, type Volume } from '../reference/conv.js';
import type { Dense } from './onnx.js';
import { uniform } from './random.js';

export const batch = 2;
export const mask = conv.spark.mask({ shape: [3, 2], ratio: 0.5, batchSize: batch, seed: 5 });

export const tensorOf = (seed: number, ...dims: number[]): Dense => ({
  data: uniform(
    dims.reduce((a, b) => a * b, 1),
    seed,
  ),
  dims,
});
export const vector = (length: number, seed: number) => uniform(length, seed);
export const positive = (length: number, seed: number) => vector(length, seed).map((v) => Math.abs(v) + 0.5);

/** The sites of a stage whose cells are so large. */
function activeOf(cell: number): boolean[] {
  return Array.from({ length: batch * 6 * cell * cell }, (_, i) => {
    const [b, y, x] = [Math.floor(i / (6 * cell * cell)), Math.floor(i / (2 * cell)) % (3 * cell), i % (2 * cell)];
    return mask.data[b * 6 + Math.floor(y / cell) * 2 + Math.floor(x / cell)] === 1;
  });
}

/** A masked image and the sparse tensor of it. */
export function image(channels: number, cell: number): { volume: Volume; x: conv.SparseTensor } {
  const shape = [3 * cell, 2 * cell];
  const active = activeOf(cell);
  const data = Float64Array.from(uniform(active.length * channels, 1), (v, e) => (active[Math.floor(e / channels)] ? v : 0));
  const rows = activeRows({ batch, shape, channels, active, data });
  const x = conv.tensor({
    ...{ coords: Int32Array.from(rows.coords), features: Float32Array.from(rows.features), spatialShape: shape, batchSize: batch },
  });
  return { volume: { batch, shape, channels, active, data }, x };
}

export interface Convolution {
  weight: Dense;
  bias?: Float32Array | undefined;
  stride?: number;
  groups?: number;
}

/** A dense convolution with odd kernel, then the mask of the output. */
export function masked(x: Volume, { weight, bias, stride = 1, groups = 1 }: Convolution, active?: boolean[]): Volume {
  const size = weight.dims.slice(1, -1);
  const padding = size.map((k) => (k - 1) / 2);
  const shape = x.shape.map((n) => Math.ceil(n / stride));
  const kernel = {
    weight: weight.data,
    bias,
    out: weight.dims[0] as number,
    groups,
    size,
    stride: [stride, stride],
    padding,
    dilation: [1, 1],
  };
  return denseConv(x, kernel, shape, false, active ?? activeOf((shape[0] as number) / 3));
}

export const at = (v: Volume, of: (value: number, channel: number, e: number) => number): Volume => ({
  ...v,
  data: v.data.map((value, e) => (v.active[Math.floor(e / v.channels)] ? of(value, e % v.channels, e) : 0)),
});

export interface Norm {
  weight: Float32Array;
  bias: Float32Array;
  mean?: Float32Array;
  variance?: Float32Array;
}

export function batchNorm(v: Volume, { weight, bias, mean, variance }: Norm): Volume {
  const rows = activeRows(v).features;
  const column = (c: number) => rows.filter((_, e) => e % v.channels === c);
  const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const means = Array.from({ length: v.channels }, (_, c) => mean?.[c] ?? average(column(c)));
  const variances = means.map((m, c) => variance?.[c] ?? average(column(c).map((value) => (value - m) ** 2)));
  return at(v, (value, c) => {
    const scale = (weight[c] as number) / Math.sqrt((variances[c] as number) + 1e-5);
    return (value - (means[c] as number)) * scale + (bias[c] as number);
  });
}

export function layerNorm(v: Volume, weight: Float32Array, bias: Float32Array): Volume {
  return at(v, (value, c, e) => {
    const row = [...v.data.subarray(e - c, e - c + v.channels)];
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((sum, r) => sum + (r - mean) ** 2, 0) / row.length;
    return ((value - mean) / Math.sqrt(variance + 1e-6)) * (weight[c] as number) + (bias[c] as number);
  });
}

/** The error function as the integral that it is. */
export function erf(x: number): number {
  const steps = 400;
  const f = (t: number) => Math.exp(-t * t);
  let sum = f(0) + f(x);
  for (let i = 1; i < steps; i++) sum += f((x * i) / steps) * (i % 2 ? 4 : 2);
  return (2 / Math.sqrt(Math.PI)) * sum * (x / steps / 3);
}

export const relu = (v: Volume) => at(v, (value) => Math.max(value, 0));
export const plus = (a: Volume, b: Volume) => at(a, (value, _, e) => value + (b.data[e] as number));
export const norms = (channels: number, seed: number, given: boolean): Norm => ({
  ...{ weight: positive(channels, seed), bias: vector(channels, seed + 1) },
  ...(given && { mean: vector(channels, seed + 2), variance: positive(channels, seed + 3) }),
});

export function expectClose(y: conv.SparseTensor, expected: Volume, tolerance: number): void {
  const rows = activeRows(expected);
  expect([...y.coords]).toEqual(rows.coords);
  expect(y.channels).toBe(expected.channels);
  expect(firstMismatch(y.features, rows.features, tolerance)).toBeNull();
}
