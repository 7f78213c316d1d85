import { createRequire } from 'node:module';
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { sevenBits } from '../seven-bits.js';

const { onnx } = onnxProto;
const FLOAT = onnx.TensorProto.DataType.FLOAT;

export interface DenseLayer {
  readonly x: Float32Array;
  /** [out, in] */
  readonly weight: Float32Array;
  readonly tokens: number;
  readonly in: number;
  readonly out: number;
  readonly threads: number;
  /** More than one: each run takes the next of so many copies of the weight. */
  readonly copies: number;
}

/** A dense layer of onnxruntime. Tensors for input and output are made once: every run returns the same array. */
export interface DensePeer {
  readonly name: string;
  run(): Promise<Float32Array>;
}

/**
 * One MatMul in the way that onnxruntime runs it fastest.
 *
 * One weight: an initializer, which onnxruntime packs once for its matrix kernel. Copies of a weight: inputs that take
 * turns in one session; at one token, where copies are asked for, onnxruntime is faster unpacked. Its threads do not spin
 * after a run: spinning made no run of its own faster here, but took the cores from whatever ran next for some 40 ms.
 */
export async function denseMatMul(layer: DenseLayer): Promise<DensePeer> {
  const { tokens, in: inFeatures, out, threads, copies } = layer;
  const weight = transpose(layer.weight, out, inFeatures);
  const weightIsInput = copies > 1;
  const session = await ort.InferenceSession.create(matMulModel(layer, weight, weightIsInput), sessionOptions(threads));
  const x = new ort.Tensor('float32', layer.x, [tokens, inFeatures]);
  const y = new ort.Tensor('float32', new Float32Array(tokens * out), [tokens, out]);
  const feeds = weightIsInput
    ? Array.from({ length: copies }, () => ({ x, w: new ort.Tensor('float32', weight.slice(), [inFeatures, out]) }))
    : [{ x }];
  let turn = 0;
  return {
    name: `onnxruntime-node ${version()}`,
    run: async () => {
      await session.run(feeds[turn++ % feeds.length] as ort.InferenceSession.FeedsType, { y });
      return y.data as Float32Array;
    },
  };
}

/** Of models with an operator of onnxruntime's own. */
export const contributed = [
  { domain: '', version: 13 },
  { domain: 'com.microsoft', version: 1 },
];

/**
 * One DynamicQuantizeMatMul: x is quantised to uint8 in the run, the weight to seven bits for each output; the fastest of onnxruntime's
 * int8 products. With eight bits its sums of two saturate without VNNI. Its weight is an initializer.
 */
export async function dynamicQuantizeMatMul(layer: DenseLayer): Promise<DensePeer> {
  const { tokens, in: inFeatures, out, threads } = layer;
  const { steps, scale } = sevenBits(layer.weight, out, inFeatures);
  const weight = Uint8Array.from(transpose(Float32Array.from(steps), out, inFeatures));
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: contributed,
    graph: {
      name: 'dense',
      node: [{ opType: 'DynamicQuantizeMatMul', domain: 'com.microsoft', input: ['x', 'w', 'scale'], output: ['y'] }],
      initializer: [
        { name: 'w', dataType: onnx.TensorProto.DataType.INT8, dims: [inFeatures, out], rawData: weight },
        { name: 'scale', dataType: FLOAT, dims: [out], rawData: new Uint8Array(scale.buffer) },
      ],
      input: [valueInfo('x', [tokens, inFeatures])],
      output: [valueInfo('y', [tokens, out])],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, sessionOptions(threads));
  const x = new ort.Tensor('float32', layer.x, [tokens, inFeatures]);
  const y = new ort.Tensor('float32', new Float32Array(tokens * out), [tokens, out]);
  return {
    name: `onnxruntime-node ${version()} (DynamicQuantizeMatMul)`,
    run: async () => {
      await session.run({ x }, { y });
      return y.data as Float32Array;
    },
  };
}

function matMulModel({ tokens, in: inFeatures, out }: DenseLayer, weight: Float32Array, weightIsInput: boolean) {
  const w = valueInfo('w', [inFeatures, out]);
  const rawData = new Uint8Array(weight.buffer, weight.byteOffset, weight.byteLength);
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'dense',
      node: [{ opType: 'MatMul', input: ['x', 'w'], output: ['y'] }],
      initializer: weightIsInput ? [] : [{ name: 'w', dataType: FLOAT, dims: [inFeatures, out], rawData }],
      input: [valueInfo('x', [tokens, inFeatures]), ...(weightIsInput ? [w] : [])],
      output: [valueInfo('y', [tokens, out])],
    },
  }).finish();
}

export interface DenseConvolution {
  /** [batch, in, size, size] */
  readonly x: Float32Array;
  /** [out, in, kernel, kernel] */
  readonly weight: Float32Array;
  /** 3, or 1. */
  readonly kernel: number;
  readonly batch: number;
  readonly size: number;
  readonly in: number;
  readonly out: number;
  readonly threads: number;
}

/** One Conv that keeps the extents; its weight is an initializer, which onnxruntime packs once. */
export async function denseConv(layer: DenseConvolution): Promise<DensePeer> {
  const { batch, size, in: inputs, out, threads, kernel } = layer;
  const pad = (kernel - 1) / 2;
  const dims = [batch, inputs, size, size];
  const rawData = new Uint8Array(layer.weight.buffer, layer.weight.byteOffset, layer.weight.byteLength);
  const pads = { name: 'pads', type: onnx.AttributeProto.AttributeType.INTS, ints: [pad, pad, pad, pad] };
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'dense',
      node: [{ opType: 'Conv', input: ['x', 'w'], output: ['y'], attribute: [pads] }],
      initializer: [{ name: 'w', dataType: FLOAT, dims: [out, inputs, kernel, kernel], rawData }],
      input: [valueInfo('x', dims)],
      output: [valueInfo('y', [batch, out, size, size])],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, sessionOptions(threads));
  const x = new ort.Tensor('float32', layer.x, dims);
  const y = new ort.Tensor('float32', new Float32Array(batch * out * size * size), [batch, out, size, size]);
  return {
    name: `onnxruntime-node ${version()}`,
    run: async () => {
      await session.run({ x }, { y });
      return y.data as Float32Array;
    },
  };
}

export function sessionOptions(threads: number): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

export function valueInfo(name: string, dims: number[]) {
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } } };
}

/** [rows, columns] -> [columns, rows], in square blocks that stay in the cache. */
/** For every thread count the same weight is wanted. */
const transposed = new WeakMap<Float32Array, Float32Array>();

function transpose(from: Float32Array, rows: number, columns: number): Float32Array {
  const before = transposed.get(from);
  if (before) return before;
  const block = 64;
  const to = new Float32Array(from.length);
  transposed.set(from, to);
  for (let r0 = 0; r0 < rows; r0 += block) {
    for (let c0 = 0; c0 < columns; c0 += block) {
      for (let c = c0; c < Math.min(c0 + block, columns); c++) {
        for (let r = r0; r < Math.min(r0 + block, rows); r++) to[c * rows + r] = from[r * columns + c] as number;
      }
    }
  }
  return to;
}

export function version(): string {
  return (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version;
}

export interface DenseAttention {
  /** [heads, tokens, d] */
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly heads: number;
  readonly tokens: number;
  readonly d: number;
  readonly threads: number;
}

/** MultiHeadAttention, the faster of onnxruntime's two on CPU where nothing is masked. Its output is [tokens, heads, d]. */
export async function denseAttention({ q, k, v, heads, tokens, d, threads }: DenseAttention): Promise<DensePeer> {
  const dims = [1, tokens, heads * d];
  const names = ['q', 'k', 'v'];
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: contributed,
    graph: {
      name: 'attention',
      node: [
        {
          opType: 'MultiHeadAttention',
          domain: 'com.microsoft',
          input: names,
          output: ['y'],
          attribute: [{ name: 'num_heads', type: onnx.AttributeProto.AttributeType.INT, i: heads }],
        },
      ],
      input: names.map((name) => valueInfo(name, dims)),
      output: [valueInfo('y', dims)],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const outermost = (x: Float32Array) => {
    const y = new Float32Array(x.length);
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < tokens; t++) y.set(x.subarray((h * tokens + t) * d, (h * tokens + t + 1) * d), (t * heads + h) * d);
    }
    return new ort.Tensor('float32', y, dims);
  };
  const feeds = { q: outermost(q), k: outermost(k), v: outermost(v) };
  const y = new ort.Tensor('float32', new Float32Array(q.length), dims);
  return {
    name: `onnxruntime-node ${version()}`,
    run: async () => {
      await session.run(feeds, { y });
      return y.data as Float32Array;
    },
  };
}
