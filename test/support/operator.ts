/** One operator of onnxruntime on any tensors, optional inputs and shared buffers included (onnx.ts has the plain case). */
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';

const { onnx } = onnxProto;
const { FLOAT, INT, STRING } = onnx.AttributeProto.AttributeType;
const elementTypes: Record<string, number> = { float32: 1, uint8: 2, int8: 3, int32: 6, bool: 9 };

export interface Operator {
  op: string;
  domain?: string;
  opset: number;
  /** In order; undefined for an input that is left out. */
  inputs: Record<string, ort.Tensor | undefined>;
  outputs: string[];
  attributes: Record<string, number | string>;
  /** Attributes that are floats even where their value is whole. */
  floats?: string[];
  /** Type of the outputs. Default float32. */
  outputType?: 'float32' | 'int32';
  /** Outputs written into given tensors. */
  into?: Record<string, ort.Tensor>;
}

export async function runOperator(o: Operator): Promise<Record<string, ort.Tensor>> {
  const { domain = '', opset, inputs, outputs, attributes, floats = [], into = {}, outputType = 'float32' } = o;
  const given = Object.entries(inputs).filter((entry): entry is [string, ort.Tensor] => entry[1] !== undefined);
  const info = (name: string, elemType: number, dims?: readonly number[]) => ({
    name,
    type: { tensorType: { elemType, ...(dims && { shape: { dim: dims.map((dimValue) => ({ dimValue })) } }) } },
  });
  const model = onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ domain: '', version: Math.max(opset, 17) }, ...(domain ? [{ domain, version: 1 }] : [])],
    graph: {
      name: o.op,
      node: [
        {
          opType: o.op,
          domain,
          input: Object.entries(inputs).map(([name, tensor]) => (tensor ? name : '')),
          output: outputs,
          attribute: Object.entries(attributes).map(([name, value]) =>
            typeof value === 'string'
              ? { name, type: STRING, s: Buffer.from(value) }
              : Number.isInteger(value) && !floats.includes(name)
                ? { name, type: INT, i: value }
                : { name, type: FLOAT, f: value },
          ),
        },
      ],
      input: given.map(([name, tensor]) => info(name, elementTypes[tensor.type] as number, tensor.dims)),
      output: outputs.filter((name) => name !== '').map((name) => info(name, elementTypes[outputType] as number)),
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const fetches = Object.fromEntries(outputs.filter((name) => name !== '').map((name) => [name, into[name] ?? null]));
  const results = await session.run(Object.fromEntries(given), fetches as ort.InferenceSession.FetchesType);
  await session.release();
  return results as Record<string, ort.Tensor>;
}
