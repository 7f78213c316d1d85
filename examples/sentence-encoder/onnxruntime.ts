/** Dense layers on onnxruntime: one MatMul per layer whose weight is a constant, so that onnxruntime packs it once. */
import onnxProto from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Linear } from './encoder.js';
import type { LayerName, LinearLayer } from './model.js';
import { transpose } from './transpose.js';

const { onnx } = onnxProto;
const OPSET = 13;
const IR_VERSION = 8;
const FLOAT = onnx.TensorProto.DataType.FLOAT;

export type Sessions = ReadonlyMap<LayerName, InferenceSession>;

export async function createSessions(layers: readonly LinearLayer[], threads: number): Promise<Sessions> {
  const sessions = new Map<LayerName, InferenceSession>();
  for (const layer of layers) {
    const options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    sessions.set(layer.name, await InferenceSession.create(matmulModel(layer), options));
  }
  return sessions;
}

/** Whole layers for the forward pass: MatMul on onnxruntime, bias and ReLU here. */
export function onnxLinear(layers: readonly LinearLayer[], sessions: Sessions): Linear {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return async (name, x) => {
    const { inFeatures, outFeatures, bias, activation } = byName.get(name) as LinearLayer;
    const rows = x.length / inFeatures;
    const y = new Float32Array(rows * outFeatures);
    await matmul(sessions.get(name) as InferenceSession, x, y, rows);
    for (let row = 0; row < y.length; row += outFeatures) {
      for (let o = 0; o < outFeatures; o++) {
        const biased = (y[row + o] as number) + (bias[o] as number);
        y[row + o] = activation === 'relu' ? Math.max(biased, 0) : biased;
      }
    }
    return y;
  };
}

/** Writes x W into `y`, which onnxruntime then need not allocate. */
export async function matmul(session: InferenceSession, x: Float32Array, y: Float32Array, rows: number): Promise<void> {
  await session.run({ x: tensor(x, rows) }, { y: tensor(y, rows) });
}

function tensor(data: Float32Array, rows: number): Tensor {
  return new Tensor('float32', data, [rows, data.length / rows]);
}

function matmulModel({ weight, inFeatures, outFeatures }: LinearLayer): Uint8Array {
  const w = transpose(weight, outFeatures, inFeatures);
  return onnx.ModelProto.encode({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'linear',
      node: [{ opType: 'MatMul', input: ['x', 'w'], output: ['y'] }],
      input: [matrix('x', inFeatures)],
      output: [matrix('y', outFeatures)],
      initializer: [{ name: 'w', dataType: FLOAT, dims: [inFeatures, outFeatures], rawData: new Uint8Array(w.buffer) }],
    },
  }).finish();
}

function matrix(name: string, features: number) {
  const dim = [{ dimParam: 'rows' }, { dimValue: features }];
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
}
