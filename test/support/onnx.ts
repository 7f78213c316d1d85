/** One-node models for onnxruntime, as an independent reference of dense operators. */
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';

const { onnx } = onnxProto;
const FLOAT = onnx.TensorProto.DataType.FLOAT;
const INTS = onnx.AttributeProto.AttributeType.INTS;
const INT = onnx.AttributeProto.AttributeType.INT;

export interface Dense {
  data: Float32Array;
  dims: readonly number[];
}

/** Runs `opType` on x and the further operands; attributes are integers or lists of them. */
export async function onnxruntime(
  opType: string,
  x: Dense,
  operands: readonly Dense[],
  attributes: Readonly<Record<string, number | readonly number[]>>,
): Promise<Dense> {
  const names = operands.map((_, i) => `w${i}`);
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: opType,
      node: [
        {
          opType,
          input: ['x', ...names],
          output: ['y'],
          attribute: Object.entries(attributes).map(([name, value]) =>
            typeof value === 'number' ? { name, type: INT, i: value } : { name, type: INTS, ints: [...value] },
          ),
        },
      ],
      initializer: operands.map(({ data, dims }, i) => ({ name: `w${i}`, dataType: FLOAT, dims: [...dims], floatData: [...data] })),
      input: [{ name: 'x', type: { tensorType: { elemType: FLOAT, shape: { dim: x.dims.map((dimValue) => ({ dimValue })) } } } }],
      output: [{ name: 'y', type: { tensorType: { elemType: FLOAT } } }],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, { executionProviders: ['cpu'] });
  const { y } = await session.run({ x: new ort.Tensor('float32', x.data, x.dims) });
  if (y === undefined) throw new Error(`${opType} has no output`);
  return { data: y.data as Float32Array, dims: y.dims };
}

/** [out, ...kernel, in] as [out, in, ...kernel] (Conv), or as [in, out, ...kernel] (ConvTranspose). */
export function channelsFirst(weight: Dense, transposed = false): Dense {
  const [out = 0, ...rest] = weight.dims;
  const inputs = rest.at(-1) as number;
  const kernel = rest.slice(0, -1);
  const volume = kernel.reduce((a, b) => a * b, 1);
  const data = new Float32Array(weight.data.length);
  for (let o = 0; o < out; o++) {
    for (let k = 0; k < volume; k++) {
      for (let i = 0; i < inputs; i++) {
        const to = transposed ? (i * out + o) * volume + k : (o * inputs + i) * volume + k;
        data[to] = weight.data[(o * volume + k) * inputs + i] as number;
      }
    }
  }
  return { data, dims: transposed ? [inputs, out, ...kernel] : [out, inputs, ...kernel] };
}
